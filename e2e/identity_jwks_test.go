package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/e2e/parleytest"
)

type signingKey struct {
	*ecdsa.PrivateKey
	kid string
}

func newSigningKey(t *testing.T, kid string) signingKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signingKey{key, kid}
}

func (k signingKey) published(t *testing.T) map[string]string {
	t.Helper()
	point, err := k.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "kid": k.kid, "x": encode(point[1:33]), "y": encode(point[33:])}
}

func (k signingKey) client(t *testing.T, node *parleytest.Node) *parleytest.Client {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claimsOf("ada"))
	token.Header["kid"] = k.kid
	text, err := token.SignedString(k.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return &parleytest.Client{URL: node.URL, User: "ada", Token: text, HTTP: http.DefaultClient}
}

// jwksIssuer is an issuer's server, which answers as it is told to.
type jwksIssuer struct {
	*httptest.Server
	answer  atomic.Pointer[http.HandlerFunc]
	fetches atomic.Int64
}

func startIssuer(t *testing.T) *jwksIssuer {
	t.Helper()
	issuer := &jwksIssuer{}
	issuer.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		issuer.fetches.Add(1)
		(*issuer.answer.Load())(w, r)
	}))
	t.Cleanup(issuer.Close)
	return issuer
}

func (i *jwksIssuer) answers(h http.HandlerFunc) { i.answer.Store(&h) }

func (i *jwksIssuer) publishes(t *testing.T, keys ...signingKey) {
	t.Helper()
	set := []map[string]string{}
	for _, key := range keys {
		set = append(set, key.published(t))
	}
	i.answers(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": set})
	})
}

// codeFor asks, and returns the code of the answer, "" for none.
func codeFor(t *testing.T, c *parleytest.Client) string {
	t.Helper()
	begin := time.Now()
	result, err := c.Do(t.Context(), parleytest.Operation{Query: viewerQuery})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("an answer took %v", took)
	}
	return result.Code()
}

// TestIdentityJWKS: the issuer's server rotates its keys, fails, and answers slowly, and whoever has a
// token of a known key notices nothing.
func TestIdentityJWKS(t *testing.T) {
	t.Parallel()
	issuer := startIssuer(t)
	old, fresh, unknown := newSigningKey(t, "old"), newSigningKey(t, "fresh"), newSigningKey(t, "unknown")
	issuer.publishes(t, old)
	node := parleytest.Start(t, map[string]string{"PARLEY_AUTH_JWKS_URL": issuer.URL + "/keys"})
	if got := codeFor(t, old.client(t, node)); got != "" {
		t.Fatalf("a token of the issuer's: %s", got)
	}
	stream := parleytest.MustSubscribe(t, parleytest.OverWS, old.client(t, node), follow(messageAdded, old.client(t, node).CreateRoom(t, "Keys"), ""))
	stream.Position(t)

	issuer.publishes(t, old, fresh)
	parleytest.Eventually(t, "the new key is known", func() bool { return codeFor(t, fresh.client(t, node)) == "" })
	issuer.publishes(t, fresh)
	parleytest.Eventually(t, "the old key isn't", func() bool {
		codeFor(t, unknown.client(t, node)) // has the keys fetched
		return codeFor(t, old.client(t, node)) == "UNAUTHENTICATED"
	})
	misbehaves(t, issuer, node, fresh, unknown)
	issuer.publishes(t, fresh)
	parleytest.Eventually(t, "unknown keys are refused again", func() bool { return codeFor(t, unknown.client(t, node)) == "UNAUTHENTICATED" })
	if n := issuer.fetches.Load(); n > 40 {
		t.Errorf("%d fetches", n)
	}
	select {
	case f := <-stream.Frames:
		t.Errorf("a stream was disturbed: %+v", f)
	default:
	}
}

// misbehaves has the issuer fail, and never answer. A token of a known key is judged as ever.
func misbehaves(t *testing.T, issuer *jwksIssuer, node *parleytest.Node, known, unknown signingKey) {
	t.Helper()
	hang := make(chan struct{})
	defer close(hang)
	for name, answer := range map[string]http.HandlerFunc{
		"fails": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"answers never": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		},
	} {
		issuer.answers(answer)
		before := issuer.fetches.Load()
		parleytest.Eventually(t, "it "+name+", and unknown keys can't be judged", func() bool {
			return codeFor(t, unknown.client(t, node)) == "UNAVAILABLE" && issuer.fetches.Load() > before
		})
		for range 20 {
			begin := time.Now()
			if got := codeFor(t, known.client(t, node)); got != "" {
				t.Errorf("it %s: a token of a known key: %s", name, got)
			}
			if took := time.Since(begin); took > time.Second {
				t.Errorf("it %s: a token of a known key took %v", name, took)
			}
		}
	}
}

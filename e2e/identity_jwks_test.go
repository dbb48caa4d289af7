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

// TestIdentityJWKS: the issuer's server rotates its keys, fails, and answers slowly, and whoever has a
// token of a known key notices nothing.
func TestIdentityJWKS(t *testing.T) {
	t.Parallel()
	var answer atomic.Pointer[http.HandlerFunc]
	var fetches atomic.Int64
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetches.Add(1)
		(*answer.Load())(w, r)
	}))
	defer issuer.Close()
	answers := func(h http.HandlerFunc) { answer.Store(&h) }
	publishes := func(keys ...signingKey) {
		set := []map[string]string{}
		for _, key := range keys {
			set = append(set, key.published(t))
		}
		answers(func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": set})
		})
	}
	old, fresh, unknown := newSigningKey(t, "old"), newSigningKey(t, "fresh"), newSigningKey(t, "unknown")
	publishes(old)
	node := parleytest.Start(t, map[string]string{"PARLEY_AUTH_JWKS_URL": issuer.URL + "/keys"})
	code := func(c *parleytest.Client) string {
		t.Helper()
		begin := time.Now()
		result, err := c.Do(t.Context(), parleytest.Operation{Query: `{ viewer { id } }`})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("an answer took %v", took)
		}
		return result.Code()
	}
	if got := code(old.client(t, node)); got != "" {
		t.Fatalf("a token of the issuer's: %s", got)
	}
	stream := parleytest.MustSubscribe(t, parleytest.OverWS, old.client(t, node), follow(messageAdded, old.client(t, node).CreateRoom(t, "Keys"), ""))
	stream.Position(t)

	publishes(old, fresh)
	parleytest.Eventually(t, "the new key is known", func() bool { return code(fresh.client(t, node)) == "" })
	publishes(fresh)
	parleytest.Eventually(t, "the old key isn't", func() bool {
		code(unknown.client(t, node)) // has the keys fetched
		return code(old.client(t, node)) == "UNAUTHENTICATED"
	})
	hang := make(chan struct{})
	for name, misbehaves := range map[string]http.HandlerFunc{
		"fails": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"answers never": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		},
	} {
		answers(misbehaves)
		before := fetches.Load()
		parleytest.Eventually(t, "it "+name+", and unknown keys can't be judged", func() bool {
			return code(unknown.client(t, node)) == "UNAVAILABLE" && fetches.Load() > before
		})
		for range 20 {
			begin := time.Now()
			if got := code(fresh.client(t, node)); got != "" {
				t.Errorf("it %s: a token of a known key: %s", name, got)
			}
			if took := time.Since(begin); took > time.Second {
				t.Errorf("it %s: a token of a known key took %v", name, took)
			}
		}
	}
	close(hang)
	publishes(fresh)
	parleytest.Eventually(t, "unknown keys are refused again", func() bool { return code(unknown.client(t, node)) == "UNAUTHENTICATED" })
	if n := fetches.Load(); n > 40 {
		t.Errorf("%d fetches", n)
	}
	select {
	case f := <-stream.Frames:
		t.Errorf("a stream was disturbed: %+v", f)
	default:
	}
}

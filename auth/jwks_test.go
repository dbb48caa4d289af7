package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"parley/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// issuer signs tokens and publishes its keys, well or badly.
type issuer struct {
	*httptest.Server
	fetches atomic.Int64

	mu     sync.Mutex
	keys   map[string]crypto.Signer // published, by kid
	answer http.HandlerFunc         // instead of the keys
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{keys: map[string]crypto.Signer{}}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.fetches.Add(1)
	i.mu.Lock()
	answer, keys := i.answer, maps.Clone(i.keys)
	i.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": published(keys)})
}

func published(keys map[string]crypto.Signer) []jwkset.JWKMarshal {
	set := []jwkset.JWKMarshal{}
	for kid, key := range keys {
		jwk, err := jwkset.NewJWKFromKey(key.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
		if err != nil {
			panic(err)
		}
		set = append(set, jwk.Marshal())
	}
	return set
}

// publishes replaces the keys.
func (i *issuer) publishes(keys map[string]crypto.Signer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// answers makes it answer otherwise, nil with its keys.
func (i *issuer) answers(with http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = with
}

func fails(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }

var (
	ecKey, _     = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ec384Key, _  = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	newerKey, _  = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, edKey, _  = ed25519.GenerateKey(rand.Reader)
	rsaKey, _    = rsa.GenerateKey(rand.Reader, 2048)
	strangers, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
)

// by returns a token signed with a key; without a kid for "".
func by(t testing.TB, method jwt.SigningMethod, key any, kid string, changes claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims(with(changes)))
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// hasty are options under which little time passes.
func hasty(i *issuer) auth.KeySetOptions {
	return auth.KeySetOptions{
		URL: i.URL, Refresh: time.Hour, Pause: 20 * time.Millisecond, Timeout: 5 * time.Second, Patience: 5 * time.Second,
		Log: slog.New(slog.DiscardHandler),
	}
}

// running returns a verifier by a key set that runs until the test ends.
func running(t testing.TB, o auth.KeySetOptions, demands auth.Options) (auth.Verifier, *auth.KeySet) {
	t.Helper()
	set, err := auth.NewKeySet(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = set.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		done.Wait()
		http.DefaultClient.CloseIdleConnections()
	})
	return auth.NewKeySetVerifier(set, demands), set
}

func eventually(t testing.TB, what string, fact func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !fact(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain: waiting until %s", what)
		}
	}
}

func mustPass(t testing.TB, v auth.Verifier, token string) {
	t.Helper()
	if viewer, err := v.Verify(t.Context(), token); err != nil || viewer.ID != "ada" {
		t.Errorf("%+v, %v", viewer, err)
	}
}

func mustFail(t testing.TB, v auth.Verifier, token string, as error) {
	t.Helper()
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, as) {
		t.Errorf("got %v instead of %v", err, as)
	}
}

func TestKeySetAlgorithms(t *testing.T) {
	i := newIssuer(t)
	i.publishes(map[string]crypto.Signer{"rsa": rsaKey, "ec": ecKey, "ec384": ec384Key, "ed": edKey})
	v, set := running(t, hasty(i), auth.Options{Issuer: "https://issuer.test", Audience: "parley"})
	eventually(t, "the keys are there", set.Ready)
	good := claims{"iss": "https://issuer.test", "aud": []string{"other", "parley"}}
	for name, token := range map[string]string{
		"RS256":          by(t, jwt.SigningMethodRS256, rsaKey, "rsa", good),
		"RS512":          by(t, jwt.SigningMethodRS512, rsaKey, "rsa", good),
		"ES256":          by(t, jwt.SigningMethodES256, ecKey, "ec", good),
		"ES384":          by(t, jwt.SigningMethodES384, ec384Key, "ec384", good),
		"EdDSA":          by(t, jwt.SigningMethodEdDSA, edKey, "ed", good),
		"RS256, no kid":  by(t, jwt.SigningMethodRS256, rsaKey, "", good),
		"EdDSA, no kid":  by(t, jwt.SigningMethodEdDSA, edKey, "", good),
		"ES256, no kid ": by(t, jwt.SigningMethodES256, ecKey, "", good),
	} {
		t.Run(name, func(t *testing.T) { mustPass(t, v, token) })
	}
	public, err := json.Marshal(published(map[string]crypto.Signer{"rsa": rsaKey})[0])
	if err != nil {
		t.Fatal(err)
	}
	bad := func(changes claims) claims {
		all := claims{}
		maps.Copy(all, good)
		maps.Copy(all, changes)
		return all
	}
	for name, token := range map[string]string{
		"HS256 under the published key": by(t, jwt.SigningMethodHS256, public, "rsa", good),
		"HS256 under the modulus":       by(t, jwt.SigningMethodHS256, rsaKey.N.Bytes(), "rsa", good),
		"none":                          by(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "rsa", good),
		"PS256":                         by(t, jwt.SigningMethodPS256, rsaKey, "rsa", good),
		"another kind of key":           by(t, jwt.SigningMethodES256, ecKey, "rsa", good),
		"a stranger's key":              by(t, jwt.SigningMethodES256, strangers, "ec", good),
		"a stranger's key, no kid":      by(t, jwt.SigningMethodES256, strangers, "", good),
		"an unknown kid":                by(t, jwt.SigningMethodES256, strangers, "strange", good),
		"another issuer":                by(t, jwt.SigningMethodES256, ecKey, "ec", bad(claims{"iss": "https://other.test"})),
		"no issuer":                     by(t, jwt.SigningMethodES256, ecKey, "ec", bad(claims{"iss": nil})),
		"another audience":              by(t, jwt.SigningMethodES256, ecKey, "ec", bad(claims{"aud": "other"})),
		"no exp":                        by(t, jwt.SigningMethodES256, ecKey, "ec", bad(claims{"exp": nil})),
		"expired":                       by(t, jwt.SigningMethodES256, ecKey, "ec", bad(claims{"exp": inSeconds(-60)})),
	} {
		t.Run(name, func(t *testing.T) { mustFail(t, v, token, auth.ErrBadToken) })
	}
}

func TestKeySetRotates(t *testing.T) {
	i := newIssuer(t)
	i.publishes(map[string]crypto.Signer{"old": ecKey})
	o := hasty(i)
	v, set := running(t, o, auth.Options{})
	eventually(t, "the keys are there", set.Ready)
	time.Sleep(o.Pause) // keys younger than that aren't asked for again
	i.publishes(map[string]crypto.Signer{"old": ecKey, "new": newerKey})
	mustPass(t, v, by(t, jwt.SigningMethodES256, newerKey, "new", nil))
	mustPass(t, v, by(t, jwt.SigningMethodES256, ecKey, "old", nil))
	i.publishes(map[string]crypto.Signer{"new": newerKey})
	eventually(t, "the withdrawn key is forgotten", func() bool {
		_, _ = v.Verify(t.Context(), by(t, jwt.SigningMethodES256, strangers, "ask", nil))
		_, err := v.Verify(t.Context(), by(t, jwt.SigningMethodES256, ecKey, "old", nil))
		return errors.Is(err, auth.ErrBadToken)
	})
	mustPass(t, v, by(t, jwt.SigningMethodES256, newerKey, "new", nil))
}

func TestKeySetRefreshes(t *testing.T) {
	i := newIssuer(t)
	i.publishes(map[string]crypto.Signer{"key": ecKey})
	o := hasty(i)
	o.Refresh = 10 * time.Millisecond
	v, set := running(t, o, auth.Options{})
	eventually(t, "the keys are there", set.Ready)
	i.publishes(map[string]crypto.Signer{"key": newerKey})
	eventually(t, "the key is replaced without being asked for", func() bool {
		_, err := v.Verify(t.Context(), by(t, jwt.SigningMethodES256, newerKey, "key", nil))
		return err == nil
	})
}

func TestKeySetUnknownKeysAreThrottled(t *testing.T) {
	i := newIssuer(t)
	i.publishes(map[string]crypto.Signer{"key": ecKey})
	o := hasty(i)
	o.Pause = time.Hour
	v, set := running(t, o, auth.Options{})
	eventually(t, "the keys are there", set.Ready)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 50 {
				mustFail(t, v, by(t, jwt.SigningMethodES256, strangers, "strange", nil), auth.ErrBadToken)
			}
		})
	}
	all.Wait()
	if n := i.fetches.Load(); n != 1 {
		t.Errorf("1,000 tokens of unknown keys caused %d fetches", n-1)
	}
}

// rubbish are answers that no keys can be taken from.
func rubbish(t *testing.T) map[string]http.HandlerFunc {
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	set := func(keys ...any) http.HandlerFunc {
		body, err := json.Marshal(map[string]any{"keys": keys})
		if err != nil {
			t.Fatal(err)
		}
		return text(string(body))
	}
	forEncryption := published(map[string]crypto.Signer{"key": rsaKey})[0]
	forEncryption.USE = jwkset.UseEnc
	private, err := jwkset.NewJWKFromKey(rsaKey, jwkset.JWKOptions{Marshal: jwkset.JWKMarshalOptions{Private: true}})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]any, 100)
	for n := range many {
		many[n] = published(map[string]crypto.Signer{"key": ecKey})[0]
	}
	return map[string]http.HandlerFunc{
		"status 500":        fails,
		"nothing":           text(""),
		"no JSON":           text("<html>"),
		"another JSON":      text(`["keys"]`),
		"no keys":           set(),
		"malformed keys":    set(7, map[string]any{"kty": "RSA", "n": "!", "e": "?"}, map[string]any{"kty": "new"}),
		"a symmetric key":   set(map[string]any{"kty": "oct", "kid": "key", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}),
		"a weak key":        set(published(map[string]crypto.Signer{"key": weak})[0]),
		"for encryption":    set(forEncryption),
		"a private key":     set(private.Marshal()),
		"100 keys":          set(many...),
		"huge":              text(`{"keys":[],"pad":"` + strings.Repeat("x", 2<<20) + `"}`),
		"redirect to http":  http.RedirectHandler("http://issuer.test/keys", http.StatusFound).ServeHTTP,
		"redirect for ever": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"/x", http.StatusFound) },
		"broken off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"keys":[`)
		},
	}
}

// TestKeySetOutlastsOutages: whatever the server answers, known keys go on to be good.
func TestKeySetOutlastsOutages(t *testing.T) {
	for name, answer := range rubbish(t) {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.publishes(map[string]crypto.Signer{"key": ecKey})
			o := hasty(i)
			o.Refresh = time.Millisecond
			o.Pause = time.Millisecond
			v, set := running(t, o, auth.Options{})
			eventually(t, "the keys are there", set.Ready)
			i.answers(answer)
			before := i.fetches.Load()
			eventually(t, "that was fetched", func() bool { return i.fetches.Load() > before+3 })
			mustPass(t, v, by(t, jwt.SigningMethodES256, ecKey, "key", nil))
			if _, err := v.Verify(t.Context(), by(t, jwt.SigningMethodES256, newerKey, "new", nil)); !errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("a token of a key that may be new: %v", err)
			}
			i.answers(nil)
			i.publishes(map[string]crypto.Signer{"new": newerKey})
			eventually(t, "it works again", func() bool {
				_, err := v.Verify(t.Context(), by(t, jwt.SigningMethodES256, newerKey, "new", nil))
				return err == nil
			})
		})
	}
}

func TestKeySetStartsWithoutServer(t *testing.T) {
	i := newIssuer(t)
	i.answers(fails)
	i.publishes(map[string]crypto.Signer{"key": ecKey})
	o := hasty(i)
	log := &strings.Builder{}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	v, set := running(t, o, auth.Options{})
	token := by(t, jwt.SigningMethodES256, ecKey, "key", nil)
	eventually(t, "it has tried twice", func() bool { return i.fetches.Load() > 1 })
	mustFail(t, v, token, auth.ErrUnavailable)
	mustFail(t, v, by(t, jwt.SigningMethodES256, ecKey, "", nil), auth.ErrUnavailable)
	mustFail(t, v, by(t, jwt.SigningMethodHS256, []byte("secret"), "key", nil), auth.ErrBadToken)
	if set.Ready() {
		t.Error("it is ready without keys")
	}
	i.answers(nil)
	eventually(t, "it heals by itself", func() bool {
		_, err := v.Verify(t.Context(), token)
		return err == nil
	})
	if n := strings.Count(log.String(), "can't be fetched"); n != 1 {
		t.Errorf("the outage was told %d times:\n%s", n, log)
	}
}

// TestKeySetSlowServer: a server that doesn't answer holds up neither tokens of known keys, nor for
// long those of others, nor any number of goroutines.
func TestKeySetSlowServer(t *testing.T) {
	i := newIssuer(t)
	i.publishes(map[string]crypto.Signer{"key": ecKey})
	o := hasty(i)
	o.Patience = 50 * time.Millisecond
	v, set := running(t, o, auth.Options{})
	eventually(t, "the keys are there", set.Ready)
	release := make(chan struct{})
	defer close(release)
	i.answers(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	time.Sleep(o.Pause)
	known := by(t, jwt.SigningMethodES256, ecKey, "key", nil)
	unknown := by(t, jwt.SigningMethodES256, strangers, "strange", nil)
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() { mustFail(t, v, unknown, auth.ErrUnavailable) })
	}
	begin := time.Now()
	for range 100 {
		mustPass(t, v, known)
	}
	held := time.Since(begin)
	all.Wait()
	if n := i.fetches.Load(); n > 2 {
		t.Errorf("%d fetches at a time", n-1)
	}
	t.Logf("100 tokens of a known key took %v while 1,000 of unknown ones waited", held)
}

func TestKeySetURL(t *testing.T) {
	for address, good := range map[string]bool{
		"https://issuer.test/keys": true, "http://127.0.0.1:1/keys": true, "http://localhost/keys": true, "http://[::1]:1/": true,
		"http://issuer.test/keys": false, "http://127.0.0.1.issuer.test/": false, "ftp://127.0.0.1/": false, "": false, "keys": false,
		"https:///keys": false, "https://user:pass@issuer.test/": false, "https://\x00": false, "file:///etc/passwd": false,
	} {
		_, err := auth.NewKeySet(auth.KeySetOptions{URL: address})
		if (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
		if err != nil && strings.Contains(err.Error(), "pass@") {
			t.Errorf("the password is told: %v", err)
		}
	}
}

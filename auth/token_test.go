package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"testing"
	"time"

	"parley/auth"
)

// Tokens are assembled here by hand, from RFC 7515 and 7519, so that the tests don't
// trust the library that the package uses.

const headerHS256 = `{"alg":"HS256","typ":"JWT"}`

var (
	testSecret  = []byte("a secret for tests, 32 bytes long")
	otherSecret = []byte("another secret, also 32 bytes long")
)

type claims map[string]any

func encode(segment []byte) string { return base64.RawURLEncoding.EncodeToString(segment) }

func hs256(signed string, secret []byte) []byte { return sum(sha256.New, signed, secret) }

func hs384(signed string, secret []byte) []byte { return sum(sha512.New384, signed, secret) }

func hs512(signed string, secret []byte) []byte { return sum(sha512.New, signed, secret) }

func sum(algorithm func() hash.Hash, signed string, secret []byte) []byte {
	mac := hmac.New(algorithm, secret)
	mac.Write([]byte(signed))
	return mac.Sum(nil)
}

// compact signs any header and payload, JSON or not, by HS256.
func compact(header, payload string, secret []byte) string {
	return compactBy(hs256, header, payload, secret)
}

func compactBy(sign func(string, []byte) []byte, header, payload string, secret []byte) string {
	signed := encode([]byte(header)) + "." + encode([]byte(payload))
	return signed + "." + encode(sign(signed, secret))
}

func (c claims) json(t testing.TB) string {
	t.Helper()
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

// with returns good claims changed by others; a nil value removes one.
func with(changes claims) claims {
	good := claims{"sub": "ada", "exp": inSeconds(3600)}
	for name, value := range changes {
		if good[name] = value; value == nil {
			delete(good, name)
		}
	}
	return good
}

func inSeconds(seconds int64) int64 { return time.Now().Unix() + seconds }

func token(t testing.TB, changes claims) string {
	t.Helper()
	return compact(headerHS256, with(changes).json(t), testSecret)
}

func newVerifier(t testing.TB, options auth.Options) auth.Verifier {
	t.Helper()
	verifier, err := auth.NewHS256Verifier(testSecret, options)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

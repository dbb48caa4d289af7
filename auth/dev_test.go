package auth_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/auth"
)

func mustEqual(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func newSigner(t testing.TB) *auth.Signer {
	t.Helper()
	signer, err := auth.NewSigner(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestSign(t *testing.T) {
	for _, test := range []struct{ name, user, given, want string }{
		{"user and name", "ada", "Ada L.", "Ada L."},
		{"user only", "ada", "", "ada"},
		{"longest of both", strings.Repeat("u", auth.MaxUserIDBytes), strings.Repeat("ü", auth.MaxNameLength), strings.Repeat("ü", auth.MaxNameLength)},
		{"any script", "アダ <\"&>", "アダ\u2028", "アダ"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				token, err := newSigner(t).Sign(test.user, test.given)
				if err != nil {
					t.Fatal(err)
				}
				viewer, err := newVerifier(t, auth.Options{}).Verify(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}
				if viewer.TokenID == "" {
					t.Error("no token id")
				}
				mustEqual(t, &auth.Viewer{ID: test.user, Name: test.want, TokenID: viewer.TokenID,
					IssuedAt: time.Now().Local(), Expires: time.Now().Add(auth.DevTokenLifetime + auth.Leeway).Local()}, viewer)
			})
		})
	}
	for name, identity := range map[string][2]string{
		"no user":            {"", "Ada"},
		"user too long":      {strings.Repeat("u", auth.MaxUserIDBytes+1), ""},
		"user like a room":   {"r_1", ""},
		"user with newline":  {"a\nb", ""},
		"user not UTF-8":     {"a\xff", ""},
		"user with U+FFFD":   {"a\ufffd", ""},
		"name too long":      {"ada", strings.Repeat("n", auth.MaxNameLength+1)},
		"name with a tab":    {"ada", "A\tda"},
		"name not UTF-8":     {"ada", "A\xff"},
		"name with C1 codes": {"ada", "A\u0085"},
	} {
		t.Run(name, func(t *testing.T) {
			token, err := newSigner(t).Sign(identity[0], identity[1])
			if token != "" || !errors.Is(err, auth.ErrBadIdentity) {
				t.Errorf("Sign = %q, %v; want ErrBadIdentity", token, err)
			}
		})
	}
	t.Run("each token has an id of its own", func(t *testing.T) {
		signer := newSigner(t)
		first, err1 := signer.Sign("ada", "")
		second, err2 := signer.Sign("ada", "")
		if err1 != nil || err2 != nil || first == second {
			t.Errorf("errors %v, %v; equal: %v", err1, err2, first == second)
		}
	})
}

func signIn(t *testing.T, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	got := httptest.NewRecorder()
	auth.DevSignIn(newSigner(t), newOrigins(t, true)).ServeHTTP(got, r)
	return got
}

func post(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/dev/token", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func TestDevSignIn(t *testing.T) {
	longest := strings.Repeat(`\u00e9`, 64)
	for _, test := range []struct{ name, body, user, display string }{
		{"user and name", `{"user":"ada","name":"Ada"}`, "ada", "Ada"},
		{"user only", `{"user":"ada"}`, "ada", "ada"},
		{"name null", `{"user":"ada","name":null}`, "ada", "ada"},
		{"unknown field", `{"user":"ada","role":"root"}`, "ada", "ada"},
		{"white space around", " {\"user\":\"ada\"}\n", "ada", "ada"},
		{"the longest, all escaped", `{"user":"` + longest + `","name":"` + strings.Repeat(`\ud83d\ude00`, 120) + `"}`,
			strings.Repeat("é", 64), strings.Repeat("😀", 120)},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := signIn(t, post(test.body))
			if got.Code != http.StatusOK {
				t.Fatalf("%d %s", got.Code, got.Body)
			}
			mustEqual(t, http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}, got.Header())
			var answer map[string]string
			if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil || len(answer) != 1 {
				t.Fatalf("body %s: %v", got.Body, err)
			}
			viewer, err := newVerifier(t, auth.Options{}).Verify(t.Context(), answer["token"])
			if err != nil {
				t.Fatal(err)
			}
			if viewer.ID != test.user || viewer.Name != test.display {
				t.Errorf("signed in as %q, %q", viewer.ID, viewer.Name)
			}
		})
	}
	t.Run("charset", func(t *testing.T) {
		r := post(`{"user":"ada"}`)
		r.Header.Set("Content-Type", "Application/JSON; charset=utf-8")
		if got := signIn(t, r); got.Code != http.StatusOK {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
}

func TestDevSignInBadInput(t *testing.T) {
	for name, body := range map[string]string{
		"empty": "", "not JSON": "user=ada", "cut": `{"user":"ada"`, "more behind": `{"user":"ada"}{}`,
		"null": "null", "list": `["ada"]`, "string": `"ada"`, "no user": `{}`, "user null": `{"user":null}`,
		"user empty": `{"user":""}`, "user a number": `{"user":7}`, "name a number": `{"user":"ada","name":7}`,
		"user like a message": `{"user":"m_1"}`, "user too long": `{"user":"` + strings.Repeat("u", 129) + `"}`,
		"user with control": `{"user":"\u0000"}`, "user lone surrogate": `{"user":"\ud800"}`, "user not UTF-8": "{\"user\":\"\xff\"}",
		"name too long": `{"user":"ada","name":"` + strings.Repeat("n", 121) + `"}`, "name with newline": `{"user":"ada","name":"a\nb"}`,
	} {
		t.Run(name, func(t *testing.T) { mustBeError(t, signIn(t, post(body)), http.StatusBadRequest, "BAD_INPUT") })
	}
	t.Run("too large", func(t *testing.T) {
		body := `{"user":"ada","name":"` + strings.Repeat("n", 1<<20) + `"}`
		mustBeError(t, signIn(t, post(body)), http.StatusRequestEntityTooLarge, "BAD_INPUT")
	})
	for _, mediaType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b",
		"application/json-patch+json", "text/plain; application/json", "application/json, text/plain", ";"} {
		t.Run("Content-Type "+mediaType, func(t *testing.T) {
			r := post(`{"user":"ada"}`)
			r.Header["Content-Type"] = []string{mediaType}
			mustBeError(t, signIn(t, r), http.StatusUnsupportedMediaType, "BAD_INPUT")
		})
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
		t.Run(method, func(t *testing.T) {
			r := post(`{"user":"ada"}`)
			r.Method = method
			got := signIn(t, r)
			mustBeError(t, got, http.StatusMethodNotAllowed, "BAD_INPUT")
			if allow := got.Header().Get("Allow"); allow != "POST" {
				t.Errorf("Allow: %s", allow)
			}
		})
	}
}

func TestDevSignInOrigin(t *testing.T) {
	request := func(origin, host string) *http.Request {
		r := post(`{"user":"ada"}`)
		r.Header.Set("Origin", origin)
		r.Host = host
		return r
	}
	t.Run("loopback page", func(t *testing.T) {
		if got := signIn(t, request("http://localhost:3000", "127.0.0.1:8080")); got.Code != http.StatusOK {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
	for name, r := range map[string]*http.Request{
		"foreign page": request("https://evil.example", "127.0.0.1:8080"),
		"rebound name": request("http://evil.example:8080", "evil.example:8080"),
		"sandboxed":    request("null", "127.0.0.1:8080"),
	} {
		t.Run(name, func(t *testing.T) { mustBeError(t, signIn(t, r), http.StatusForbidden, "FORBIDDEN") })
	}
}

// FuzzDevSignIn: every answer is a token that verifies or one error with its code.
func FuzzDevSignIn(f *testing.F) {
	f.Add(`{"user":"ada","name":"Ada"}`)
	f.Add(`{"user":"\ud800","name":"\u2028"}`)
	f.Add(`[{`)
	handler, verifier := auth.DevSignIn(newSigner(f), newOrigins(f, true)), newVerifier(f, auth.Options{})
	f.Fuzz(func(t *testing.T, body string) {
		got := httptest.NewRecorder()
		handler.ServeHTTP(got, post(body))
		switch got.Code {
		case http.StatusOK:
			var answer struct{ Token string }
			if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			viewer, err := verifier.Verify(t.Context(), answer.Token)
			if err != nil {
				t.Fatalf("a token of ours is refused: %v", err)
			}
			mustBeSound(t, viewer)
		case http.StatusRequestEntityTooLarge:
			mustBeError(t, got, http.StatusRequestEntityTooLarge, "BAD_INPUT")
		default:
			mustBeError(t, got, http.StatusBadRequest, "BAD_INPUT")
		}
	})
}

package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley/auth"
)

// answer is what a request met: the handler behind, with a viewer, or a refusal.
type answer struct {
	*httptest.ResponseRecorder
	reached bool
	viewer  *auth.Viewer
	err     error // what onError was told
}

func authenticate(t *testing.T, verifier auth.Verifier, r *http.Request) (got answer) {
	t.Helper()
	got.ResponseRecorder = httptest.NewRecorder()
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.reached, got.viewer = true, auth.ViewerFrom(r.Context())
		if w != http.ResponseWriter(got.ResponseRecorder) {
			t.Error("the response writer was wrapped")
		}
	})
	onError := func(_ *http.Request, err error) { got.err = err }
	auth.Authenticate(verifier, onError)(next).ServeHTTP(got.ResponseRecorder, r)
	return got
}

func get(header http.Header) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/graphql", nil)
	for name, values := range header {
		r.Header[name] = values
	}
	return r
}

// kinds of requests that must be treated alike.
var kinds = map[string]http.Header{
	"query":             {"Accept": {"application/json"}},
	"event stream":      {"Accept": {"text/event-stream"}},
	"WebSocket upgrade": {"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {"graphql-transport-ws"}},
}

func TestAuthenticate(t *testing.T) {
	verifier := newVerifier(t, auth.Options{})
	for kind, header := range kinds {
		request := func(authorization ...string) *http.Request {
			r := get(header)
			if authorization != nil {
				r.Header["Authorization"] = authorization
			}
			return r
		}
		t.Run(kind+"/no token", func(t *testing.T) {
			got := authenticate(t, verifier, request())
			if !got.reached || got.viewer != nil || got.err != nil {
				t.Errorf("reached %v, viewer %v, error %v", got.reached, got.viewer, got.err)
			}
		})
		t.Run(kind+"/good token", func(t *testing.T) {
			got := authenticate(t, verifier, request("bearer "+token(t, nil)))
			if !got.reached || got.viewer == nil || got.viewer.ID != "ada" {
				t.Errorf("reached %v, viewer %v", got.reached, got.viewer)
			}
		})
		for name, bad := range map[string][]string{
			"expired":       {"Bearer " + token(t, claims{"exp": inSeconds(-60)})},
			"wrong key":     {"Bearer " + compact(headerHS256, with(nil).json(t), otherSecret)},
			"garbage":       {"Bearer garbage-that-is-long-enough"},
			"empty":         {""},
			"other scheme":  {"Basic YWRhOmxvdmVsYWNl"},
			"two of them":   {"Bearer " + token(t, nil), "Bearer " + token(t, nil)},
			"oversize":      {"Bearer " + strings.Repeat("a", auth.MaxTokenBytes+1)},
			"in quotes":     {`Bearer "` + token(t, nil) + `"`},
			"without a sub": {"Bearer " + token(t, claims{"sub": nil})},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				got := authenticate(t, verifier, request(bad...))
				if got.reached {
					t.Fatal("the request went on")
				}
				if !errors.Is(got.err, auth.ErrBadToken) {
					t.Errorf("onError was told %v", got.err)
				}
				if challenge := got.Header().Get("WWW-Authenticate"); challenge != `Bearer error="invalid_token"` {
					t.Errorf("WWW-Authenticate: %s", challenge)
				}
				message := mustBeError(t, got.ResponseRecorder, http.StatusUnauthorized, "UNAUTHENTICATED")
				mustNotQuote(t, errors.New(message), strings.TrimPrefix(bad[0], "Bearer "))
			})
		}
	}
}

func TestAuthenticateReadsNothingElse(t *testing.T) {
	good := token(t, nil)
	r := httptest.NewRequest(http.MethodGet, "/graphql?token="+good+"&access_token="+good+"&Authorization=Bearer+"+good, nil)
	r.AddCookie(&http.Cookie{Name: "token", Value: good})
	r.AddCookie(&http.Cookie{Name: "Authorization", Value: "Bearer " + good})
	r.Header.Set("Sec-WebSocket-Protocol", "graphql-transport-ws, "+good)
	r.SetBasicAuth("ada", good)
	r.Header.Del("Authorization")
	if got := authenticate(t, newVerifier(t, auth.Options{}), r); !got.reached || got.viewer != nil {
		t.Errorf("reached %v, viewer %v; want an anonymous request", got.reached, got.viewer)
	}
}

type verifierFunc func(context.Context, string) (*auth.Viewer, error)

func (f verifierFunc) Verify(ctx context.Context, token string) (*auth.Viewer, error) {
	return f(ctx, token)
}

func TestAuthenticateWhenNobodyCanTell(t *testing.T) {
	down := errors.New("connection to 10.0.0.7 refused")
	verifier := verifierFunc(func(context.Context, string) (*auth.Viewer, error) { return nil, down })
	got := authenticate(t, verifier, get(http.Header{"Authorization": {"Bearer abc"}}))
	message := mustBeError(t, got.ResponseRecorder, http.StatusServiceUnavailable, "UNAVAILABLE")
	if strings.Contains(message, "10.0.0.7") || got.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("answered %v %s", got.Header(), message)
	}
	if got.reached || !errors.Is(got.err, down) {
		t.Errorf("reached %v, onError was told %v", got.reached, got.err)
	}
}

func TestAuthenticateWithoutOnError(t *testing.T) {
	recorder := httptest.NewRecorder()
	middleware := auth.Authenticate(newVerifier(t, auth.Options{}), nil)
	middleware(http.NotFoundHandler()).ServeHTTP(recorder, get(http.Header{"Authorization": {"nonsense"}}))
	mustBeError(t, recorder, http.StatusUnauthorized, "UNAUTHENTICATED")
}

// mustBeError checks an answer in the shape of a GraphQL error and returns its message.
func mustBeError(t *testing.T, got *httptest.ResponseRecorder, status int, code string) string {
	t.Helper()
	if got.Code != status || got.Header().Get("Content-Type") != "application/json" {
		t.Errorf("status %d, Content-Type %s; want %d, JSON", got.Code, got.Header().Get("Content-Type"), status)
	}
	var body struct {
		Errors []struct {
			Message    string
			Extensions map[string]any
		}
		Data, Token any
	}
	if err := json.Unmarshal(got.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v in %s", err, got.Body)
	}
	if len(body.Errors) != 1 || body.Errors[0].Message == "" || body.Errors[0].Extensions["code"] != code ||
		body.Data != nil || body.Token != nil {
		t.Fatalf("body = %s, want one error %s", got.Body, code)
	}
	return body.Errors[0].Message
}

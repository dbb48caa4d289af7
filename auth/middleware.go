package auth

import (
	"errors"
	"net/http"
)

// Authenticate puts the viewer named by the Authorization header into the context
// of each request. It treats all requests alike, event streams and WebSocket
// upgrades included; browsers can't set headers on the latter, so there the token
// follows in connection_init ([BearerFromPayload]).
//
//   - No Authorization header: the request goes on without a viewer.
//   - [ErrBadToken]: 401 UNAUTHENTICATED with the challenge of RFC 6750 §3.
//   - Any other error of the verifier: 503 UNAVAILABLE.
//
// Errors have the body {"errors":[{"message":…,"extensions":{"code":…}}]}.
// onError, if not nil, is told of each of them, for logs and counters. Put
// [Origins.CORS] around this middleware, so that pages may read its refusals.
func Authenticate(verifier Verifier, onError func(*http.Request, error)) func(http.Handler) http.Handler {
	if onError == nil {
		onError = func(*http.Request, error) {}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			viewer, err := viewerOfRequest(verifier, r)
			switch {
			case err == nil:
				next.ServeHTTP(w, r.WithContext(WithViewer(r.Context(), viewer)))
			case errors.Is(err, ErrNoToken):
				next.ServeHTTP(w, r)
			default:
				onError(r, err)
				refuseRequest(w, err)
			}
		})
	}
}

func viewerOfRequest(verifier Verifier, r *http.Request) (*Viewer, error) {
	token, err := BearerFromHeader(r.Header)
	if err != nil {
		return nil, err
	}
	return verifier.Verify(r.Context(), token)
}

func refuseRequest(w http.ResponseWriter, err error) {
	if !errors.Is(err, ErrBadToken) {
		w.Header().Set("Retry-After", "1")
		writeError(w, http.StatusServiceUnavailable, codeUnavailable, ErrUnavailable.Error())
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	writeError(w, http.StatusUnauthorized, codeUnauthenticated, err.Error())
}

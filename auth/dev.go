package auth

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
)

// maxSignInBytes holds the longest user and name with every character escaped.
const maxSignInBytes = 4 << 10

// DevSignIn answers POST /dev/token with {"user":"ada","name":"Ada"} by
// {"token":"…"}: whoever asks is whoever they say. It is for development only.
//
// The body must be application/json (415 otherwise): a foreign page can't send that
// without a preflight (Fetch Standard §2.2.2, "CORS-safelisted request-header").
// Because this handler gives authority to callers who bring none, it asks origins
// itself as well (403), which stops DNS rebinding. Bad input is 400, an oversize
// body 413, another method 405, each with a GraphQL-shaped body. Unknown fields are
// ignored.
func DevSignIn(signer *Signer, origins *Origins) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			writeError(w, http.StatusMethodNotAllowed, codeBadInput, "only POST is answered here")
		case !origins.Allowed(r):
			refuseOrigin(w)
		case !isJSON(r):
			writeError(w, http.StatusUnsupportedMediaType, codeBadInput, "Content-Type must be application/json")
		default:
			signIn(signer, w, r)
		}
	})
}

func signIn(signer *Signer, w http.ResponseWriter, r *http.Request) {
	request, err := readSignIn(w, r)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		writeError(w, http.StatusRequestEntityTooLarge, codeBadInput, "the body is too large")
		return
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, codeBadInput, `the body must be JSON like {"user":"ada","name":"Ada"}`)
		return
	}
	token, err := signer.Sign(request.User, request.Name)
	switch {
	case err == nil:
		w.Header().Set("Cache-Control", "no-store") // RFC 6750 §5.3
		writeJSON(w, http.StatusOK, map[string]string{"token": token})
	case errors.Is(err, ErrBadIdentity):
		writeError(w, http.StatusBadRequest, codeBadInput, err.Error())
	default:
		writeError(w, http.StatusInternalServerError, codeInternal, "no token could be signed")
	}
}

type signInRequest struct {
	User string `json:"user"`
	Name string `json:"name"`
}

// readSignIn reads one JSON object and nothing behind it.
func readSignIn(w http.ResponseWriter, r *http.Request) (request signInRequest, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSignInBytes))
	if err != nil {
		return request, err
	}
	err = json.Unmarshal(body, &request)
	return request, err
}

func isJSON(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}

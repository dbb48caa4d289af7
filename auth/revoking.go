package auth

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// maxRevocationBytes holds the longest id with every character escaped.
const maxRevocationBytes = 4 << 10

// RevokeHandler lets operators revoke: POST with {"user":"ada"} takes back all tokens that the user
// has been issued so far, with {"token":"<jti>"} one; the answer is 200 with what was recorded.
// GET answers {"count":n}.
//
// It asks for no credentials, so it belongs on an address that only operators reach. The body must
// be application/json, which a web page can't send without a preflight, and nothing is taken from a
// page at all (403). Bad input is 400, a full list 507, a store that doesn't answer 503.
func RevokeHandler(revocations *Revocations, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Origin") != "":
			refuseOrigin(w)
		case r.Method == http.MethodGet:
			writeJSON(w, http.StatusOK, map[string]int{"count": revocations.Len()})
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", "GET, POST")
			writeError(w, http.StatusMethodNotAllowed, codeBadInput, "GET and POST are answered here")
		case !isJSON(r):
			writeError(w, http.StatusUnsupportedMediaType, codeBadInput, "Content-Type must be application/json")
		default:
			revoke(revocations, log, w, r)
		}
	})
}

type revocationText struct {
	User      string     `json:"user,omitempty"`
	Token     string     `json:"token,omitempty"`
	RevokedAt *time.Time `json:"revokedAt,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
}

func revoke(revocations *Revocations, log *slog.Logger, w http.ResponseWriter, r *http.Request) {
	var asked revocationText
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRevocationBytes))
	if err != nil || json.Unmarshal(body, &asked) != nil || asked.RevokedAt != nil || asked.Until != nil {
		writeError(w, http.StatusBadRequest, codeBadInput, `the body must be JSON like {"user":"ada"} or {"token":"<jti>"}`)
		return
	}
	made, err := revocations.Revoke(r.Context(), Revocation{User: asked.User, Token: asked.Token})
	switch {
	case errors.Is(err, ErrBadIdentity):
		writeError(w, http.StatusBadRequest, codeBadInput, err.Error())
	case errors.Is(err, ErrRevocationsFull):
		log.ErrorContext(r.Context(), "a revocation isn't kept", "error", err)
		writeError(w, http.StatusInsufficientStorage, codeLimitExceeded, err.Error())
	case err != nil:
		log.ErrorContext(r.Context(), "a revocation isn't kept", "error", err)
		w.Header().Set("Retry-After", "1")
		writeError(w, http.StatusServiceUnavailable, codeUnavailable, "the store can't answer now; try again")
	default:
		done := revocationText{User: made.User, Token: made.Token, RevokedAt: &made.At}
		if !made.Until.IsZero() {
			done.Until = &made.Until
		}
		writeJSON(w, http.StatusOK, done)
	}
}

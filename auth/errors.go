package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// The ways a caller can fail to be known. Their texts, and those of the errors
// that wrap them, are fit for the caller's eyes and never contain any of the token.
var (
	// ErrNoToken: no token was sent. The caller is anonymous, not refused.
	ErrNoToken = errors.New("no token was sent")
	// ErrBadToken: what was sent is not a token that this server accepts. It
	// covers [ErrExpired].
	ErrBadToken = errors.New("the token is refused")
	// ErrExpired: the token was good once.
	ErrExpired = fmt.Errorf("%w: it has expired", ErrBadToken)
	// ErrUnavailable: the token can't be judged now. It may be good; try again.
	ErrUnavailable = errors.New("the token can't be checked now, try again")
	// ErrOtherUser: the token is good, but another user's than the connection's.
	ErrOtherUser = errors.New("the token is another user's")
	// ErrNoConnection: a token was sent to refresh a connection, by a request of its own.
	ErrNoConnection = errors.New("there is no connection here to refresh: send this over its WebSocket, or the token with the next request")
	// ErrBadIdentity: the user or the name can't be put into a token.
	ErrBadIdentity = errors.New("this identity is refused")
)

// Codes of the schema's enum ErrorCode that this package answers with.
const (
	codeBadInput        = "BAD_INPUT"
	codeForbidden       = "FORBIDDEN"
	codeInternal        = "INTERNAL"
	codeLimitExceeded   = "LIMIT_EXCEEDED"
	codeUnauthenticated = "UNAUTHENTICATED"
	codeUnavailable     = "UNAVAILABLE"
)

// writeError answers with one error in the shape of a GraphQL response.
func writeError(w http.ResponseWriter, status int, code, message string) {
	type extensions struct {
		Code string `json:"code"`
	}
	type graphQLError struct {
		Message    string     `json:"message"`
		Extensions extensions `json:"extensions"`
	}
	writeJSON(w, status, struct {
		Errors []graphQLError `json:"errors"`
	}{[]graphQLError{{message, extensions{code}}}})
}

// writeJSON answers with a value made of strings, numbers and times, which always marshals.
func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// It fails only when the caller has gone: nobody is left to be told.
	_ = json.NewEncoder(w).Encode(value)
}

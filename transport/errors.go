package transport

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/ratelimit"
)

// ErrTryLater is wrapped by errors of [Options.Authenticate] that are not the client's fault: the
// token can't be checked now.
var ErrTryLater = errors.New("transport: try again later")

// Codes of the schema's enum ErrorCode that transports answer with by themselves, or know a status for.
const (
	CodeBadInput        = "BAD_INPUT"
	CodeConflict        = "CONFLICT"
	CodeForbidden       = "FORBIDDEN"
	CodeInternal        = "INTERNAL"
	CodeLimitExceeded   = "LIMIT_EXCEEDED"
	CodeNotFound        = "NOT_FOUND"
	CodeRateLimited     = "RATE_LIMITED"
	CodeUnauthenticated = "UNAUTHENTICATED"
	CodeUnavailable     = "UNAVAILABLE"
)

func errorList(code, message string) gqlerror.List {
	return gqlerror.List{{Message: message, Extensions: map[string]any{"code": code}}}
}

// tooOften are the errors of what a limit refused.
func tooOften(wait time.Duration) gqlerror.List {
	errs := errorList(CodeRateLimited, "too often: come back when retryAfter, in seconds, is over")
	errs[0].Extensions["retryAfter"] = ratelimit.Seconds(wait)
	return errs
}

// charged returns the errors of an operation that its client may not start now; nil if it may.
func (s *Service) charged(ctx context.Context) gqlerror.List {
	if s.options.Charge == nil {
		return nil
	}
	err := s.options.Charge(ctx)
	if wait, ok := ratelimit.RetryAfter(err); ok {
		return tooOften(wait)
	}
	if err != nil {
		return errorList(CodeUnavailable, "this can't be judged now, please try again")
	}
	return nil
}

// AsErrors returns the GraphQL errors that tell of the reason where there are no close codes; nil
// where nothing needs to be said.
func (r Reason) AsErrors() gqlerror.List {
	switch r.ErrorCode {
	case "":
		return nil
	case CodeRateLimited:
		return tooOften(busy)
	}
	return errorList(r.ErrorCode, r.Text)
}

// Refusal is an HTTP request that isn't served: the status, and one GraphQL error as the body.
type Refusal struct {
	// Status is the HTTP status.
	Status int
	// Code is the error's code, Message its text, for the client's eyes.
	Code, Message string
	// Allow lists the methods that would do; only for 405.
	Allow string
	// RetryAfter is in seconds; 0 for none.
	RetryAfter int
}

// Write answers the request. The connection is closed where a part of the request may be unread.
func (f *Refusal) Write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", mediaJSON+charsetUTF8)
	if f.Allow != "" {
		h.Set("Allow", f.Allow)
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	errs := errorList(f.Code, f.Message)
	if f.Code == CodeRateLimited {
		errs[0].Extensions["retryAfter"] = f.RetryAfter
	}
	w.WriteHeader(f.Status)
	// It fails only when the caller has gone: nobody is left to be told.
	_, _ = w.Write(marshal(requestErrors{errs}))
}

// refuseDraining answers while the node stops.
func refuseDraining() *Refusal {
	return &Refusal{Status: http.StatusServiceUnavailable, Code: CodeUnavailable,
		Message: "this node is about to stop, please try again", RetryAfter: 1}
}

// marshal encodes a value made of what encoding/json knows. Extensions may hold anything: if they
// don't marshal, the error is all that can be said.
func marshal(v any) []byte {
	encoded, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"errors":[{"message":"the response can't be encoded","extensions":{"code":"` + CodeInternal + `"}}]}`)
	}
	return encoded
}

// RefuseOrigin answers a page that may not talk to this server.
func RefuseOrigin() *Refusal {
	return &Refusal{Status: http.StatusForbidden, Code: CodeForbidden, Message: "this origin is not allowed"}
}

// EncodeErrors encodes errors as a JSON array.
func EncodeErrors(errors gqlerror.List) []byte {
	encoded, err := json.Marshal(errors)
	if err != nil { // extensions may hold anything
		encoded, _ = json.Marshal(errorList(CodeInternal, "the errors can't be encoded"))
	}
	return encoded
}

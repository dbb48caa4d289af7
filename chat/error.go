package chat

import (
	"errors"
	"fmt"
	"time"
)

// Code is what an error means to a client; it appears as extensions.code.
type Code string

// The codes. The same set, with the same words, is the schema's enum ErrorCode.
const (
	// Unauthenticated: nobody is signed in, or the token isn't good.
	Unauthenticated Code = "UNAUTHENTICATED"
	// Forbidden: signed in, sees the thing, may not do this to it.
	Forbidden Code = "FORBIDDEN"
	// NotFound: there is no such thing, as far as this viewer may know.
	NotFound Code = "NOT_FOUND"
	// BadInput: the request can't be understood or breaks a stated bound.
	BadInput Code = "BAD_INPUT"
	// Conflict: it can't be done to the thing as it now is.
	Conflict Code = "CONFLICT"
	// RateLimited: too often; come back later.
	RateLimited Code = "RATE_LIMITED"
	// LimitExceeded: more of something than the server keeps or serves.
	LimitExceeded Code = "LIMIT_EXCEEDED"
	// HistoryLost: the cursor's history is gone; start again from a page.
	HistoryLost Code = "HISTORY_LOST"
	// Unavailable: the store can't answer now; the same request is safe to repeat later.
	Unavailable Code = "UNAVAILABLE"
	// Internal: our fault; details are in the log, not in the answer.
	Internal Code = "INTERNAL"
)

// Error is an error that a client may see.
type Error struct {
	Code Code
	// Message is for people, and says nothing internal.
	Message string
	// Field is the input field at fault, where there is one.
	Field string
	// RetryAfter is, with RATE_LIMITED, when the same would be covered.
	RetryAfter time.Duration
	// Cause is for our logs only.
	Cause error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

func (e *Error) Unwrap() error { return e.Cause }

// Is makes errors.Is(err, &Error{Code: c}) ask for the code alone.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Message == "" && t.Field == ""
}

// Errorf returns an Error with a code and a message for people.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// InField names the input field at fault.
func (e *Error) InField(field string) *Error {
	e.Field = field
	return e
}

// CodeOf returns the code of an error, Internal for one that has none, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

package transport

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// The status of a response says what became of the operation, for those on the way who don't read
// the body. There are two books of rules: the one that graphql-http's audits check, in which
// [mediaJSON] is always 200, and the draft of August 2026 ([Options.Draft2026]), which has more
// statuses and the same for both media types.

// statusPartial says that a response has data and errors (draft of August 2026, §6.4).
const statusPartial = 294

// errSyntax marks the errors of a document that can't be parsed.
var errSyntax = errors.New("transport: the document can't be parsed")

// markSyntax marks what was presented of a document's errors if they are a parser's.
func markSyntax(presented, original gqlerror.List) gqlerror.List {
	for i, err := range original {
		if i < len(presented) && err.Extensions["code"] == errcode.ParseFailed {
			presented[i].Err = errors.Join(errSyntax, presented[i].Err)
		}
	}
	return presented
}

// responseStatus returns the status of a response, and the media type to send it with: the draft
// has failures say that they are GraphQL's own, whatever the client takes.
func (s *Service) responseStatus(response *graphql.Response, media string) (int, string) {
	executed := response.Data != nil || len(response.Errors) == 0
	switch {
	case media == mediaJSON && (executed || !s.options.Draft2026):
		return http.StatusOK, media
	case !executed:
		return s.failureStatus(response.Errors[0]), mediaResponse
	case s.options.Draft2026 && len(response.Errors) > 0:
		return statusPartial, media
	}
	return http.StatusOK, media
}

// failureStatuses are those of failures that aren't the document's.
var failureStatuses = map[string]int{
	CodeInternal:        http.StatusInternalServerError,
	CodeUnavailable:     http.StatusServiceUnavailable,
	CodeRateLimited:     http.StatusTooManyRequests,
	CodeUnauthenticated: http.StatusUnauthorized,
	CodeForbidden:       http.StatusForbidden,
}

// failureStatus is the status of an operation that wasn't executed, or of whose execution nothing
// is left.
func (s *Service) failureStatus(err *gqlerror.Error) int {
	status, known := failureStatuses[fmt.Sprint(err.Extensions["code"])]
	switch {
	case known:
		return status
	case s.options.Draft2026 && !errors.Is(err, errSyntax):
		return http.StatusUnprocessableEntity
	}
	return http.StatusBadRequest
}

// malformedStatus is the status of a request that holds no operation.
func (s *Service) malformedStatus(err error) int {
	if _, ok := errors.AsType[unreadable](err); ok || !s.options.Draft2026 {
		return http.StatusBadRequest
	}
	return http.StatusUnprocessableEntity
}

package transport

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"parley/ratelimit"
)

const ticketParameter = "ticket"

// ShowsTicket reports whether a request has a ticket in its URL, which stands for the token and the
// operation.
func ShowsTicket(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.URL.RawQuery, ticketParameter) && r.URL.Query().Has(ticketParameter)
}

// Redeem returns the operation that a request's ticket opens, and the context of its connection.
func (s *Service) Redeem(r *http.Request) (context.Context, *graphql.RawParams, *Refusal) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case err != nil || len(query) != 1 || len(query[ticketParameter]) != 1:
		return nil, nil, s.badRequest(errors.New("a ticket stands alone in the query string: it names the operation and its variables"))
	case r.Header.Get("Authorization") != "":
		return nil, nil, s.badRequest(errors.New("a ticket stands for a token: send one of them"))
	case s.options.Redeem == nil:
		return nil, nil, s.badRequest(errors.New("there are no tickets here"))
	}
	ctx, params, err := s.options.Redeem(r.Context(), query.Get(ticketParameter))
	wait, limited := ratelimit.RetryAfter(err)
	switch {
	case limited:
		return nil, nil, &Refusal{Status: http.StatusTooManyRequests, Code: CodeRateLimited,
			Message: "too often, please wait", RetryAfter: ratelimit.WholeSeconds(wait)}
	case errors.Is(err, ErrTryLater):
		return nil, nil, &Refusal{Status: http.StatusServiceUnavailable, Code: CodeUnavailable,
			Message: "the ticket can't be checked now, try again", RetryAfter: 1}
	case err != nil:
		return nil, nil, &Refusal{Status: http.StatusUnauthorized, Code: CodeUnauthenticated, Message: err.Error()}
	}
	return ctx, params, nil
}

package transport

import (
	"math"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Some operations of a connection's client come by other ways than the connection, where they are charged and
// counted. What follows is for those.

// Carry serves a subscription that was accepted elsewhere. Its end by the server is told to end, without errors a plain
// one, and not to the client, whom only [Conn.Conclude] tells. An id under way is left alone: it reports false.
func (c *Conn) Carry(id string, params *graphql.RawParams, end func(gqlerror.List)) bool {
	c.mu.Lock()
	known := c.operations.get(id)
	if c.closing || known != nil && known.state == operationRuns {
		c.mu.Unlock()
		return false
	}
	if known != nil {
		c.answered.Add(-1)
	}
	o, ctx := c.place(id)
	o.end = end
	c.mu.Unlock()
	started := c.crew.Work(&c.service.workers, func() {
		defer c.recoverFault()
		defer o.hasRun()
		call, errs := c.service.prepare(ctx, c.executor, params)
		if errs == nil && call.Type() != ast.Subscription {
			errs = errorList(CodeInternal, "only subscriptions are carried")
		}
		if errs != nil {
			o.finish(errs)
			return
		}
		o.open(ctx, call)
	})
	if !started {
		o.hasRun()
	}
	return true
}

// Conclude sends the end of an operation, be it carried or one that ran elsewhere, behind what it has told.
func (c *Conn) Conclude(id string, frame []byte) {
	c.crew.Do(func() {
		c.mu.Lock()
		o := c.operations.get(id)
		if o == nil || o.state != operationRuns {
			if o != nil {
				c.answered.Add(-1)
			}
			o, _ = c.place(id)
		}
		c.mu.Unlock()
		o.hasRun()
		o.answer(frame)
		c.boundAnswers()
	})
}

// Charge charges a request that isn't an operation itself to its client, or answers it: 429, or 503 where that can't be
// judged.
func (s *Service) Charge(w http.ResponseWriter, r *http.Request) bool {
	errs := s.charged(r.Context())
	if errs == nil {
		return true
	}
	RefusalOf(errs).Write(w)
	return false
}

// RefusalOf returns, for the errors of an operation that its client may not start now, the refusal of a request; nil
// for any other errors.
func RefusalOf(errs gqlerror.List) *Refusal {
	if len(errs) == 0 {
		return nil
	}
	wait, limited := errs[0].Extensions["retryAfter"].(float64)
	switch {
	case limited:
		return &Refusal{Status: http.StatusTooManyRequests, Code: CodeRateLimited, Message: errs[0].Message,
			RetryAfter: int(math.Ceil(wait))}
	case errs[0].Extensions["code"] == CodeUnavailable:
		return &Refusal{Status: http.StatusServiceUnavailable, Code: CodeUnavailable, Message: errs[0].Message, RetryAfter: 1}
	}
	return nil
}

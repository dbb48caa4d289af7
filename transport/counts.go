package transport

import (
	"context"
	"errors"
	"net/http"
	"time"

	"parley/ratelimit"
)

// busy is when one who finds no room may try again.
const busy = 5 * time.Second

// Vacant reports whether one more connection of the client that ctx names may be opened; else it
// answers the request itself: 429 with RATE_LIMITED, or 503 where the whole node is full.
func (s *Service) Vacant(ctx context.Context, w http.ResponseWriter) bool {
	if s.options.Counts == nil {
		return true
	}
	err := s.options.Counts.Full(ctx)
	if err == nil {
		return true
	}
	refusal := &Refusal{Status: http.StatusServiceUnavailable, Code: CodeUnavailable,
		Message: "this node has too many connections, please try again", RetryAfter: ratelimit.WholeSeconds(busy)}
	if wait, ok := ratelimit.RetryAfter(err); ok && !errors.Is(err, ErrTryLater) {
		refusal = &Refusal{Status: http.StatusTooManyRequests, Code: CodeRateLimited,
			Message: "you have too many connections already", RetryAfter: ratelimit.WholeSeconds(wait)}
	}
	refusal.Write(w)
	return false
}

// enter counts the connection.
func (c *Conn) enter(ctx context.Context) (err error) {
	if counts := c.service.options.Counts; counts != nil {
		err = counts.Enter(ctx)
	}
	return err
}

// enterUser counts the connection for its user, and closes it where these have too many.
func (c *Conn) enterUser(ctx context.Context) bool {
	counts := c.service.options.Counts
	if counts == nil {
		return true
	}
	if counts.EnterUser(ctx) != nil {
		c.Close(ReasonTooMany)
		return false
	}
	c.ofUser = true
	return true
}

// leaveCounts counts the connection no more.
func (c *Conn) leaveCounts() {
	counts := c.service.options.Counts
	if counts == nil {
		return
	}
	counts.Leave(c.base)
	if c.ofUser {
		counts.LeaveUser(c.Context())
	}
}

// Frame counts a frame of the peer's, whichever it is: a flood of them is a [Reason].
func (c *Conn) Frame() error {
	options := &c.service.options
	err := c.frames.Take(time.Now(), ratelimit.Cost{Name: "frames_connection", Limit: options.Frames})
	if options.Refusals.Count(err) != nil {
		return ReasonFlood
	}
	return nil
}

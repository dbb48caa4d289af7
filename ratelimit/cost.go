package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Cost is what one doing costs of one rate.
type Cost struct {
	// Name is the limit's, for people and metrics: one of a few constants.
	Name string
	// Key names whose rate it is. The same key always goes with the same name.
	Key string
	// Limit is the rate allowed.
	Limit Limit
	// N is how many doings are paid for; 0 means 1.
	N int
}

// Times is N with its default.
func (c Cost) Times() int { return max(1, c.N) }

// Exceeded says that a doing would go beyond a limit. Nothing was charged.
type Exceeded struct {
	// Name is the limit's.
	Name string
	// RetryAfter is the time after which the doing would be covered, if nobody else comes first.
	RetryAfter time.Duration
}

func (e *Exceeded) Error() string {
	return fmt.Sprintf("ratelimit: %s: come back in %v", e.Name, e.RetryAfter)
}

// RetryAfter returns how long an error that is an [Exceeded] asks to wait; false for others.
func RetryAfter(err error) (time.Duration, bool) {
	if e, ok := errors.AsType[*Exceeded](err); ok {
		return e.RetryAfter, true
	}
	return 0, false
}

// Seconds is a wait as clients are told it: in seconds, rounded up to milliseconds.
func Seconds(wait time.Duration) float64 { return math.Ceil(float64(wait)/1e6) / 1e3 }

// WholeSeconds is a wait as a Retry-After header tells it (RFC 9110 §10.2.3), rounded up.
func WholeSeconds(wait time.Duration) int { return int(math.Ceil(wait.Seconds())) }

// Store keeps rates for all nodes that share it, by its own clock. What is kept of a rate goes away
// by itself once the rate is as good as unused, a day at the latest.
type Store interface {
	// Take charges a cost in one atomic step, or answers with an *[Exceeded]. An error wrapping
	// eventlog.ErrUnavailable says that the store can't answer now.
	Take(ctx context.Context, cost Cost) error
}

package ratelimit

import "time"

// Meter is the state of one rate. The zero Meter is unused; it isn't safe for concurrent use.
type Meter struct{ tat int64 }

// Take charges a cost, or returns an *[Exceeded].
func (m *Meter) Take(now time.Time, c Cost) error {
	if c.Limit.Unlimited() {
		return nil
	}
	after, wait := c.Limit.next(m.tat, now.UnixMicro(), c.Times())
	if wait > 0 {
		return exceeded(c, wait)
	}
	m.tat = after
	return nil
}

func exceeded(c Cost, wait int64) error {
	return &Exceeded{Name: c.Name, RetryAfter: time.Duration(wait) * time.Microsecond}
}

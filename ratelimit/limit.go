// Package ratelimit is the arithmetic of limits: how often something may happen ([Limit], judged by
// the generic cell rate algorithm), what one doing costs ([Cost]), and how many of something may be
// there at a time ([Counts]). Where the state of a rate is kept is decided by who keeps it: a
// [Meter] is one rate, a [Table] and a [Limiter] are many in memory, a [Store] is all nodes'.
package ratelimit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limit is a rate: Count in each Period in the long run, of which up to Burst may come at once. The
// zero Limit bounds nothing.
type Limit struct {
	Count  int
	Period time.Duration
	Burst  int
}

// maxRefill bounds how long a limit takes to be as good as unused. Nothing is remembered for
// longer, and the microseconds fit into the numbers of Lua.
const maxRefill = 24 * time.Hour

// ParseLimit reads a limit: "10/s burst 50", "600/m", "1/10s burst 5", or "off" for none. Without a
// burst it is the count.
func ParseLimit(text string) (Limit, error) {
	if text == "off" {
		return Limit{}, nil
	}
	rate, burst, bursts := strings.Cut(text, " burst ")
	count, period, ok := strings.Cut(rate, "/")
	if !ok {
		return Limit{}, fmt.Errorf("%q isn't a rate like \"10/s burst 50\", nor \"off\"", text)
	}
	var l Limit
	var err error
	if l.Count, err = strconv.Atoi(count); err != nil || l.Count < 1 {
		return Limit{}, fmt.Errorf("%q isn't a positive number of times", count)
	}
	if l.Period, err = parsePeriod(period); err != nil {
		return Limit{}, err
	}
	if l.Burst = l.Count; bursts {
		if l.Burst, err = strconv.Atoi(burst); err != nil || l.Burst < 1 {
			return Limit{}, fmt.Errorf("%q isn't a positive burst", burst)
		}
	}
	return l, l.check()
}

// parsePeriod reads "s", "m" and "h", or a duration.
func parsePeriod(text string) (time.Duration, error) {
	if text == "s" || text == "m" || text == "h" {
		text = "1" + text
	}
	period, err := time.ParseDuration(text)
	if err != nil || period <= 0 {
		return 0, fmt.Errorf("%q is neither s, m, h nor a duration like 10s", text)
	}
	return period, nil
}

func (l Limit) check() error {
	if l.Period/time.Duration(l.Count) < time.Microsecond {
		return errors.New("more than one in a microsecond can't be told apart")
	}
	if l.interval() > maxRefill.Microseconds()/int64(l.Burst) {
		return fmt.Errorf("a burst of %d would take longer than %v to be had again", l.Burst, maxRefill)
	}
	return nil
}

// UnmarshalText implements encoding.TextUnmarshaler by [ParseLimit].
func (l *Limit) UnmarshalText(text []byte) (err error) {
	*l, err = ParseLimit(string(text))
	return err
}

// String is the limit as [ParseLimit] reads it.
func (l Limit) String() string {
	if l.Unlimited() {
		return "off"
	}
	period := l.Period.String()
	switch l.Period {
	case time.Second:
		period = "s"
	case time.Minute:
		period = "m"
	case time.Hour:
		period = "h"
	}
	return fmt.Sprintf("%d/%s burst %d", l.Count, period, l.Burst)
}

// Unlimited reports whether the limit bounds nothing.
func (l Limit) Unlimited() bool { return l.Count == 0 }

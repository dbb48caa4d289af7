package ratelimit

import "time"

// The generic cell rate algorithm (ITU-T I.371, annex A: virtual scheduling). All that is remembered
// of a rate is one instant, the theoretical arrival time (tat): when it will be as good as unused.
// Each doing moves it an interval on, and is refused where that would lead further than the burst's
// worth of intervals from now. Instants and durations are whole microseconds, here and in Lua.

// interval is the time that one doing costs.
func (l Limit) interval() int64 { return (l.Period / time.Duration(l.Count)).Microseconds() }

// Spacing is the time that one doing costs, in microseconds, and Depth that of a whole burst: all
// that an engine needs of a limit that isn't [Limit.Unlimited].
func (l Limit) Spacing() int64 { return l.interval() }

// Depth is described with [Limit.Spacing].
func (l Limit) Depth() int64 { return l.interval() * int64(l.Burst) }

// next returns the rate's new state after n doings at once, or, where they are too many, for how
// long to wait until they wouldn't be. More than a burst costs a burst. A clock that goes back makes
// callers wait longer, but not beyond reason: a state more than two bursts ahead counts as unused.
func (l Limit) next(tat, now int64, n int) (after, wait int64) {
	depth := l.Depth()
	if tat < now || tat > now+2*depth {
		tat = now
	}
	after = tat + l.worth(n)
	return after, max(0, after-depth-now)
}

// back returns the rate's state without n doings that were charged at once.
func (l Limit) back(tat int64, n int) int64 { return tat - l.worth(n) }

// worth is what n doings at once cost.
func (l Limit) worth(n int) int64 { return min(l.interval()*int64(n), l.Depth()) }

package sqlite_test

import (
	"sync/atomic"
	"testing"
	"time"

	"parley/ratelimit"
	"parley/store/sqlite"
)

// TestRateClockGoesBack: whoever used up a rate isn't held to a time that the clock has gone back
// from.
func TestRateClockGoesBack(t *testing.T) {
	var offset atomic.Int64
	s := open(t, sqlite.Options{Dir: t.TempDir(), Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }})
	cost := ratelimit.Cost{Name: "test", Key: "k", Limit: ratelimit.Limit{Count: 1, Period: time.Minute, Burst: 2}}
	covered := func() (times int) {
		for s.Take(t.Context(), cost) == nil {
			times++
		}
		return times
	}
	for _, pass := range []time.Duration{0, -time.Hour, 2 * time.Minute} {
		offset.Add(int64(pass))
		if n := covered(); n != 2 {
			t.Errorf("after %v, %d are covered, want a burst of 2", pass, n)
		}
	}
}

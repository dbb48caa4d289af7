package sqlite_test

import (
	"testing"
	"time"

	"parley/ratelimit"
	"parley/store/sqlite"
)

// TestRateClockGoesBack: whoever used up a rate isn't held to a time that the clock has gone back
// from.
func TestRateClockGoesBack(t *testing.T) {
	now := time.Now()
	s := open(t, sqlite.Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	cost := ratelimit.Cost{Name: "test", Key: "k", Limit: ratelimit.Limit{Count: 1, Period: time.Minute, Burst: 2}}
	take := func() error { return s.Take(t.Context(), cost) }
	if take() != nil || take() != nil || take() == nil {
		t.Fatal("a burst of two isn't two")
	}
	now = now.Add(-time.Hour)
	if err := take(); err != nil {
		t.Errorf("an hour earlier: %v", err)
	}
	now = now.Add(time.Minute)
	if take() != nil || take() != nil || take() == nil {
		t.Error("a minute later a burst isn't two")
	}
}

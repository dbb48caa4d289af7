package ratelimit_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/ratelimit"
)

var epoch = time.UnixMilli(1_700_000_000_000)

// bucket is the model: a bucket of tokens that fills by one in each spacing. Of a time before the
// last one it knows nothing new.
type bucket struct {
	limit  ratelimit.Limit
	spent  int64 // microseconds until it is full
	seenAt int64
}

// take reports whether n tokens are there, and how long it takes until they are.
func (b *bucket) take(at int64, n int) (ok bool, wait int64) {
	b.spent = max(0, b.spent-(at-b.seenAt))
	b.seenAt = at
	price := min(b.limit.Spacing()*int64(n), b.limit.Depth())
	if over := b.spent + price - b.limit.Depth(); over > 0 {
		return false, over
	}
	b.spent += price
	return true, 0
}

func drawLimit(t *rapid.T) ratelimit.Limit {
	return ratelimit.Limit{
		Count:  rapid.IntRange(1, 1000).Draw(t, "count"),
		Period: time.Duration(rapid.IntRange(1, 100).Draw(t, "period")) * 10 * time.Millisecond,
		Burst:  rapid.IntRange(1, 20).Draw(t, "burst"),
	}
}

// TestModel: a meter and a table say what a bucket of tokens says, to the microsecond.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := drawLimit(t)
		model, meter, table := bucket{limit: limit}, ratelimit.Meter{}, ratelimit.NewTable(10)
		now := epoch
		model.seenAt = now.UnixMicro()
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 3*limit.Spacing()).Draw(t, "pass")) * time.Microsecond)
			cost := ratelimit.Cost{Name: "test", Key: "k", Limit: limit, N: rapid.IntRange(0, 25).Draw(t, "n")}
			ok, wait := model.take(now.UnixMicro(), cost.Times())
			for name, err := range map[string]error{"meter": meter.Take(now, cost), "table": table.Take(now, cost)} {
				if got, limited := ratelimit.RetryAfter(err); limited == ok || got.Microseconds() != wait {
					t.Fatalf("the %s says %v; the model says %v, %dµs", name, err, ok, wait)
				}
			}
		}
	})
}

// TestRetryAfterIsRight: a moment before, the same is refused; then it is covered.
func TestRetryAfterIsRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := drawLimit(t)
		var meter ratelimit.Meter
		cost := ratelimit.Cost{Limit: limit}
		now := epoch
		for meter.Take(now, cost) == nil {
		}
		wait, _ := ratelimit.RetryAfter(meter.Take(now, cost))
		if err := meter.Take(now.Add(wait-time.Microsecond), cost); err == nil {
			t.Fatalf("covered before %v", wait)
		}
		if err := meter.Take(now.Add(wait), cost); err != nil {
			t.Fatalf("refused after %v: %v", wait, err)
		}
	})
}

// TestClockGoesBack: nobody waits for as long as the clock went back, and a little doesn't make a
// burst anew.
func TestClockGoesBack(t *testing.T) {
	cost := ratelimit.Cost{Key: "k", Limit: ratelimit.Limit{Count: 10, Period: time.Second, Burst: 5}}
	for back, want := range map[time.Duration]time.Duration{
		10 * time.Millisecond: 110 * time.Millisecond, 400 * time.Millisecond: 500 * time.Millisecond, time.Hour: 0,
	} {
		var meter ratelimit.Meter
		for meter.Take(epoch, cost) == nil {
		}
		if wait, _ := ratelimit.RetryAfter(meter.Take(epoch.Add(-back), cost)); wait != want {
			t.Errorf("after the clock went back by %v: come back in %v, want %v", back, wait, want)
		}
	}
}

func TestUnlimited(t *testing.T) {
	var meter ratelimit.Meter
	table := ratelimit.NewTable(1)
	for range 1000 {
		if meter.Take(epoch, ratelimit.Cost{}) != nil || table.Take(epoch, ratelimit.Cost{}) != nil {
			t.Fatal("refused without a limit")
		}
	}
	if table.Len() != 0 {
		t.Errorf("%d keys are remembered without a limit", table.Len())
	}
	if ratelimit.NewLimiter("test", ratelimit.Limit{}, nil).Take("k") != nil {
		t.Error("a limiter without a limit refuses")
	}
}

package ratelimit_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley/ratelimit"
)

var few = ratelimit.Limit{Count: 1, Period: time.Second, Burst: 3}

// TestAllOrNothing: a cost that isn't covered keeps the others from being charged.
func TestAllOrNothing(t *testing.T) {
	table := ratelimit.NewTable(10)
	a, b := ratelimit.Cost{Name: "a", Key: "a", Limit: few}, ratelimit.Cost{Name: "b", Key: "b", Limit: few}
	for range 3 {
		if err := table.Take(epoch, b); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		refused, ok := errors.AsType[*ratelimit.Exceeded](table.Take(epoch, a, b))
		if !ok || refused.Name != "b" {
			t.Fatalf("%v, want b refused", refused)
		}
	}
	for range 3 {
		if err := table.Take(epoch, a); err != nil {
			t.Fatalf("a was charged: %v", err)
		}
	}
}

// TestRefund: what is given back can be had again, and never more than a burst.
func TestRefund(t *testing.T) {
	table, cost := ratelimit.NewTable(10), ratelimit.Cost{Name: "a", Key: "a", Limit: few}
	takes := func(at time.Time, want int) {
		t.Helper()
		n := 0
		for table.Take(at, cost) == nil {
			n++
		}
		if n != want {
			t.Errorf("%d were covered, want %d", n, want)
		}
	}
	table.Refund(epoch, cost) // of what nobody took
	takes(epoch, 3)
	table.Refund(epoch, cost)
	takes(epoch, 1)
	for range 10 {
		table.Refund(epoch, cost)
	}
	if table.Len() != 0 {
		t.Error("a rate as good as unused is remembered")
	}
	takes(epoch, 3)
	later := epoch.Add(2 * time.Second)
	table.Refund(later, cost)
	takes(later, 3)
}

// TestForgets: what is as good as unused goes as others come.
func TestForgets(t *testing.T) {
	table := ratelimit.NewTable(1 << 20)
	most := 0
	for i := range 100_000 {
		at := epoch.Add(time.Duration(i) * 10 * time.Millisecond) // a hundred at a time are remembered for a reason
		if err := table.Take(at, ratelimit.Cost{Key: fmt.Sprint(i), Limit: few}); err != nil {
			t.Fatal(err)
		}
		most = max(most, table.Len())
	}
	if most > 500 {
		t.Errorf("%d keys were remembered", most)
	}
}

// TestBounded: a table full of keys in use takes more keys, and stays as it is in size. Those whose
// rates are used up stay longest.
func TestBounded(t *testing.T) {
	table := ratelimit.NewTable(100)
	flooder := ratelimit.Cost{Key: "flooder", Limit: ratelimit.Limit{Count: 1, Period: time.Minute, Burst: 3}}
	for table.Take(epoch, flooder) == nil {
	}
	for i := range 10_000 {
		if err := table.Take(epoch, ratelimit.Cost{Key: fmt.Sprint(i), Limit: few}); err != nil {
			t.Fatalf("key %d is refused: %v", i, err)
		}
		if table.Len() > 100 {
			t.Fatalf("%d keys", table.Len())
		}
	}
	if table.Take(epoch, flooder) == nil {
		t.Error("the one who used up their rate was forgotten first")
	}
}

// TestLimiter: of many at once, a burst is let in, and then one in each interval.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		refusals := ratelimit.NewRefusals(registry)
		limiter := ratelimit.NewLimiter("test", ratelimit.Limit{Count: 10, Period: time.Second, Burst: 50}, refusals)
		var admitted atomic.Int64
		rush := func() int64 {
			admitted.Store(0)
			var all sync.WaitGroup
			for range 200 {
				all.Go(func() {
					if limiter.Take("ada") == nil {
						admitted.Add(1)
					}
				})
			}
			all.Wait()
			return admitted.Load()
		}
		for _, step := range []struct {
			pass time.Duration
			want int64
		}{{0, 50}, {0, 0}, {time.Second, 10}, {99 * time.Millisecond, 0}, {time.Millisecond, 1}, {time.Hour, 50}} {
			time.Sleep(step.pass)
			if got := rush(); got != step.want {
				t.Errorf("after %v more, %d are let in, want %d", step.pass, got, step.want)
			}
		}
		if limiter.Take("bob") != nil {
			t.Error("bob pays for ada")
		}
		families, err := registry.Gather()
		if err != nil || len(families) != 1 {
			t.Fatalf("%v, %v", families, err)
		}
		if counted := families[0].Metric[0].Counter.GetValue(); counted != 6*200-50-10-1-50 {
			t.Errorf("%v refusals were counted", counted)
		}
	})
}

func TestCounts(t *testing.T) {
	counts := ratelimit.NewCounts[string](2)
	for i, want := range []bool{true, true, false} {
		if got := counts.Enter("a"); got != want {
			t.Errorf("the %d. is within: %t", i+1, got)
		}
	}
	if !counts.Full("a") || counts.Full("b") || !counts.Enter("b") {
		t.Error("a is full and b isn't")
	}
	counts.Leave("a")
	if !counts.Full("a") {
		t.Error("two of two are full")
	}
	counts.Leave("a")
	if counts.Full("a") || !counts.Enter("a") {
		t.Error("one of two isn't full")
	}
	none := ratelimit.NewCounts[int](0)
	for range 100 {
		if none.Full(1) || !none.Enter(1) {
			t.Fatal("a bound of 0 refuses")
		}
	}
}

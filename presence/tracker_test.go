package presence_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"parley/presence"
)

var (
	ada = presence.User{ID: "ada", Name: "Ada"}
	bob = presence.User{ID: "bob"}
)

// node runs a tracker in a synctest bubble.
type node struct {
	*presence.Tracker
	registry *prometheus.Registry
	stop     func() error
}

func startNode(t *testing.T, store presence.Store, options presence.Options) *node {
	t.Helper()
	registry := prometheus.NewRegistry()
	options.Registerer = registry
	tracker, err := presence.NewTracker(store, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tracker.Run(ctx) }()
	synctest.Wait()
	stop := func() error { cancel(); return <-ended }
	return &node{Tracker: tracker, registry: registry, stop: stop}
}

// metric returns the value of a metric, summed over its labels.
func (n *node) metric(t *testing.T, name string) (sum float64) {
	t.Helper()
	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
			return sum
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func mustStop(t *testing.T, n *node) {
	t.Helper()
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
}

// pass lets (the bubble's) time go by, and what is due be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func TestTimingsAreCheckedAtStart(t *testing.T) {
	for name, test := range map[string]struct {
		options presence.Options
		fine    bool
	}{
		"the zero value":                   {presence.Options{}, true},
		"the shortest lease":               {presence.Options{TTL: 3 * time.Second}, true},
		"a lease too short":                {presence.Options{TTL: 3*time.Second - 1}, false},
		"a grace longer than the lease":    {presence.Options{TTL: 3 * time.Second, Grace: time.Hour}, true},
		"a negative grace":                 {presence.Options{Grace: -1}, false},
		"a negative sweep":                 {presence.Options{SweepEvery: -1}, false},
		"a sweep all the time":             {presence.Options{SweepEvery: time.Millisecond}, false},
		"a sweep as often as a renewal":    {presence.Options{TTL: 6 * time.Second, SweepEvery: time.Second}, true},
		"a sweep too rare for the lease":   {presence.Options{TTL: 3 * time.Second, SweepEvery: time.Second}, false},
		"typing that ends between sweeps":  {presence.Options{TypingTTL: 900 * time.Millisecond}, false},
		"a sweep too rare for typing":      {presence.Options{SweepEvery: 4 * time.Second}, false},
		"typing as long as two sweeps are": {presence.Options{TypingTTL: time.Second}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := presence.NewTracker(newMemory(), test.options); (err == nil) != test.fine {
				t.Fatalf("got %v", err)
			}
		})
	}
	t.Run("metrics registered by another", func(t *testing.T) {
		options := presence.Options{Registerer: prometheus.NewRegistry()}
		if _, err := presence.NewTracker(newMemory(), options); err != nil {
			t.Fatal(err)
		}
		if _, err := presence.NewTracker(newMemory(), options); !errors.As(err, &prometheus.AlreadyRegisteredError{}) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestLeaseIsRenewedSixTimesPerTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		began := time.Now()
		n := startNode(t, store, presence.Options{TTL: time.Minute})
		pass(time.Minute)
		var at []time.Duration
		for _, c := range store.made("renew") {
			at = append(at, c.at.Sub(began))
			if id, err := uuid.Parse(c.instance); err != nil || id.Version() != 7 {
				t.Fatalf("instance %q is no uuid v7", c.instance)
			}
		}
		s := time.Second
		same(t, "renewals", []time.Duration{0, 10 * s, 20 * s, 30 * s, 40 * s, 50 * s, 60 * s}, at)
		mustStop(t, n)
	})
}

func TestDevices(t *testing.T) {
	options := presence.Options{Grace: 10 * time.Second}

	t.Run("come and go with one transition each", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			n := startNode(t, store, options)
			first, second := n.Device(t.Context(), ada), n.Device(t.Context(), ada)
			pass(time.Second)
			same(t, "devices", map[string]int{"ada": 2}, store.present())
			same(t, "gauge", 2.0, n.metric(t, "parley_presence_devices"))
			first()
			pass(time.Minute)
			second()
			second()
			pass(9 * time.Second)
			same(t, "within the grace", []string{"ada ONLINE"}, store.turns())
			pass(2 * time.Second)
			same(t, "after the grace", []string{"ada ONLINE", "ada OFFLINE"}, store.turns())
			same(t, "disconnects", 2, len(store.made("disconnect")))
			same(t, "gauge", 0.0, n.metric(t, "parley_presence_devices"))
			same(t, "pending", 0.0, n.metric(t, "parley_presence_pending_devices"))
			mustStop(t, n)
		})
	})

	t.Run("that are gone before the store was told cost nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			n := startNode(t, store, options)
			n.Device(t.Context(), ada)
			synctest.Wait() // and now comes the pause after a batch
			release := n.Device(t.Context(), bob)
			pass(10 * time.Millisecond)
			release()
			pass(time.Second)
			same(t, "calls", 1, len(store.made("connect", "disconnect")))
			mustStop(t, n)
		})
	})

	t.Run("that go while the store is being told are taken back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			going := make(chan struct{})
			store.meddle(func(_ context.Context, c made) error {
				if c.name == "connect" {
					<-going
				}
				return nil
			})
			n := startNode(t, store, options)
			release := n.Device(t.Context(), ada)
			synctest.Wait()
			release()
			close(going)
			pass(20 * time.Second)
			same(t, "transitions", []string{"ada ONLINE", "ada OFFLINE"}, store.turns())
			mustStop(t, n)
		})
	})

	t.Run("replaced within one pause never leave the user without", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			n := startNode(t, store, presence.Options{}) // no grace
			old := n.Device(t.Context(), ada)
			synctest.Wait()
			old()
			n.Device(t.Context(), ada)
			pass(time.Second)
			same(t, "transitions", []string{"ada ONLINE"}, store.turns())
			mustStop(t, n)
		})
	})
}

func TestABurstIsPaced(t *testing.T) {
	const devices = 10_000
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		n := startNode(t, store, presence.Options{Grace: 10 * time.Second})
		before := runtime.NumGoroutine()
		store.meddle(func(_ context.Context, c made) error {
			if now := runtime.NumGoroutine(); now > before+200 {
				return fmt.Errorf("%d goroutines, %d before", now, before)
			}
			return nil
		})
		releases := make([]func(), devices)
		for i := range releases {
			releases[i] = n.Device(t.Context(), presence.User{ID: fmt.Sprint("user", i)})
		}
		pass(time.Second)
		if told := len(store.made("connect")); told < 3000 || told > 5100 {
			t.Fatalf("%d connects in a second", told)
		}
		pass(2 * time.Second)
		same(t, "connects", devices, len(store.made("connect")))
		same(t, "online", devices, len(store.present()))
		if store.mostAtOnce > 10 {
			t.Fatalf("%d calls at once", store.mostAtOnce)
		}
		for _, release := range releases {
			release()
		}
		pass(3 * time.Second)
		same(t, "disconnects", devices, len(store.made("disconnect")))
		same(t, "errors", 0.0, n.metric(t, "parley_presence_sweep_errors_total"))
		mustStop(t, n)
	})
}

func TestSweeps(t *testing.T) {
	t.Run("come at jittered intervals", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			last := time.Now()
			n := startNode(t, store, presence.Options{SweepEvery: time.Second, TypingTTL: 2 * time.Second})
			pass(100 * time.Second)
			waits := map[time.Duration]bool{}
			for _, c := range store.made("sweep") {
				wait := c.at.Sub(last)
				last = c.at
				waits[wait] = true
				if wait < 750*time.Millisecond || wait > 1250*time.Millisecond {
					t.Fatalf("a sweep after %v", wait)
				}
			}
			if len(waits) < 50 {
				t.Fatalf("only %d different waits", len(waits))
			}
			same(t, "counter", float64(len(store.made("sweep"))), n.metric(t, "parley_presence_sweeps_total"))
			mustStop(t, n)
		})
	})

	t.Run("go on while more is due", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var portions atomic.Int64
			store := &sweepStore{memory: newMemory(), sweep: func() (bool, error) { return portions.Add(1) < 5, nil }}
			n := startNode(t, store, presence.Options{})
			pass(700 * time.Millisecond)
			same(t, "portions", int64(5), portions.Load())
			mustStop(t, n)
		})
	})

	t.Run("end a round though more is due", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var portions atomic.Int64
			store := &sweepStore{memory: newMemory(), sweep: func() (bool, error) { portions.Add(1); return true, nil }}
			n := startNode(t, store, presence.Options{})
			pass(700 * time.Millisecond)
			if n := portions.Load(); n > 40 {
				t.Fatalf("%d portions", n)
			}
			mustStop(t, n)
		})
	})

	t.Run("that fail are tried again, less often", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var well atomic.Bool
			var sweeps atomic.Int64
			store := &sweepStore{memory: newMemory(), sweep: func() (bool, error) {
				sweeps.Add(1)
				if well.Load() {
					return false, nil
				}
				return false, errDown
			}}
			n := startNode(t, store, presence.Options{})
			pass(20 * time.Second)
			same(t, "errors", float64(sweeps.Load()), n.metric(t, "parley_presence_sweep_errors_total"))
			ill := sweeps.Load()
			if ill < 10 || ill > 25 {
				t.Fatalf("%d sweeps in 20 s", ill)
			}
			well.Store(true)
			pass(20 * time.Second)
			if n := sweeps.Load() - ill; n < 30 {
				t.Fatalf("%d sweeps in 20 s, once well", n)
			}
			mustStop(t, n)
		})
	})
}

// sweepStore is memory with a sweep of one's own.
type sweepStore struct {
	*memory
	sweep func() (more bool, err error)
}

func (s *sweepStore) Sweep(context.Context, time.Duration) (bool, error) { return s.sweep() }

func TestTyping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		tracker, err := presence.NewTracker(store, presence.Options{TypingTTL: 7 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		until, err := tracker.SetTyping(t.Context(), "r_1", ada, true)
		if err != nil || until == nil || time.Until(*until) != 7*time.Second {
			t.Fatalf("got %v, %v", until, err)
		}
		until, err = tracker.SetTyping(t.Context(), "r_1", ada, false)
		if err != nil || until != nil {
			t.Fatalf("got %v, %v", until, err)
		}
		same(t, "calls", 1, len(store.made("typing r_1 7s")))
		same(t, "calls", 1, len(store.made("typing r_1 0s")))

		store.meddle(func(context.Context, made) error { return errDown })
		until, err = tracker.SetTyping(t.Context(), "r_1", ada, true)
		if !errors.Is(err, errDown) || until != nil {
			t.Fatalf("got %v, %v", until, err)
		}
	})
}

func TestStop(t *testing.T) {
	t.Run("releases the lease", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			n := startNode(t, store, presence.Options{})
			release := n.Device(t.Context(), ada)
			pass(time.Second)
			mustStop(t, n)
			held := store.made("renew")[0].instance
			same(t, "released", []string{held}, []string{store.made("release")[0].instance})
			release() // a stream may outlive Run
			n.Device(t.Context(), bob)()
			pass(time.Minute)
			same(t, "disconnects", 0, len(store.made("disconnect")))
			same(t, "pending", 0.0, n.metric(t, "parley_presence_pending_devices"))
		})
	})

	t.Run("is bounded though the store hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			n := startNode(t, store, presence.Options{})
			n.Device(t.Context(), ada)
			pass(time.Second)
			store.meddle(hang)
			n.Device(t.Context(), bob) // stops in the middle of a call
			pass(time.Second)
			began := time.Now()
			if err := n.stop(); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Fatalf("took %v", took)
			}
		})
	})

	t.Run("and a second Run under another instance", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			n := startNode(t, store, presence.Options{})
			n.Device(t.Context(), ada)
			pass(time.Second)
			if err := n.Run(t.Context()); err == nil {
				t.Fatal("runs twice at once")
			}
			mustStop(t, n)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- n.Run(ctx) }()
			pass(time.Second)
			connects := store.made("connect")
			if len(connects) != 2 || connects[0].instance == connects[1].instance {
				t.Fatalf("got %v", connects)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		})
	})
}

// hang never answers, as a store whose machine is gone.
func hang(ctx context.Context, _ made) error {
	<-ctx.Done()
	return ctx.Err()
}

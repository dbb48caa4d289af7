package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ferry is a server's hook that answers commands with what they say, one trip whenever it may go.
type ferry struct {
	mu    sync.Mutex
	trips [][]string
	goes  chan struct{}
}

func (*ferry) DialHook(next goredis.DialHook) goredis.DialHook          { return next }
func (*ferry) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

func (f *ferry) ProcessPipelineHook(goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(_ context.Context, cmds []goredis.Cmder) error {
		var trip []string
		for _, cmd := range cmds {
			said := cmd.Args()[1].(string)
			trip = append(trip, said)
			cmd.(*goredis.Cmd).SetVal("answer to " + said)
		}
		f.mu.Lock()
		f.trips = append(f.trips, trip)
		f.mu.Unlock()
		<-f.goes
		return nil
	}
}

// batching is a batcher in a bubble, and a server behind a ferry.
type batching struct {
	*testing.T
	*batcher
	ferry   *ferry
	server  *goredis.Client
	callers sync.WaitGroup
}

func newBatching(t *testing.T, queue int) *batching {
	b := &batching{T: t, ferry: &ferry{goes: make(chan struct{})}, server: goredis.NewClient(&goredis.Options{
		MaxRetries: -1, Addr: "127.0.0.1:1",
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer:                   func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("there is no server") },
	})}
	t.Cleanup(func() { _ = b.server.Close() })
	b.server.AddHook(b.ferry)
	b.batcher = newBatcher(newLimits(10, queue), Wait{}, prometheus.NewHistogram(prometheus.HistogramOpts{}))
	return b
}

// call begins a call and waits until nothing goes on without the ferry.
func (b *batching) call(ctx context.Context, said string) (ended func() error) {
	result := make(chan error, 1)
	b.callers.Go(func() {
		got, err := b.do(ctx, b.server, []any{"say", said})
		if err == nil && got != "answer to "+said {
			err = fmt.Errorf("%s got %v", said, got)
		}
		result <- err
	})
	synctest.Wait()
	return func() error { return <-result }
}

// over ends a trip.
func (b *batching) over() {
	b.ferry.goes <- struct{}{}
	synctest.Wait()
}

func (b *batching) went(want ...[]string) {
	b.Helper()
	b.ferry.mu.Lock()
	defer b.ferry.mu.Unlock()
	if !slices.EqualFunc(b.ferry.trips, want, slices.Equal) {
		b.Errorf("trips %v, want %v", b.ferry.trips, want)
	}
	if n, queues := b.limits.waiting.Load(), len(b.queues); n != 0 || queues != 0 {
		b.Errorf("%d wait, in %d queues", n, queues)
	}
}

// TestBatch: what comes during a trip leaves together in the next.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatching(t, 0)
		var ends []func() error
		for _, said := range []string{"a", "b", "c"} {
			ends = append(ends, b.call(t.Context(), said))
		}
		b.over()
		ends = append(ends, b.call(t.Context(), "d"))
		b.over()
		b.over()
		for _, end := range ends {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
		b.went([]string{"a"}, []string{"b", "c"}, []string{"d"})
	})
}

// TestBatchIsBounded: a trip takes so many, and no more than so many wait.
func TestBatchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatching(t, maxBatch+1)
		var ends []func() error
		for i := range maxBatch + 2 {
			ends = append(ends, b.call(t.Context(), fmt.Sprint(i)))
		}
		if err := b.call(t.Context(), "one too many")(); !errors.Is(err, errBusy) || b.limits.shed.Load() != 1 {
			t.Errorf("one too many got %v", err)
		}
		for range 3 {
			b.over()
		}
		for _, end := range ends {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
		if sizes := []int{len(b.ferry.trips[0]), len(b.ferry.trips[1]), len(b.ferry.trips[2])}; !slices.Equal(sizes, []int{1, maxBatch, 1}) {
			t.Errorf("trips of %v", sizes)
		}
	})
}

// TestBatchIsLeft: who doesn't wait any more isn't waited for, and is sent only if that was before.
func TestBatchIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatching(t, 0)
		leaving, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		first := b.call(leaving, "leads, and so stays")
		second := b.call(leaving, "leaves in time")
		third := b.call(t.Context(), "stays")
		<-leaving.Done()
		synctest.Wait()
		if err := second(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who left got %v", err)
		}
		b.over()
		b.over()
		for _, end := range []func() error{first, third} {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
		b.went([]string{"leads, and so stays"}, []string{"stays"})
	})
}

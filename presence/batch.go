package presence

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// A batch of calls, and the pause after it, pace a node that tells of all its devices to
	// 5,000 a second; parallelCalls keeps it from crowding others out of the store.
	batchSize     = 100
	batchPause    = 20 * time.Millisecond
	parallelCalls = 8
	// retryAfter is when a call is made again that failed.
	retryAfter = time.Second
)

// tally is what became of a batch. Calls that were left unmade don't count.
type tally struct {
	mu        sync.Mutex
	succeeded int
	failed    int
	news      int   // failed, and didn't before
	err       error // of one of those
}

func (t *tally) add(c call, how outcome, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch how {
	case done:
		t.succeeded++
	case vain:
		t.failed++
		if c.first {
			t.news++
			t.err = err
		}
	}
}

// reconcile makes one batch of calls. After a failure the lease is renewed before the next: that
// shows whether the store is well, and an answer to it means that whatever was sent before, and
// given up, isn't still on its way.
func (k *keeper) reconcile(ctx context.Context) {
	if !time.Now().Before(k.retryAt) {
		k.devices.retry()
	}
	calls := k.devices.take(batchSize)
	if len(calls) == 0 {
		return
	}
	result := k.carryOut(ctx, calls)
	now := time.Now()
	k.paceAt = now.Add(batchPause)
	if result.succeeded > 0 {
		k.barren = 0
	}
	if result.failed == 0 || ctx.Err() != nil {
		return
	}
	if result.succeeded == 0 {
		k.barren++
		k.paceAt = now.Add(backoff(k.barren, longestCall, rand.Float64()))
	}
	k.retryAt = now.Add(retryAfter)
	k.lease.doubt(now)
	if result.news > 0 {
		k.log.Warn("presence store not told of devices yet", "devices", result.news, "error", result.err)
	}
}

// carryOut makes the calls, a few at a time, and settles each. Those it has no time for stay
// unmade.
func (k *keeper) carryOut(ctx context.Context, calls []call) *tally {
	ctx, cancel := context.WithTimeout(ctx, k.options.patience())
	defer cancel()
	var (
		result  tally
		taken   atomic.Int64
		workers sync.WaitGroup
	)
	for range min(parallelCalls, len(calls)) {
		workers.Go(func() {
			for i := taken.Add(1); i <= int64(len(calls)); i = taken.Add(1) {
				c := calls[i-1]
				how, err := k.carry(ctx, c)
				k.devices.settle(c, how)
				result.add(c, how, err)
			}
		})
	}
	workers.Wait()
	return &result
}

func (k *keeper) carry(ctx context.Context, c call) (outcome, error) {
	if ctx.Err() != nil {
		return unmade, nil
	}
	var (
		name string
		err  error
	)
	switch c.verb {
	case join:
		name, err = "connect", k.store.Connect(ctx, c.instance, c.id, c.user)
	case leave:
		name, err = "disconnect", k.store.Disconnect(ctx, c.instance, c.id, c.user.ID, k.options.Grace)
	}
	if err != nil {
		k.countError(ctx, name)
		return vain, err
	}
	return done, nil
}

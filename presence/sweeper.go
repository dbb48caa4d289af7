package presence

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// portionsPerSweep bounds how long one sweep keeps at it; the next goes on.
	portionsPerSweep = 20
	// longestSweepPause is the most that a failing store is left alone.
	longestSweepPause = 2 * time.Second
)

// sweep has the store do what is due, again and again until ctx ends. Every node does; the jitter
// keeps them apart.
func (t *Tracker) sweep(ctx context.Context) {
	failures := 0
	for pause(ctx, t.sweepPause(failures)) {
		err := t.sweepOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			continue
		case failures == 0:
			t.log.Warn("presence can't be swept", "error", err)
		}
		failures++
	}
}

func (t *Tracker) sweepPause(failures int) time.Duration {
	wait := around(t.options.SweepEvery, rand.Float64())
	if failures > 0 {
		wait = max(wait, backoff(failures, longestSweepPause, rand.Float64()))
	}
	return wait
}

// sweepOnce sweeps until nothing is due, or often enough.
func (t *Tracker) sweepOnce(ctx context.Context) error {
	for range portionsPerSweep {
		more, err := t.sweepPortion(ctx)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func (t *Tracker) sweepPortion(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.options.patience())
	defer cancel()
	t.metrics.sweeps.Inc()
	more, err = t.store.Sweep(ctx, t.options.Grace)
	if err != nil {
		t.metrics.sweepErrors.Inc()
	}
	return more, err
}

// pause waits, and reports whether ctx still goes on.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

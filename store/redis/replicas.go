package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Wait says how many replicas must have what is acknowledged. WAIT narrows what a failover may lose; it
// doesn't close it, since what it counted may still be passed over when a replica is chosen.
type Wait struct {
	// Replicas is how many; 0 waits for none.
	Replicas int
	// Timeout is how long they may take; 0 means a second.
	Timeout time.Duration
}

const defaultWait = time.Second

// command asks, behind commands on one connection, for the replicas that have what they wrote. What it
// returns fails, once they have been sent, if they are too few: those commands stay written here, and whoever
// asked may ask again, if that is idempotent.
func (w Wait) command(ctx context.Context, pipe goredis.Pipeliner) (replicated func() error) {
	if w.Replicas == 0 {
		return func() error { return nil }
	}
	acknowledged := pipe.Do(ctx, "WAIT", w.Replicas, w.Timeout.Milliseconds())
	return func() error {
		if n, err := acknowledged.Int(); err != nil || n < w.Replicas {
			return tooFew{n, w}
		}
		return nil
	}
}

// tooFew is the error of what too few replicas had in time.
type tooFew struct {
	replicas int
	wait     Wait
}

func (e tooFew) Error() string {
	return fmt.Sprintf("%d of %d replicas have it after %v", e.replicas, e.wait.Replicas, e.wait.Timeout)
}

// write sends a command that writes to a key, once, and returns when enough replicas have it.
func (s *Store) write(ctx context.Context, key string, command []any) (any, error) {
	got, err := s.client.together(ctx, s.writes, key, command)
	if _, few := errors.AsType[tooFew](err); few {
		s.metrics.unreplicated.Inc()
	}
	return got, err
}

// confirm returns once enough replicas have all that was written to a room so far: what an earlier
// request wrote, and wasn't acknowledged, is about to be. It changes nothing, but counts as a write,
// without which there would be nothing to wait for.
func (s *Store) confirm(ctx context.Context, room string) error {
	if s.wait.Replicas == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	key := entityOf(room).own("room")
	if _, err := s.write(ctx, key, []any{"HINCRBY", key, "seq", 0}); err != nil {
		return fault(ctx, "confirm", err)
	}
	return nil
}

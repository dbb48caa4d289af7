package redis

import (
	"context"
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

// write sends a command that writes to a key, once, and returns when enough replicas have it. An error
// after that leaves it written here: whoever asked may ask again, if that is idempotent.
func (s *Store) write(ctx context.Context, key string, command []any) (any, error) {
	if s.wait.Replicas == 0 {
		return s.client.once(ctx, command...)
	}
	var cmd *goredis.Cmd
	err := s.client.settled(ctx, func() error {
		home, err := s.client.home(ctx, key)
		if err != nil {
			return err
		}
		pipe := home.Pipeline() // one connection, since WAIT is about what that has written
		cmd = pipe.Do(ctx, command...)
		acknowledged := pipe.Do(ctx, "WAIT", s.wait.Replicas, s.wait.Timeout.Milliseconds())
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		if n, err := acknowledged.Int(); err != nil || n < s.wait.Replicas {
			s.metrics.unreplicated.Inc()
			return fmt.Errorf("%d of %d replicas have it after %v", n, s.wait.Replicas, s.wait.Timeout)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return cmd.Val(), nil
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

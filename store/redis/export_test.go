package redis

import (
	"context"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// LoseHints makes all that the store publishes from now on go where nobody listens.
func (s *Store) LoseHints() { s.publish = "SPUBLISH" }

// TakeTurns takes all turns of calls to a server that is no cluster.
func (s *Store) TakeTurns(ctx context.Context) (giveBack func()) {
	h := holding{ended: make(chan struct{})}
	s.client.AddHook(&h)
	var calls sync.WaitGroup
	for range max(1, s.client.poolSize()-reserved) {
		h.begun.Add(1)
		calls.Go(func() { s.client.Do(ctx, "hold") })
	}
	h.begun.Wait()
	return sync.OnceFunc(func() {
		close(h.ended)
		calls.Wait()
	})
}

// holding is a hook that holds commands of its own up; no server sees them.
type holding struct {
	begun sync.WaitGroup
	ended chan struct{}
}

func (*holding) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (h *holding) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if cmd.Name() != "hold" {
			return next(ctx, cmd)
		}
		h.begun.Done()
		<-h.ended
		return nil
	}
}

func (*holding) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

// Waiting is how many calls wait for a turn, Shed how many were refused since too many did.
func (s *Store) Waiting() int64 { return s.limits.waiting.Load() }
func (s *Store) Shed() int64    { return s.limits.shed.Load() }

// Prefixes returns what the keys of each bucket begin with.
func Prefixes() []string {
	var prefixes []string
	for _, b := range allBuckets() {
		prefixes = append(prefixes, b.prefix)
	}
	return prefixes
}

// PrefixOf returns what the keys of a room's bucket begin with.
func PrefixOf(room string) string { return bucketOf(room).prefix }

package redis

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"parley/eventlog"
)

// refusals are the words with which a server says that it takes no writes now: its memory is full, it is
// a replica, it can't save, it lacks replicas.
var refusals = []string{"OOM", "READONLY", "MISCONF", "NOREPLICAS"}

// refusing are the servers that refused a write, with the word by which they did, until they take one
// again or have none of our keys any more. What one server takes says nothing of another.
type refusing struct {
	log *slog.Logger

	mu    sync.Mutex
	words map[*goredis.Client]string
}

func newRefusing(log *slog.Logger) *refusing {
	return &refusing{log: log, words: map[*goredis.Client]string{}}
}

// add listens to a server.
func (r *refusing) add(server *goredis.Client) { server.AddHook(listening{r, server}) }

// heard takes note of how a command ended.
func (r *refusing) heard(server *goredis.Client, err error) {
	if err == nil {
		return
	}
	i := slices.IndexFunc(refusals, func(word string) bool { return goredis.HasErrorPrefix(err, word) })
	if i < 0 {
		return
	}
	r.mu.Lock()
	_, known := r.words[server]
	r.words[server] = refusals[i]
	r.mu.Unlock()
	if !known {
		r.log.Error("Redis refuses writes", "server", server.Options().Addr, "error", err)
	}
}

func (r *refusing) forget(server *goredis.Client, why string) {
	r.mu.Lock()
	delete(r.words, server)
	r.mu.Unlock()
	r.log.Info(why, "server", server.Options().Addr)
}

func (r *refusing) servers() []*goredis.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.words))
}

// err wraps eventlog.ErrReadOnly while any server refuses.
func (r *refusing) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for server, word := range r.words {
		return fmt.Errorf("%w: redis: %s answers %s", eventlog.ErrReadOnly, server.Options().Addr, word)
	}
	return nil
}

// askRefusing asks the servers that refused a write whether they take one now. It isn't left to clients'
// writes to find out: to some server there may be none.
func (s *Store) askRefusing(ctx context.Context) {
	asked := s.refusing.servers()
	if len(asked) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	buckets := map[*goredis.Client][]*bucket{}
	for _, b := range allBuckets() {
		home, err := s.client.home(ctx, b.prefix)
		if err != nil {
			return // whose keys are where isn't known now
		}
		buckets[home] = append(buckets[home], b)
	}
	var asking sync.WaitGroup
	for _, server := range asked {
		if len(buckets[server]) == 0 {
			s.refusing.forget(server, "the Redis server that refused writes has no keys of ours any more")
			continue
		}
		asking.Go(func() {
			if takesWrites(ctx, server, buckets[server]) {
				s.refusing.forget(server, "Redis takes writes again")
			}
		})
	}
	asking.Wait()
}

// takesWrites writes a key that goes away at once, in the first of a server's buckets that isn't on its
// way to another.
func takesWrites(ctx context.Context, server *goredis.Client, buckets []*bucket) bool {
	for _, b := range buckets {
		if err := server.Set(ctx, b.key("writable"), "", time.Millisecond).Err(); !onTheMove(err) {
			return err == nil
		}
	}
	return false
}

// listening is the hook of a server's client by which refusals are heard.
type listening struct {
	refusing *refusing
	server   *goredis.Client
}

// DialHook implements [goredis.Hook].
func (listening) DialHook(next goredis.DialHook) goredis.DialHook { return next }

// ProcessHook implements [goredis.Hook].
func (l listening) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		err := next(ctx, cmd)
		l.refusing.heard(l.server, err)
		return err
	}
}

// ProcessPipelineHook implements [goredis.Hook].
func (l listening) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			l.refusing.heard(l.server, cmd.Err())
		}
		return err
	}
}

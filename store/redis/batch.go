package redis

import (
	"context"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
)

// maxBatch is how many commands one round trip takes.
const maxBatch = 128

// batcher sends commands to servers, to each in one round trip at a time: what comes while one is under way
// leaves together in the next. So a command that comes alone waits for nobody, and a burst costs few trips.
// A trip goes by the goroutine of one of those who wait for it.
type batcher struct {
	limits *limits
	wait   Wait
	sizes  prometheus.Observer

	mu sync.Mutex
	// queues has what waits for the next trip to a server, while one is under way.
	queues map[*goredis.Client][]*queued
}

// queued is a command on its way.
type queued struct {
	command []any
	answer  any
	err     error
	// turn says that the command has its answer (false) or that it is to lead the next trip; it holds one.
	turn chan bool
	// leads is guarded by batcher.mu.
	leads bool
}

func newBatcher(l *limits, w Wait, sizes prometheus.Observer) *batcher {
	return &batcher{limits: l, wait: w, sizes: sizes, queues: map[*goredis.Client][]*queued{}}
}

// do sends a command, once. With an error it may have been done all the same, unless the server says
// otherwise.
func (b *batcher) do(ctx context.Context, server *goredis.Client, command []any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q := &queued{command: command, turn: make(chan bool, 1)}
	lead, err := b.join(server, q)
	if err != nil {
		return nil, err
	}
	if !lead {
		select {
		case lead = <-q.turn:
		case <-ctx.Done():
			if lead = b.leave(server, q); !lead {
				return nil, ctx.Err()
			}
		}
	}
	if lead {
		b.trip(ctx, server, q)
	}
	return q.answer, q.err
}

// join queues a command, or has it lead where no trip is under way.
func (b *batcher) join(server *goredis.Client, q *queued) (lead bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	queue, underWay := b.queues[server]
	switch {
	case !underWay:
		b.queues[server] = nil
		return true, nil
	case len(queue) >= b.limits.queue:
		b.limits.shed.Add(1)
		return false, errBusy
	}
	b.queues[server] = append(queue, q)
	b.limits.waiting.Add(1)
	return false, nil
}

// leave takes a command back that nobody waits for any more, if it hasn't left. It may have been chosen to
// lead, which it has to do for those behind it.
func (b *batcher) leave(server *goredis.Client, q *queued) (lead bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.queues[server], q); i >= 0 {
		b.queues[server] = slices.Delete(b.queues[server], i, i+1)
		b.limits.waiting.Add(-1)
	}
	return q.leads
}

// trip takes those who wait, after the first, and hands the lead on.
func (b *batcher) trip(ctx context.Context, server *goredis.Client, first *queued) {
	b.mu.Lock()
	batch := append([]*queued{first}, b.take(server, maxBatch-1)...)
	b.mu.Unlock()
	b.send(ctx, server, batch)
	b.mu.Lock()
	if next := b.take(server, 1); len(next) > 0 {
		next[0].leads = true
		next[0].turn <- true
	} else {
		delete(b.queues, server)
	}
	b.mu.Unlock()
	for _, q := range batch[1:] {
		q.turn <- false
	}
}

func (b *batcher) take(server *goredis.Client, most int) []*queued {
	queue := b.queues[server]
	n := min(most, len(queue))
	b.queues[server] = queue[n:]
	b.limits.waiting.Add(int64(-n))
	return queue[:n:n]
}

// send is a trip. It is nobody's alone, and so no one's leaving ends it.
func (b *batcher) send(ctx context.Context, server *goredis.Client, batch []*queued) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	b.sizes.Observe(float64(len(batch)))
	pipe := server.Pipeline() // one connection, since WAIT is about what that has written
	cmds := make([]*goredis.Cmd, len(batch))
	for i, q := range batch {
		cmds[i] = pipe.Do(ctx, q.command...)
	}
	replicated := b.wait.command(ctx, pipe)
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, q := range batch {
		if q.answer, q.err = cmds[i].Result(); q.err == nil {
			q.err = replicated()
		}
	}
}

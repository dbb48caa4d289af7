package redis

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"
)

// defaultQueue is how many calls may wait at a time.
const defaultQueue = 1024

// errBusy answers a call that found too many others waiting.
var errBusy = errors.New("too many calls wait for Redis")

// limits are those of the servers behind one URL, each with one of its own, so that a slow one doesn't hold
// up the calls to others.
type limits struct {
	pool, queue int
	// waiting and shed are those of all servers, past ones too.
	waiting, shed atomic.Int64
}

// newLimits is for pools of so many connections each.
func newLimits(pool, queue int) *limits {
	return &limits{pool: pool, queue: cmp.Or(queue, defaultQueue)}
}

// add puts a limit on a server's client.
func (ls *limits) add(server *goredis.Client) { server.AddHook(ls.newLimit()) }

// limit bounds the calls to a Redis server at a time, and those that wait their turn: beyond that they fail
// at once, so that a slow server costs no more than a fixed number of goroutines. It is a hook of the
// client, and leaves the pool a few connections for calls that are vital. What a call that has its turn
// calls in turn is vital: go-redis sends the first commands of a new connection through its hooks too.
type limit struct {
	all     *limits
	turns   chan struct{}
	waiting atomic.Int64
}

// reserved are the connections left for vital calls: the tail check, a lease, a look at the server.
const reserved = 3

func (ls *limits) newLimit() *limit {
	return &limit{all: ls, turns: make(chan struct{}, max(1, ls.pool-reserved))}
}

type vitalKey struct{}

// vital marks calls by which the node knows whether it is in contact: they don't wait behind others.
func vital(ctx context.Context) context.Context { return context.WithValue(ctx, vitalKey{}, true) }

// take waits for a turn, which end gives back.
func (l *limit) take(ctx context.Context) (end func(), err error) {
	if ctx.Value(vitalKey{}) != nil {
		return func() {}, nil
	}
	select {
	case l.turns <- struct{}{}:
		return l.end, nil
	default:
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > int64(l.all.queue) {
		l.all.shed.Add(1)
		return nil, errBusy
	}
	l.all.waiting.Add(1)
	defer l.all.waiting.Add(-1)
	select {
	case l.turns <- struct{}{}:
		return l.end, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *limit) end() { <-l.turns }

// DialHook implements [goredis.Hook].
func (l *limit) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook implements [goredis.Hook].
func (l *limit) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if cmd.Name() == "cluster" { // go-redis asks for the map of slots, without which no call goes anywhere
			ctx = vital(ctx)
		}
		end, err := l.take(ctx)
		if err != nil {
			cmd.SetErr(err)
			return err
		}
		defer end()
		return next(vital(ctx), cmd)
	}
}

// ProcessPipelineHook implements [goredis.Hook].
func (l *limit) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		end, err := l.take(ctx)
		if err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		defer end()
		return next(vital(ctx), cmds)
	}
}

package redis

import (
	"context"
	"errors"
	"net"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	// stateInterval is how old the map of a cluster's slots may get.
	stateInterval = 2 * time.Second
	// maxRedirects is how often a command is sent on to where a cluster says its keys are.
	maxRedirects = 5
	// settling is how long a call waits for keys that are on the move between servers, or the same part of
	// the time it has, if that is less; firstMove and lastMove are how long between tries.
	settling  = callTimeout * 3 / 5
	firstMove = 5 * time.Millisecond
	lastMove  = 100 * time.Millisecond
)

// servers are the Redis servers behind one URL, as one client: a server, the present master of those
// that Sentinels watch, or a cluster.
type servers struct {
	goredis.UniversalClient
	address address
	// publish is the command that carries hints: in a cluster it stays within the bucket's shard.
	publish string
	// cluster is nil unless that is what they are.
	cluster *goredis.ClusterClient
}

func newServers(a address) *servers {
	v := &servers{address: a, publish: "PUBLISH"}
	switch a.mode {
	case single:
		v.UniversalClient = goredis.NewClient(a.options)
	case sentinel:
		v.UniversalClient = goredis.NewFailoverClient(a.universalOptions().Failover())
	case cluster:
		v.publish = "SPUBLISH"
		o := a.universalOptions().Cluster()
		o.ClusterStateReloadInterval = stateInterval
		o.MaxRedirects = maxRedirects
		o.DisableRoutingPolicies = true // what has no key we send to the servers it is for
		v.cluster = goredis.NewClusterClient(o)
		v.cluster.OnNewNode(func(c *goredis.Client) { c.AddHook(reloading{v}) })
		v.UniversalClient = v.cluster
	}
	return v
}

// onServer calls f with the client of each server, before it is used.
func (v *servers) onServer(f func(*goredis.Client)) {
	if v.cluster != nil {
		v.cluster.OnNewNode(f)
		return
	}
	f(v.UniversalClient.(*goredis.Client))
}

// poolSize is how many connections each server has at most.
func (v *servers) poolSize() int {
	if v.cluster != nil {
		return v.cluster.Options().PoolSize
	}
	return v.UniversalClient.(*goredis.Client).Options().PoolSize
}

// reload has a cluster's map of slots read again, soon.
func (v *servers) reload(ctx context.Context) {
	if v.cluster != nil {
		v.cluster.ReloadState(ctx)
	}
}

// reloading is a hook of a cluster's connections: a server that can't be reached may have been
// replaced.
type reloading struct{ servers *servers }

// DialHook implements [goredis.Hook].
func (r reloading) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err != nil {
			r.servers.reload(ctx)
		}
		return conn, err
	}
}

// ProcessHook implements [goredis.Hook].
func (reloading) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

// ProcessPipelineHook implements [goredis.Hook].
func (reloading) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

// home returns a client of the server that has a key now.
func (v *servers) home(ctx context.Context, key string) (*goredis.Client, error) {
	if v.cluster != nil {
		return v.cluster.MasterForKey(ctx, key)
	}
	return v.UniversalClient.(*goredis.Client), nil
}

// each calls f for every server that takes writes, at once in a cluster, and returns the first error.
func (v *servers) each(ctx context.Context, f func(context.Context, *goredis.Client) error) error {
	if v.cluster != nil {
		return v.cluster.ForEachMaster(ctx, f)
	}
	return f(ctx, v.UniversalClient.(*goredis.Client))
}

// once sends a command, to where its keys are, and never again after it may have been done.
func (v *servers) once(ctx context.Context, args ...any) (any, error) {
	var cmd *goredis.Cmd
	err := v.settled(ctx, func() error {
		cmd = goredis.NewCmd(ctx, args...)
		return v.Process(ctx, onceCmd{cmd})
	})
	if err != nil {
		return nil, err
	}
	return cmd.Val(), nil
}

// together is once for a command that may share its round trip with others.
func (v *servers) together(ctx context.Context, b *batcher, key string, command []any) (got any, err error) {
	home, err := v.home(ctx, key)
	if err != nil {
		return nil, err
	}
	got, err = b.do(ctx, home, command)
	if v.cluster == nil || !undone(err) {
		return got, err
	}
	v.reload(ctx)
	err = v.settled(ctx, func() error {
		if b.wait.Replicas == 0 { // then go-redis may find the way
			cmd := goredis.NewCmd(ctx, command...)
			err := v.Process(ctx, onceCmd{cmd})
			got = cmd.Val()
			return err
		}
		if home, err = v.home(ctx, key); err == nil {
			got, err = b.do(ctx, home, command)
		}
		return err
	})
	return got, err
}

// undone tells errors of a server that isn't, or not yet, where a key is: nothing was done.
func undone(err error) bool {
	return onTheMove(err) || errors.Is(err, goredis.ErrClosed) ||
		goredis.HasErrorPrefix(err, "READONLY") || goredis.HasErrorPrefix(err, "LOADING") || goredis.HasErrorPrefix(err, "CLUSTERDOWN")
}

// onceCmd is a command that go-redis doesn't send again when the way to the server fails.
type onceCmd struct{ *goredis.Cmd }

func (onceCmd) NoRetry() bool { return true }

// settled tries again, for a while, what servers refuse because its keys are on the move between them.
func (v *servers) settled(ctx context.Context, try func() error) error {
	wait := settling
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)*3/5)
	}
	late := time.Now().Add(wait)
	for pause := firstMove; ; pause = min(2*pause, lastMove) {
		err := try()
		if !onTheMove(err) || time.Now().After(late) {
			return err
		}
		v.reload(ctx)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// onTheMove tells answers that mean: nothing was done, since the keys are elsewhere or, some here and
// some there, on their way.
func onTheMove(err error) bool {
	for _, word := range []string{"TRYAGAIN", "MOVED", "ASK"} {
		if err != nil && goredis.HasErrorPrefix(err, word) {
			return true
		}
	}
	return false
}

package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley/eventlog"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// TestWhileASlotMoves leaves a slot half moved, as a resharding that takes long does.
func TestWhileASlotMoves(t *testing.T) {
	cluster := redistest.StartCluster(t, 2, 0)
	store := open(t, cluster, redis.Options{TailCheck: 100 * time.Millisecond})
	moving := newRoom(t, store, ada)
	master := cluster.MasterOf(redis.PrefixOf(moving))
	staying := moving
	for redis.PrefixOf(staying) == redis.PrefixOf(moving) || cluster.MasterOf(redis.PrefixOf(staying)) != master {
		staying = newRoom(t, store, ada)
	}
	typing := record(t, store, eventlog.TypingTopic(staying))
	must(t, store.SetTyping(t.Context(), staying, visitor(ada), 200*time.Millisecond))
	typing.until(ada.ID)
	follow(t, store, moving)
	follow(t, store, staying)
	prefix := redis.PrefixOf(moving)
	cluster.BeginMove(cluster.SlotOf(prefix), cluster.OtherMaster(master), prefix+"bucket")
	begun := time.Now()

	t.Run("tails are read", func(t *testing.T) {
		for _, room := range []string{staying, moving, ""} {
			eventually(t, "all is confirmed", func() bool { return store.Confirmed(room).After(begun) })
		}
	})
	t.Run("what can be swept is", func(t *testing.T) {
		eventually(t, "the end of typing is told", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // as a node has
			defer cancel()
			if _, err := store.Sweep(ctx, 0); !errors.Is(err, eventlog.ErrUnavailable) {
				t.Errorf("got %v of the bucket that moves", err)
			}
			return typing.last() == ""
		})
	})
}

package redis_test

import (
	"testing"
	"time"

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
}

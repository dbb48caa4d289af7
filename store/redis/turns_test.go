package redis_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"parley/eventlog"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// TestFewTurns: new connections need no turns of their own.
func TestFewTurns(t *testing.T) {
	server := redistest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	few, err := redis.Open(ctx, redis.Options{URL: server.URL + "?pool_size=4"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, few.Close()) })

	t.Run("one is enough", func(t *testing.T) {
		room := newRoom(t, few, ada)
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if _, err := few.Append(ctx, sending(room, ada, fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	t.Run("hints come without one", func(t *testing.T) {
		many := open(t, server, redis.Options{})
		f := follow(t, few, newRoom(t, many, ada))
		defer few.TakeTurns(ctx)()
		server.KillPubSub()
		eventually(t, "a hint is heard over the new connection", func() bool {
			_, err := many.Append(ctx, sending(f.log, ada, "can you hear me?"))
			must(t, err)
			told, _ := f.heard()
			return len(told) > 0
		})
	})
}

// TestTailsAreCheckedWithoutTurns: states that can't be read again don't hold up the tail check.
func TestTailsAreCheckedWithoutTurns(t *testing.T) {
	server := redistest.Start(t)
	mute, busy := open(t, server, redis.Options{}), open(t, server, redis.Options{TailCheck: 50 * time.Millisecond})
	mute.LoseHints()
	rec := record(t, busy, eventlog.PresenceTopic(ada.ID))
	giveBack := busy.TakeTurns(t.Context())
	defer giveBack()
	must(t, mute.Connect(t.Context(), "node", "device", visitor(ada)))
	eventually(t, "the state waits to be read again", func() bool { return busy.Waiting() > 0 })
	start := time.Now()
	for range 3 {
		began := time.Now()
		eventually(t, "all is confirmed", func() bool { return busy.Confirmed("").After(began) })
	}
	if took := time.Since(start); took > 5*time.Second { // which is what one of them took
		t.Errorf("three tail checks took %v", took)
	}
	giveBack()
	rec.until("ONLINE")
}

// TestTurnsOfACluster: each server has its own, of writes that wait for replicas too.
func TestTurnsOfACluster(t *testing.T) {
	const calls = 5
	cluster := redistest.StartCluster(t, 2, 0)
	for name, wait := range map[string]redis.Wait{"alone": {}, "with replicas": {Replicas: 1}} {
		t.Run(name, func(t *testing.T) {
			writing := open(t, cluster, redis.Options{})
			store, err := redis.Open(t.Context(), redis.Options{URL: cluster.URL + "?pool_size=4", Queue: 1, Wait: wait})
			must(t, err)
			t.Cleanup(func() { must(t, store.Close()) })
			slow := newRoom(t, writing, ada)
			master := cluster.MasterOf(redis.PrefixOf(slow))
			quick := newRoom(t, writing, ada)
			for cluster.MasterOf(redis.PrefixOf(quick)) == master {
				quick = newRoom(t, writing, ada)
			}
			tailOf(t, store, quick)

			var all sync.WaitGroup
			defer all.Wait()
			master.Freeze()
			defer master.Thaw()
			for i := range calls {
				all.Go(func() { _, _ = store.Append(t.Context(), sending(slow, ada, fmt.Sprint(i))) })
			}
			eventually(t, "one has the turn, one waits, others are refused", func() bool { return store.Shed() == calls-2 })
			if n := store.Waiting(); n != 1 {
				t.Errorf("%d wait", n)
			}
			tailOf(t, store, quick)
		})
	}
}

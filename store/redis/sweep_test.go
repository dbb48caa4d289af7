package redis_test

import (
	"testing"
	"time"

	"parley/eventlog"
	"parley/presence"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// TestSweepWithoutLeases: whose lease has ended isn't known then, but all else is swept.
func TestSweepWithoutLeases(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server, redis.Options{})
	room := newRoom(t, store, ada)
	typing := record(t, store, eventlog.TypingTopic(room))
	must(t, store.SetTyping(t.Context(), room, visitor(ada), 50*time.Millisecond))
	must(t, store.Connect(t.Context(), "gone", "device", visitor(bob)))
	typing.until("ada")
	leases := redis.Prefixes()[0] + "leases"
	server.Do("SET", leases, "no leases")
	eventually(t, "the end of typing is told", func() bool {
		if _, err := store.Sweep(t.Context(), 0); err == nil {
			t.Error("nothing is said of the leases")
		}
		return typing.last() == ""
	})
	status := func() presence.Status {
		t.Helper()
		presences, err := store.Presences(t.Context(), []string{bob.ID})
		must(t, err)
		return presences[0].Status
	}
	if got := status(); got != presence.Online {
		t.Errorf("while nobody knows the leases, bob is %s", got)
	}
	server.Do("DEL", leases)
	_, err := store.Sweep(t.Context(), 0)
	must(t, err)
	if got := status(); got != presence.Offline {
		t.Errorf("without a lease, bob is %s", got)
	}
}

// TestNoSweepOfAnotherFormat: what lies there isn't ours to judge.
func TestNoSweepOfAnotherFormat(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server, redis.Options{TailCheck: 50 * time.Millisecond})
	must(t, store.Connect(t.Context(), "theirs", "device", visitor(bob)))
	server.Do("HSET", redis.Prefixes()[0]+"record", "buckets", 32)
	eventually(t, "the store isn't ready", func() bool { return store.Ready(t.Context()) != nil })
	if _, err := store.Sweep(t.Context(), 0); err == nil {
		t.Error("it was swept")
	}
	presences, err := store.Presences(t.Context(), []string{bob.ID})
	must(t, err)
	if presences[0].Status != presence.Online {
		t.Errorf("bob is %s", presences[0].Status)
	}
}

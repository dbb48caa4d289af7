package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/chat"
	"parley/eventlog"
	"parley/presence"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// recorder keeps what a state topic's watcher is told: statuses, or who types.
type recorder struct {
	t        testing.TB
	mu       sync.Mutex
	told     []string
	versions []uint64
}

func record(t testing.TB, store *redis.Store, topic string) *recorder {
	t.Helper()
	rec := &recorder{t: t}
	stop, err := store.WatchState(t.Context(), topic, rec.sink)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return rec
}

func (rec *recorder) sink(values []eventlog.Value) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for _, v := range values {
		switch p := v.Payload.(type) {
		case *presence.Presence:
			rec.told = append(rec.told, string(p.Status))
		case *presence.Typing:
			var ids []string
			for _, u := range p.Users {
				ids = append(ids, u.ID)
			}
			rec.told = append(rec.told, strings.Join(ids, "+"))
		}
		rec.versions = append(rec.versions, v.Version)
	}
}

// until waits until the last thing told is want.
func (rec *recorder) until(want string) {
	rec.t.Helper()
	eventually(rec.t, "the watcher is told "+want, func() bool { return rec.last() == want })
}

// last is the last thing told.
func (rec *recorder) last() string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.told[len(rec.told)-1]
}

// story returns all that was told, the versions of which must grow.
func (rec *recorder) story() string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if !slices.IsSorted(rec.versions) || len(slices.Compact(slices.Clone(rec.versions))) != len(rec.versions) {
		rec.t.Errorf("the versions don't grow: %v", rec.versions)
	}
	return strings.Join(rec.told, " ")
}

func visitor(u chat.User) presence.User { return presence.User{ID: u.ID, Name: u.Name} }

// must fails the test on the first error.
func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func renew(t testing.TB, store *redis.Store, instance string) bool {
	t.Helper()
	held, err := store.Renew(t.Context(), instance, time.Minute)
	must(t, err)
	return held
}

func TestStatesOutliveTheirStore(t *testing.T) {
	server := redistest.Start(t)
	here, there := open(t, server, redis.Options{}), open(t, server, redis.Options{})
	room := newRoom(t, here, ada)
	online, typing := record(t, there, eventlog.PresenceTopic(ada.ID)), record(t, there, eventlog.TypingTopic(room))
	renew(t, here, "node")
	for range 3 {
		must(t, here.Connect(t.Context(), "node", "device", visitor(ada)))
		must(t, here.Disconnect(t.Context(), "node", "device", ada.ID, 0))
	}
	must(t, here.Connect(t.Context(), "node", "device", visitor(ada)))
	must(t, here.SetTyping(t.Context(), room, visitor(ada), time.Minute))
	online.until("ONLINE")
	typing.until("ada")

	server.Flush()
	t.Run("what is gone is told", func(t *testing.T) {
		online.until("OFFLINE")
		typing.until("")
	})
	t.Run("a lease that is gone isn't held", func(t *testing.T) {
		if renew(t, here, "node") {
			t.Error("it was renewed")
		}
		if renew(t, here, "node") {
			t.Error("it was taken again")
		}
	})
	t.Run("what is new is told, though the store counts anew", func(t *testing.T) {
		renew(t, here, "reborn")
		must(t, here.Connect(t.Context(), "reborn", "device", visitor(ada)))
		online.until("ONLINE")
		must(t, here.Disconnect(t.Context(), "reborn", "device", ada.ID, 0))
		online.until("OFFLINE")
		must(t, here.SetTyping(t.Context(), room, visitor(bob), time.Minute))
		typing.until("bob")
	})
	online.story()
	typing.story()
}

func TestLeaseOfAnOlderSnapshot(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server, redis.Options{})
	renew(t, store, "node")
	must(t, store.Connect(t.Context(), "node", "ghost", visitor(ada)))
	snapshot := server.Snapshot()
	must(t, store.Disconnect(t.Context(), "node", "ghost", ada.ID, 0))
	eventually(t, "the lease ends later than the snapshot says", func() bool {
		before := server.Do("ZSCORE", redis.Prefixes()[0]+"leases", "node")
		return renew(t, store, "node") && server.Do("ZSCORE", redis.Prefixes()[0]+"leases", "node") != before
	})
	server.RestoreSnapshot(snapshot)
	eventually(t, "the server is back", func() bool { return store.Ready(t.Context()) == nil })
	if renew(t, store, "node") {
		t.Fatal("the lease is held, though the store has an older one")
	}
	_, err := store.Sweep(t.Context(), 0)
	must(t, err)
	presences, err := store.Presences(t.Context(), []string{ada.ID})
	must(t, err)
	if presences[0].Status != presence.Offline {
		t.Errorf("the device that went before the restore is back: %+v", presences[0])
	}
}

func TestTypingIsToldOnceAcrossNodes(t *testing.T) {
	server := redistest.Start(t)
	here, there := open(t, server, redis.Options{}), open(t, server, redis.Options{})
	room := newRoom(t, here, ada)
	rec := record(t, there, eventlog.TypingTopic(room))
	for range 3 { // twice a mere refresh
		must(t, here.SetTyping(t.Context(), room, visitor(ada), time.Minute))
	}
	must(t, there.SetTyping(t.Context(), room, visitor(bob), 20*time.Millisecond))
	rec.until("ada+bob")
	eventually(t, "bob's typing has been swept", func() bool {
		for _, store := range []*redis.Store{here, there} {
			_, err := store.Sweep(t.Context(), 0)
			must(t, err)
		}
		return strings.HasSuffix(rec.story(), "+bob ada")
	})
	if got, want := rec.story(), " ada ada+bob ada"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

// TestStatesThatCanBeRead are told, though another one can't be for now.
func TestStatesThatCanBeRead(t *testing.T) {
	server := redistest.Start(t)
	mute, hearing := open(t, server, redis.Options{}), open(t, server, redis.Options{TailCheck: 50 * time.Millisecond})
	room := newRoom(t, mute, ada)
	typing := record(t, hearing, eventlog.TypingTopic(room))
	adas, bobs := record(t, hearing, eventlog.PresenceTopic(ada.ID)), record(t, hearing, eventlog.PresenceTopic(bob.ID))
	must(t, mute.Connect(t.Context(), "node", "device", visitor(bob)))
	bobs.until("ONLINE")

	prefix := redis.PrefixOf(bob.ID)
	key := prefix + "user:" + bob.ID
	server.Do("RENAME", key, key+":aside")
	server.Do("SET", key, "no hash")
	n := server.Do("HINCRBY", prefix+"bucket", "n", 1)
	if told := server.Do("PUBLISH", prefix+"presence", fmt.Sprintf("%d\n%s\nwhat can't be read", n, eventlog.PresenceTopic(bob.ID))); told != int64(1) {
		t.Fatalf("%v were told to read bob's presence again", told)
	}
	mute.LoseHints()
	must(t, mute.Connect(t.Context(), "node", "device", visitor(ada)), mute.SetTyping(t.Context(), room, visitor(ada), time.Minute))
	adas.until("ONLINE")
	typing.until("ada")

	server.Do("DEL", key)
	server.Do("HSET", key+":aside", "status", "OFFLINE", "version", 9)
	server.Do("RENAME", key+":aside", key)
	bobs.until("OFFLINE")
	bobs.story()
}

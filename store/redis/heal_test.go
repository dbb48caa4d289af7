package redis_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/chat"
	"parley/eventlog"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// insist appends until the store has taken it, under one idempotency key, as a client would.
func insist(t testing.TB, store *redis.Store, room, key string) {
	a := sending(room, ada, key)
	a.Message.ClientID, a.Message.Fingerprint = key, key
	for deadline := time.Now().Add(patience); ; {
		_, err := store.Append(t.Context(), a)
		if err == nil {
			return
		}
		if !errors.Is(err, eventlog.ErrUnavailable) || time.Now().After(deadline) {
			t.Errorf("%s: %v", key, err)
			return
		}
	}
}

// underLoad calls disturb while several senders insist on n messages each, and makes sure that a
// follower on another node reads all of them, once, in the order of the log.
func underLoad(t *testing.T, server *redistest.Server, n int, disturb func(sent func() int)) {
	const senders = 4
	here, there := open(t, server, redis.Options{}), open(t, server, redis.Options{})
	room := newRoom(t, here, ada)
	f := follow(t, there, room)
	var mu sync.Mutex
	done := 0
	sent := func() int {
		mu.Lock()
		defer mu.Unlock()
		return done
	}
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for j := range n {
				insist(t, here, room, fmt.Sprintf("%d/%d", i, j))
				mu.Lock()
				done++
				mu.Unlock()
			}
		})
	}
	disturb(sent)
	if err := f.until(1 + uint64(senders*n)); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	seen := map[string]bool{}
	for _, p := range f.read {
		seen[p.Payload.(*chat.Event).Message.Content] = true
	}
	if len(f.read) != senders*n || len(seen) != senders*n {
		t.Errorf("%d entries of %d messages, want %d", len(f.read), len(seen), senders*n)
	}
}

func TestLoadWhile(t *testing.T) {
	t.Run("pub/sub connections are killed", func(t *testing.T) {
		server := redistest.Start(t)
		underLoad(t, server, 400, func(sent func() int) {
			killed := int64(0)
			for step := 50; step <= 1500; step += 50 {
				eventually(t, "sending goes on", func() bool { return sent() >= step })
				killed += server.KillPubSub()
			}
			if killed == 0 {
				t.Error("there was no connection to kill")
			}
		})
	})
	t.Run("the server restarts", func(t *testing.T) {
		server := redistest.Start(t)
		underLoad(t, server, 200, func(sent func() int) {
			eventually(t, "half of it is sent", func() bool { return sent() >= 400 })
			server.Restart()
		})
	})
	t.Run("the server is killed", func(t *testing.T) {
		// "everysec" would keep what it acknowledged to itself for up to two seconds while a slow disk syncs.
		server := redistest.Start(t, "--appendfsync", "no")
		underLoad(t, server, 200, func(sent func() int) {
			eventually(t, "half of it is sent", func() bool { return sent() >= 400 })
			server.Kill()
			server.Restart()
		})
	})
}

func TestTwoNodesAreToldTheSameInOrder(t *testing.T) {
	const n = 300
	server := redistest.Start(t)
	stores := []*redis.Store{open(t, server, redis.Options{}), open(t, server, redis.Options{})}
	room := newRoom(t, stores[0], ada)
	followers := []*follower{follow(t, stores[0], room), follow(t, stores[1], room)}
	var all sync.WaitGroup
	for i, store := range stores {
		all.Go(func() {
			for j := range n {
				if _, err := store.Append(t.Context(), sending(room, ada, fmt.Sprint(i, "/", j))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var told [2][]eventlog.Publication
	for i, f := range followers {
		eventually(t, "all is told", func() bool {
			told[i], _ = f.heard()
			return len(told[i]) == 2*n
		})
		for j := 1; j < len(told[i]); j++ {
			if !told[i][j].Follows(told[i][j-1].Position) {
				t.Fatalf("%+v was told after %+v", told[i][j].Position, told[i][j-1].Position)
			}
		}
	}
	if diff := cmp.Diff(told[0], told[1]); diff != "" {
		t.Error(diff)
	}
}

func TestLostHints(t *testing.T) {
	server := redistest.Start(t)
	mute, hearing := open(t, server, redis.Options{}), open(t, server, redis.Options{})
	room := newRoom(t, hearing, ada)
	f := follow(t, hearing, room)
	mute.LoseHints()

	t.Run("are found by the tail check", func(t *testing.T) {
		start := time.Now()
		if _, err := mute.Append(t.Context(), sending(room, ada, "unheard")); err != nil {
			t.Fatal(err)
		}
		if err := f.until(2); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
		if told, looks := f.heard(); len(told) != 0 || looks < 1 {
			t.Errorf("%d publications told, %d looks", len(told), looks)
		}
	})
	t.Run("don't make those heard looked for", func(t *testing.T) {
		eventually(t, "the connection that heard nothing is open again", func() bool {
			_, err := hearing.Append(t.Context(), sending(room, ada, "can you hear me?"))
			must(t, err)
			told, _ := f.heard()
			return len(told) > 0
		})
		before, looked := f.heard()
		for i := range 3 {
			if _, err := hearing.Append(t.Context(), sending(room, ada, fmt.Sprint("heard ", i))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := mute.Append(t.Context(), sending(room, ada, "unheard again")); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the follower is told to look", func() bool {
			_, looks := f.heard()
			return looks > looked
		})
		if told, looks := f.heard(); len(told) < len(before)+3 || looks > looked+1 {
			t.Errorf("%d publications told after %d, %d looks after %d", len(told), len(before), looks, looked)
		}
	})
	t.Run("of states too", func(t *testing.T) {
		topic := eventlog.PresenceTopic(bob.ID)
		rec := record(t, hearing, topic)
		if err := mute.Connect(t.Context(), "node", "device", visitor(bob)); err != nil {
			t.Fatal(err)
		}
		rec.until("ONLINE")
	})
}

func TestFlush(t *testing.T) {
	server := redistest.Start(t)
	stores := []*redis.Store{open(t, server, redis.Options{}), open(t, server, redis.Options{})}
	room := newRoom(t, stores[0], ada)
	var followers []*follower
	for _, store := range stores {
		f := follow(t, store, room)
		insist(t, store, room, fmt.Sprint("before ", len(followers)))
		followers = append(followers, f)
	}
	for _, f := range followers {
		if err := f.until(3); err != nil {
			t.Fatal(err)
		}
	}
	server.Flush()
	t.Run("ends the logs that were", func(t *testing.T) {
		for _, f := range followers {
			if err := f.until(4); !errors.Is(err, eventlog.ErrNoLog) {
				t.Errorf("got %v", err)
			}
		}
	})
	t.Run("writes the record again", func(t *testing.T) {
		eventually(t, "the record is there", func() bool {
			return server.Do("EXISTS", redis.Prefixes()[0]+"record") == int64(1)
		})
	})
	t.Run("leaves a store that works", func(t *testing.T) {
		room := newRoom(t, stores[0], ada)
		f := follow(t, stores[1], room)
		insist(t, stores[0], room, "after")
		if err := f.until(2); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("is told where the same room comes again", func(t *testing.T) {
		general := chat.NewRoom{ID: chat.GeneralRoomID, Type: chat.Channel, Owner: &ada}
		if _, err := stores[0].CreateRoom(t.Context(), general); err != nil {
			t.Fatal(err)
		}
		insist(t, stores[0], general.ID, "in the first life")
		f := follow(t, stores[1], general.ID)
		server.Flush()
		if _, err := stores[0].CreateRoom(t.Context(), general); err != nil {
			t.Fatal(err)
		}
		var gap *eventlog.GapError
		if err := f.until(3); !errors.As(err, &gap) || gap.Reason != eventlog.HistoryLost {
			t.Errorf("got %v", err)
		}
	})
}

func TestOlderSnapshot(t *testing.T) {
	server := redistest.Start(t)
	stores := []*redis.Store{open(t, server, redis.Options{}), open(t, server, redis.Options{})}
	room := newRoom(t, stores[0], ada)
	insist(t, stores[0], room, "kept")
	snapshot := server.Snapshot()
	f := follow(t, stores[1], room)
	for i := range 3 {
		insist(t, stores[0], room, fmt.Sprint("lost ", i))
	}
	if err := f.until(5); err != nil {
		t.Fatal(err)
	}
	seen := f.at
	server.RestoreSnapshot(snapshot)

	var gap *eventlog.GapError
	if err := f.until(6); !errors.As(err, &gap) || gap.Reason != eventlog.HistoryLost || gap.Tail.Offset != 2 {
		t.Fatalf("after the restore: %v", err)
	}
	insist(t, stores[0], room, "grown over it") // at an offset that was once another's
	if _, err := stores[1].Read(t.Context(), room, f.read[0].Position, 10); !errors.As(err, &gap) {
		t.Fatalf("from an entry lost and replaced: %v", err)
	}
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			if err := stores[i%2].Fence(t.Context(), room, seen); err != nil {
				t.Errorf("Fence: %v", err)
			}
		})
	}
	all.Wait()
	page, err := stores[0].Read(t.Context(), room, eventlog.Position{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []eventlog.Kind
	for _, p := range page.Publications {
		kinds = append(kinds, p.Kind)
	}
	want := []eventlog.Kind{chat.KindMemberJoined, chat.KindMessageSent, chat.KindMessageSent, eventlog.KindReset}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	if page.Tail.Epoch == seen.Epoch {
		t.Error("the epoch hasn't changed")
	}
	f.at = page.Tail
	insist(t, stores[0], room, "live again")
	if err := f.until(5); err != nil {
		t.Fatal(err)
	}
}

// TestRecentIsCapped fills the set of recent topics of a room's bucket and lets an append trim it.
func TestRecentIsCapped(t *testing.T) {
	const full, change = 10_500, 20_000
	server := redistest.Start(t)
	store := open(t, server, redis.Options{})
	room := newRoom(t, store, ada)
	prefix := ""
	for _, p := range redis.Prefixes() {
		if server.Do("EXISTS", p+"room:"+room) == int64(1) {
			prefix = p
		}
	}
	f := follow(t, store, room)
	fill := []any{"ZADD", prefix + "recent"}
	for i := range full {
		fill = append(fill, i+1, fmt.Sprint("r_", i+1))
	}
	server.Do(fill...)
	server.Do("HSET", prefix+"bucket", "n", change-1)
	_, err := store.Append(t.Context(), sending(room, ada, "the one that trims"))
	must(t, err)
	if n := server.Do("ZCARD", prefix+"recent"); n != int64(10_000) {
		t.Errorf("%v topics are kept", n)
	}
	if evicted := server.Do("HGET", prefix+"bucket", "evicted"); evicted != "501" {
		t.Errorf("evicted up to %v, want 501", evicted)
	}
	eventually(t, "who was behind what was evicted is told to look", func() bool {
		_, looks := f.heard()
		return looks > 0
	})
}

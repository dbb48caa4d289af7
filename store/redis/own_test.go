package redis_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"parley/eventlog"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// TestOwnEntriesNeedNoHints: who watches a log is told of what this node appends as soon as it is done, whatever
// becomes of the hints.
func TestOwnEntriesNeedNoHints(t *testing.T) {
	server := redistest.Start(t)
	store, other := open(t, server, redis.Options{TailCheck: time.Hour}), open(t, server, redis.Options{})
	room := newRoom(t, store, ada)
	f := follow(t, store, room)
	send := func() {
		_, err := store.Append(t.Context(), sending(room, ada, "hello"))
		must(t, err)
	}
	send()
	eventually(t, "the first is told by its hint: what it follows isn't known before", func() bool {
		told, _ := f.heard()
		return len(told) == 1
	})
	store.LoseHints()
	for n := 2; n < 80; n++ { // more than may wait for their hints
		send()
		if told, _ := f.heard(); n <= 64 && len(told) != n {
			t.Fatalf("told of %d entries when %d are acknowledged", len(told), n)
		}
	}
	told, _ := f.heard()
	inOrder(t, told)
	if len(told) != 65 {
		t.Errorf("%d told ahead of their hints, want 64: no more are remembered", len(told)-1)
	}
	_, err := other.Append(t.Context(), sending(room, ada, "of another node"))
	must(t, err)
	eventually(t, "another node's hint comes", func() bool {
		told, _ := f.heard()
		return len(told) == 66
	})
	send()
	if told, _ := f.heard(); len(told) != 67 {
		t.Error("what is lost isn't waited for once later hints have come")
	}
}

// TestOwnEntriesAreToldOnce: the hints of what was handed over are dropped, and those of other nodes in between
// aren't.
func TestOwnEntriesAreToldOnce(t *testing.T) {
	server := redistest.Start(t)
	store, other := open(t, server, redis.Options{TailCheck: time.Hour}), open(t, server, redis.Options{})
	room := newRoom(t, store, ada)
	f := follow(t, store, room)
	const each = 200
	var senders sync.WaitGroup
	for _, s := range []*redis.Store{store, store, other} {
		senders.Go(func() {
			for i := range each {
				if _, err := s.Append(t.Context(), sending(room, ada, fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	senders.Wait()
	eventually(t, "all are told", func() bool {
		told, _ := f.heard()
		return len(told) >= 3*each
	})
	_, err := store.Append(t.Context(), sending(room, ada, "the end"))
	must(t, err)
	eventually(t, "the end is told", func() bool {
		told, _ := f.heard()
		return told[len(told)-1].Offset == 3*each+2
	})
	told, looks := f.heard()
	inOrder(t, told)
	if len(told) != 3*each+1 || looks > 0 {
		t.Errorf("told %d times of %d entries, and to look %d times", len(told), 3*each+1, looks)
	}
}

func inOrder(t *testing.T, told []eventlog.Publication) {
	t.Helper()
	for i := 1; i < len(told); i++ {
		if !told[i].Follows(told[i-1].Position) {
			t.Fatalf("%+v was told after %+v", told[i].Position, told[i-1].Position)
		}
	}
}

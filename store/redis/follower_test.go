package redis_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/eventlog"
	"parley/store/redis"
)

// patience is how long a test waits for a fact.
const patience = 20 * time.Second

// follower reads a log as a hub does: it goes to the log when it is told of news, and never else.
type follower struct {
	t     testing.TB
	store *redis.Store
	log   string
	at    eventlog.Position
	read  []eventlog.Publication
	wake  chan struct{}

	mu    sync.Mutex
	told  []eventlog.Publication
	looks int
}

// follow watches a log from its present tail until the test ends.
func follow(t testing.TB, store *redis.Store, log string) *follower {
	t.Helper()
	f := &follower{t: t, store: store, log: log, wake: make(chan struct{}, 1)}
	stop, err := store.Watch(t.Context(), log, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	f.at = tailOf(t, store, log)
	return f
}

func tailOf(t testing.TB, store *redis.Store, log string) eventlog.Position {
	t.Helper()
	page, err := store.Read(t.Context(), log, eventlog.Position{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return page.Tail
}

// Published implements eventlog.Watcher.
func (f *follower) Published(pubs []eventlog.Publication) {
	f.mu.Lock()
	f.told = append(f.told, pubs...)
	f.mu.Unlock()
	f.awake()
}

// Look implements eventlog.Watcher.
func (f *follower) Look() {
	f.mu.Lock()
	f.looks++
	f.mu.Unlock()
	f.awake()
}

func (f *follower) awake() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// heard returns what has been told so far.
func (f *follower) heard() (told []eventlog.Publication, looks int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.told), f.looks
}

// until reads on, each time it is woken, until the offset is reached. It returns the error that ends
// the log for this follower, if one does.
func (f *follower) until(offset uint64) error {
	f.t.Helper()
	late := time.After(patience)
	for f.at.Offset < offset {
		select {
		case <-f.wake:
		case <-late:
			told, looks := f.heard()
			f.t.Fatalf("the follower of %s is at %d, told of %d entries and to look %d times; the log is at %d, and should be at %d",
				f.log, f.at.Offset, len(told), looks, tailOf(f.t, f.store, f.log).Offset, offset)
		}
		if err := f.catchUp(); errors.Is(err, eventlog.ErrUnavailable) {
			f.awake() // as a hub would, it tries again
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) catchUp() error {
	for {
		page, err := f.store.Read(f.t.Context(), f.log, f.at, 100)
		if err != nil {
			return err
		}
		for _, p := range page.Publications {
			if !p.Follows(f.at) {
				f.t.Fatalf("%+v doesn't follow %+v", p, f.at)
			}
			f.at, f.read = p.Position, append(f.read, p)
		}
		if f.at.Offset == page.Tail.Offset {
			return nil
		}
	}
}

// eventually waits until fact holds.
func eventually(t testing.TB, what string, fact func() bool) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(patience); !fact(); <-poll.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

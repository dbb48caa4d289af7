package storetest

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"parley/chat"
	"parley/eventlog"
)

// follower is a watcher that keeps what it is told, and reads from the log what it wasn't: what the
// hub of a node does, in small.
type follower struct {
	rig
	log string
	at  eventlog.Position // everything up to here has been seen

	wake    chan struct{} // one signal, for news
	busy    atomic.Int32  // calls under way
	stopped atomic.Bool

	mu        sync.Mutex
	pubs      []eventlog.Publication
	look      bool
	published uint64 // the highest offset it was told of, not read
}

func newFollower(r rig, log string, at eventlog.Position) *follower {
	return &follower{rig: r, log: log, at: at, wake: make(chan struct{}, 1)}
}

// follow watches a log from a position on, until stop, which may be called once, or the test's end.
func (r rig) follow(log string, at eventlog.Position) (f *follower, stop func()) {
	r.Helper()
	f = newFollower(r, log, at)
	unwatch, err := r.Watch(r.Context(), log, f)
	r.must("Watch", err)
	once := sync.OnceFunc(func() { f.end(unwatch) })
	r.Cleanup(once)
	return f, once
}

// end stops the watch, after which no call may come, nor be under way.
func (f *follower) end(unwatch func()) {
	unwatch()
	f.stopped.Store(true)
	if n := f.busy.Load(); n != 0 {
		f.Errorf("stop returned while %d calls to the watcher were under way", n)
	}
}

func (f *follower) Published(pubs []eventlog.Publication) {
	for i := range pubs {
		if e, ok := pubs[i].Payload.(*chat.Event); ok && e.RoomID != f.log {
			f.Errorf("the watcher of %s is told of %s", f.log, e.RoomID)
		}
	}
	f.told(func() {
		f.pubs = append(f.pubs, pubs...)
		f.published = max(f.published, pubs[len(pubs)-1].Offset)
	})
}

func (f *follower) Look() { f.told(func() { f.look = true }) }

func (f *follower) told(news func()) {
	if f.busy.Add(1) != 1 {
		f.Errorf("two calls to one watcher at once")
	}
	defer f.busy.Add(-1)
	if f.stopped.Load() {
		f.Errorf("the watcher was called after stop")
	}
	runtime.Gosched() // widens the window for calls that shouldn't come
	f.mu.Lock()
	news()
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// until returns all publications from where the follower was up to an offset. It reads the log only
// where it was told to look or where what it was told has a gap.
func (f *follower) until(offset uint64) []eventlog.Publication {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	var seen []eventlog.Publication
	for f.at.Offset < offset {
		select {
		case <-f.wake:
		case <-ctx.Done():
			f.Fatalf("not told of %d within %v, only up to %d", offset, patience, f.at.Offset)
		}
		f.mu.Lock()
		pubs, look := f.pubs, f.look
		f.pubs, f.look = nil, false
		f.mu.Unlock()
		taken, gap := f.take(pubs)
		if seen = append(seen, taken...); look || gap {
			seen = append(seen, f.heal()...)
		}
	}
	return seen
}

// hears fails if the follower is deaf: told to look, in time, but never told of a publication. Single
// ones may be lost.
func (f *follower) hears(by chat.User) {
	f.Helper()
	for range 10 {
		offset := f.append(sending(f.log, by, "can you hear me?")).Event.Position.Offset
		f.until(offset)
		f.mu.Lock()
		told := f.published == offset
		f.mu.Unlock()
		if told {
			return
		}
	}
	f.Fatalf("of ten appends the watcher was told of none, it had to read them all")
}

// heal reads the log to its tail.
func (f *follower) heal() []eventlog.Publication {
	f.Helper()
	var read []eventlog.Publication
	for {
		page := f.read(f.log, f.at, 1000)
		taken, gap := f.take(page.Publications)
		if read = append(read, taken...); f.at == page.Tail {
			return read
		}
		if gap || len(taken) == 0 {
			f.Fatalf("the page after %+v leads to %+v, not to the tail %+v", f.at, taken, page.Tail)
		}
	}
}

// take goes on over the publications that follow, and reports whether there was a gap.
func (f *follower) take(pubs []eventlog.Publication) (taken []eventlog.Publication, gap bool) {
	for i := range pubs {
		switch p := pubs[i]; {
		case p.Offset <= f.at.Offset: // old news
		case p.Follows(f.at):
			f.at = p.Position
			taken = append(taken, p)
		default:
			return taken, true
		}
	}
	return taken, false
}

package delivery_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"parley/delivery"
	"parley/eventlog"
)

// disturbances are what may happen to hints; each returns what was appended meanwhile.
var disturbances = map[string]func(w world) []*entry{
	"hints as they should be": func(w world) []*entry { return w.log.notes(room, 10) },
	"every hint twice": func(w world) []*entry {
		w.log.setHint(func(watcher eventlog.Watcher, p eventlog.Publication) {
			watcher.Published([]eventlog.Publication{p})
			watcher.Published([]eventlog.Publication{p, p})
		})
		return w.log.notes(room, 10)
	},
	"old hints again and again": func(w world) []*entry {
		var old []eventlog.Publication
		w.log.setHint(func(watcher eventlog.Watcher, p eventlog.Publication) {
			old = append(old, p)
			watcher.Published(slices.Clone(old))
		})
		return w.log.notes(room, 10)
	},
	"a hint lost, the next one comes": func(w world) (all []*entry) {
		w.log.silently(func() { all = w.log.notes(room, 3) })
		return append(all, w.log.notes(room, 1)...)
	},
	"hints lost, word to look": func(w world) (all []*entry) {
		w.log.silently(func() { all = w.log.notes(room, 500) })
		w.log.look(room)
		return all
	},
	"hints in reverse order": func(w world) []*entry {
		var late []eventlog.Publication
		var to eventlog.Watcher
		w.log.setHint(func(watcher eventlog.Watcher, p eventlog.Publication) {
			to, late = watcher, append(late, p)
		})
		all := w.log.notes(room, 10)
		for _, p := range slices.Backward(late) {
			to.Published([]eventlog.Publication{p})
		}
		return all
	},
	"more hints at once than may wait": func(w world) []*entry {
		var late []eventlog.Publication
		var to eventlog.Watcher
		w.log.setHint(func(watcher eventlog.Watcher, p eventlog.Publication) {
			to, late = watcher, append(late, p)
		})
		all := w.log.notes(room, 50)
		to.Published(late)
		return all
	},
	"word to look while the log is being read, and nothing more": func(w world) []*entry {
		return duringRead(w, func() (all []*entry) {
			w.log.silently(func() { all = w.log.notes(room, 3) })
			w.log.look(room)
			return all
		})
	},
	"a gap in the hints while the log is being read, and nothing more": func(w world) []*entry {
		return duringRead(w, func() (all []*entry) {
			w.log.silently(func() { all = w.log.notes(room, 3) })
			return append(all, w.log.notes(room, 1)...)
		})
	},
	"more hints than may be held while the log is being read": func(w world) []*entry {
		return duringRead(w, func() []*entry { return w.log.notes(room, 50) })
	},
	"more hints than may be held, one after the other": func(w world) []*entry {
		return duringRead(w, func() (all []*entry) {
			for range 50 {
				all = append(all, w.log.notes(room, 1)...)
				time.Sleep(time.Millisecond)
			}
			return all
		})
	},
	"the store fails while the log is read": func(w world) (all []*entry) {
		w.log.set(func(l *fakeLog) { l.down = true })
		w.log.silently(func() { all = w.log.notes(room, 3) })
		w.log.look(room)
		time.Sleep(time.Minute)
		all = append(all, w.log.notes(room, 3)...)
		w.log.set(func(l *fakeLog) { l.down = false })
		return all
	},
}

// TestOrder disturbs the hints of a live subscription in one way after the other: it sees every
// entry once, in the order of the log, all the same.
func TestOrder(t *testing.T) {
	for name, disturb := range disturbances {
		t.Run(name, func(t *testing.T) {
			inWorld(t, delivery.Options{MaxPending: 8, PageSize: 7}, func(w world) {
				c := w.subscribe(forOne("ada"))
				w.settle()
				before := w.log.notes(room, 3)
				w.settle()
				all := append(before, disturb(w)...)
				time.Sleep(time.Minute) // of retries, if any
				c.saw(names(all...)...)
				w.log.setHint(nil)
				c.goesOn()
			})
		})
	}
}

// duringRead has the topic read the log, and something happen after the page was read and before it
// is taken.
func duringRead(w world, something func() []*entry) (all []*entry) {
	done := make(chan struct{})
	once := onlyFirst(func() {
		defer close(done)
		all = something()
		time.Sleep(time.Millisecond) // until the topic has heard of it
	})
	w.log.set(func(l *fakeLog) { l.onRead = func(eventlog.Position, eventlog.Page) { once() } })
	w.log.look(room)
	<-done
	return all
}

// TestStaleHints: hints of a history that the log no longer has, or of entries too old to be
// remembered, cost a reading, but not one after the other.
func TestStaleHints(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		c := w.subscribe(forOne("ada"))
		w.settle()
		all := w.log.notes(room, 1000)
		w.settle()
		foreign := all[998].Publication
		foreign.Check++
		ahead := all[999].Publication
		ahead.Offset += 5
		for name, p := range map[string]eventlog.Publication{
			"another history's": foreign, "ahead of the log": ahead, "too old": all[3].Publication,
		} {
			before, _ := w.log.count()
			w.log.set(func(l *fakeLog) { l.logs[room].watchers[0].Published([]eventlog.Publication{p}) })
			time.Sleep(time.Minute)
			if reads, _ := w.log.count(); reads != before+1 {
				t.Errorf("%s: %d readings, want 1", name, reads-before)
			}
		}
		c.saw(names(all...)...)
		c.goesOn()
	})
}

// TestNewsWhileOpening: whatever the engine tells, or fails to tell, between the watch and the
// moment a subscription becomes live, nothing is missed.
func TestNewsWhileOpening(t *testing.T) {
	for name, tell := range map[string]func(w world) []*entry{
		"hints":        func(w world) []*entry { return w.log.notes(room, 2) },
		"word to look": func(w world) []*entry { return silentNotes(w, 2, true) },
		"hints, more than may wait": func(w world) []*entry {
			var late []eventlog.Publication
			w.log.setHint(func(_ eventlog.Watcher, p eventlog.Publication) { late = append(late, p) })
			all := w.log.notes(room, 20)
			w.log.set(func(l *fakeLog) { l.logs[room].watchers[0].Published(late) })
			return all
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, delivery.Options{MaxPending: 8}, func(w world) {
				all := w.log.notes(room, 5)
				more := []*entry{}
				once := onlyFirst(func() { more = tell(w) })
				w.log.set(func(l *fakeLog) { l.onRead = func(eventlog.Position, eventlog.Page) { once() } })
				c := w.subscribe(forOne("ada"))
				w.settle()
				c.saw(names(append(all, more...)...)...)
				w.log.setHint(nil)
				c.goesOn()
			})
		})
	}
}

// silentNotes appends notes without hints, and may tell the watches to look.
func silentNotes(w world, n int, look bool) (all []*entry) {
	w.log.silently(func() { all = w.log.notes(room, n) })
	if look {
		w.log.look(room)
	}
	return all
}

// TestBrokenLog: a log that can't be read, though the store answers, ends its subscriptions; silence
// would be worse.
func TestBrokenLog(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		live := w.subscribe(forOne("ada"))
		w.settle()
		w.log.set(func(l *fakeLog) { l.broken = errors.New("bad entry") })
		silentNotes(w, 1, true)
		replaying := w.subscribe(forOne("bob"))
		live.endedBy("bad entry")
		replaying.endedBy("bad entry")
		w.log.set(func(l *fakeLog) { l.broken = nil })
		w.subscribe(forOne("ada")).goesOn()
	})
}

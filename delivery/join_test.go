package delivery_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"parley/delivery"
	"parley/eventlog"
)

// from is where a subscription starts that has seen an entry.
func from(e *entry) eventlog.Cursor {
	return eventlog.Cursor{Kind: eventlog.CursorLog, Log: room, Position: e.Position, Seq: e.Seq}
}

func startingAt(sub delivery.Subscription, at eventlog.Cursor) delivery.Subscription {
	sub.Spec.Start = at
	return sub
}

// TestHandOver: from each start, and with news at each moment, a subscription sees what comes after
// its start once and in order, first from the log, then live.
func TestHandOver(t *testing.T) {
	for _, start := range []int{0, 1, 50, 94, 97, 99, 100} {
		for moment := range 6 {
			t.Run(fmt.Sprint("from ", start, ", news at moment ", moment), func(t *testing.T) {
				inWorld(t, delivery.Options{PageSize: 10}, func(w world) { handOver(w, start, moment) })
			})
		}
	}
}

// handOver lets a second subscription come to a live topic, and appends 3 entries at the n-th of
// the moments at which its replay may be interrupted.
func handOver(w world, start, moment int) {
	all := w.log.notes(room, 90)
	first := w.subscribe(startingAt(forOne("ada"), from(all[89])))
	w.settle()
	all = append(all, w.log.notes(room, 10)...)
	w.settle()

	passed := 0
	var mu sync.Mutex
	interrupt := func() {
		mu.Lock()
		defer mu.Unlock()
		if passed == moment {
			all = append(all, w.log.notes(room, 3)...)
		}
		passed++
	}
	w.log.set(func(l *fakeLog) { l.onRead = func(eventlog.Position, eventlog.Page) { interrupt() } })
	sub := forOne("bob")
	sub.Group = "another"
	sub.Renderer = &renderer{instead: func(context.Context, delivery.Source) ([]byte, error) {
		interrupt()
		return nil, nil
	}}
	if start > 0 {
		sub = startingAt(sub, from(all[start-1]))
	}
	second := w.subscribe(sub)
	w.settle()
	mu.Lock()
	moment = -1 // has passed, or never comes
	mu.Unlock()
	all = append(all, w.log.notes(room, 1)...)
	second.saw(names(all[start:]...)...)
	first.saw(names(all[90:]...)...)
}

// TestRecentWithoutStore: whoever comes back a moment late is served from memory, even one who
// lacks dozens of entries.
func TestRecentWithoutStore(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		w.subscribe(forOne("ada"))
		w.settle()
		all := w.log.notes(room, 1000)
		w.settle()
		before, _ := w.log.count()
		for _, behind := range []int{0, 1, 4, 5, 60, 128} {
			c := w.subscribe(startingAt(forOne("ada"), from(all[len(all)-1-behind])))
			c.saw(names(all[len(all)-behind:]...)...)
		}
		reads, _ := w.log.count()
		w.same("readings", reads-before, 0)
		w.subscribe(startingAt(forOne("ada"), from(all[500]))).saw(names(all[501:]...)...)
	})
}

// TestAhead: a subscription that has read further than the hints have come waits for the topic, and
// doesn't see twice what they tell then.
func TestAhead(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		first := w.subscribe(forOne("ada"))
		w.settle()
		var late []eventlog.Publication
		var to eventlog.Watcher
		w.log.setHint(func(watcher eventlog.Watcher, p eventlog.Publication) { to, late = watcher, append(late, p) })
		all := w.log.notes(room, 5)
		second := w.subscribe(forOne("bob"))
		second.saw(names(all...)...)
		w.log.setHint(nil)
		to.Published(late)
		first.saw(names(all...)...)
		second.saw(names(all...)...)
		second.goesOn()
		first.goesOn()
	})
}

// TestAheadOfALostTail: what a newcomer has read beyond the topic is lost and grown again before the
// topic hears of it. Nobody takes the new entries for the old ones.
func TestAheadOfALostTail(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		first := w.subscribe(withResets("ada"))
		w.settle()
		all := silentNotes(w, 3, false)
		once := onlyFirst(func() {
			w.log.truncate(room, 2)
			w.log.silently(func() { w.log.notes(room, 1) })
		})
		w.log.set(func(l *fakeLog) {
			l.onRead = func(_ eventlog.Position, page eventlog.Page) {
				if len(page.Publications) == 3 {
					once()
				}
			}
		})
		second := w.subscribe(withResets("bob"))
		w.settle()
		second.saw(append(names(all...), "reset:history_lost")...)
		first.goesOn()
		second.goesOn()
		w.same("resets of the first", count(first.seen(), "reset:history_lost"), 1)
	})
}

// TestWaitingWhenLost: one who waits for the topic, being ahead of it, when the topic finds history
// lost.
func TestWaitingWhenLost(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		first := w.subscribe(withResets("ada"))
		w.settle()
		all := w.log.notes(room, 3)
		w.settle()
		all = append(all, silentNotes(w, 2, false)...)
		lost := onlyFirst(func() { w.log.truncate(room, 2) })
		w.log.set(func(l *fakeLog) { l.onRead = func(eventlog.Position, eventlog.Page) { lost() } })
		second := w.subscribe(withResets("bob"))
		second.saw(append(names(all...), lostShown)...)
		first.saw(append(names(all[:3]...), lostShown)...)
		second.goesOn()
		first.goesOn()
	})
}

// TestPlacedInALostHistory: one who read the log's tail before it was lost joins after the topic has
// found that out, and nobody is left who could have told it where the log goes on.
func TestPlacedInALostHistory(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		all := w.log.notes(room, 5)
		first := w.subscribe(startingAt(forOne("ada"), from(all[4])))
		w.settle()
		lose := onlyFirst(func() {
			w.log.truncate(room, 2)
			w.log.look(room)
			time.Sleep(time.Second)
		})
		w.log.set(func(l *fakeLog) {
			l.onRead = func(after eventlog.Position, _ eventlog.Page) {
				if after.Offset == 0 {
					lose()
				}
			}
		})
		second := w.subscribe(withResets("bob"))
		time.Sleep(time.Minute)
		first.endedBy("history lost, on at 3")
		second.saw(append(names(all...), lostShown)...)
		second.goesOn()
	})
}

// TestNewcomerHoldsNobody: what a newcomer lacks is rendered beside the group it will join.
func TestNewcomerHoldsNobody(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		sub := forOne("ada")
		first := w.subscribe(sub)
		w.settle()
		all := w.log.notes(room, 50)
		w.settle()
		hold, old := make(chan struct{}), all[20].Payload
		sub.Renderer.(*renderer).instead = func(_ context.Context, source delivery.Source) ([]byte, error) {
			if source.Payload == old {
				<-hold
			}
			return nil, nil
		}
		second := w.subscribe(startingAt(sub, from(all[9])))
		first.goesOn()
		all = append(all, w.log.at(w.log.tail(room).Position))
		close(hold)
		second.saw(names(all[10:]...)...)
	})
}

func count(words []string, word string) (n int) {
	for _, w := range words {
		if w == word {
			n++
		}
	}
	return n
}

// TestEmptyLog: the zero cursor is good for a log of any epoch, empty or not.
func TestEmptyLog(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		c := w.subscribe(forOne("ada"))
		w.settle()
		before, _ := w.log.count()
		e := w.log.append(room, kindNote)
		c.saw(names(e)...)
		reads, _ := w.log.count()
		w.same("readings for the first entry", reads-before, 0)
	})
}

// TestForgedSeq: a cursor's seq is the client's word; nobody else is told it.
func TestForgedSeq(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		all := w.log.notes(room, 5)
		forged := from(all[4])
		forged.Seq = 1 << 40
		w.subscribe(startingAt(forOne("eve"), forged))
		w.settle()
		c := w.subscribe(startingAt(forOne("bob"), from(all[4])))
		w.settle()
		w.subscribe(startingAt(forOne("eve"), forged))
		w.settle()
		silent := w.log.append(room, kindSilent)
		w.settle()
		if cursor, moved := c.moved(); !moved || cursor != from(silent) {
			t.Errorf("told %+v, want %+v", cursor, from(silent))
		}
	})
}

// TestCloseAtEveryMoment closes a subscription while it waits, reads, renders, joins: it sees
// nothing more, isn't told of an end, and leaves nothing behind.
func TestCloseAtEveryMoment(t *testing.T) {
	moments := map[string]func(w world, reached func()){
		"before the watch is confirmed": func(w world, reached func()) {
			w.log.set(func(l *fakeLog) { l.onWatch = func(string) { reached() } })
		},
		"while reading": func(w world, reached func()) {
			w.log.set(func(l *fakeLog) { l.onRead = func(eventlog.Position, eventlog.Page) { reached() } })
		},
		"at the last page": func(w world, reached func()) {
			w.log.set(func(l *fakeLog) {
				l.onRead = func(after eventlog.Position, _ eventlog.Page) {
					if after.Offset == 10 {
						reached()
					}
				}
			})
		},
	}
	for name, arm := range moments {
		t.Run(name, func(t *testing.T) {
			inWorld(t, delivery.Options{PageSize: 10}, func(w world) {
				for range 20 {
					w.log.append(room, kindSilent)
				}
				at, on := make(chan struct{}), make(chan struct{})
				arm(w, onlyFirst(func() { close(at); <-on }))
				c := w.subscribe(forOne("ada"))
				<-at
				c.sub.Close()
				close(on)
				gone(w, c)
			})
		})
	}
}

// TestCloseWhileServed is the same for moments of which the log knows nothing.
func TestCloseWhileServed(t *testing.T) {
	t.Run("while rendering", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			w.log.notes(room, 20)
			at := make(chan struct{}, 100)
			sub := forOne("ada")
			sub.Renderer = &renderer{instead: func(ctx context.Context, _ delivery.Source) ([]byte, error) {
				at <- struct{}{}
				<-ctx.Done()
				return nil, ctx.Err()
			}}
			c := w.subscribe(sub)
			<-at
			c.sub.Close()
			gone(w, c)
		})
	})
	t.Run("while a slow connection has no room", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			w.log.notes(room, 500)
			conn := newConnection(1000)
			conn.stop()
			c := w.subscribeOn(conn, forOne("ada"))
			w.settle()
			c.sub.Close()
			conn.resume()
			gone(w, c)
			w.same("overflows", conn.overflows.Load(), int64(0))
		})
	})
	t.Run("its lane first", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			w.log.notes(room, 500)
			conn := newConnection(1000)
			conn.stop()
			c := w.subscribeOn(conn, forOne("ada"))
			w.settle()
			c.lane.Close()
			conn.resume()
			w.settle()
			c.sub.Close()
			gone(w, c)
		})
	})
	t.Run("while the store is away and the topic heals", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			other := w.subscribe(forOne("ada"))
			w.settle()
			w.log.notes(room, 5)
			w.settle()
			w.log.set(func(l *fakeLog) { l.down = true })
			w.log.look(room)
			w.settle()
			c := w.subscribe(startingAt(forOne("bob"), w.log.tail(room)))
			w.settle() // waits for the healing's end
			c.sub.Close()
			w.settle()
			w.log.set(func(l *fakeLog) { l.down = false })
			time.Sleep(time.Minute)
			other.goesOn()
			w.same("seen", c.seen(), []string{})
		})
	})
	t.Run("while live", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			c := w.subscribe(forOne("ada"))
			w.settle()
			c.sub.Close()
			w.log.notes(room, 3)
			gone(w, c)
		})
	})
}

// gone fails if anything comes of a client that was closed before it saw anything.
func gone(w world, c *client) {
	w.Helper()
	w.settle()
	w.same("seen", c.seen(), []string{})
	w.same("ends", c.ends(), []string{})
	w.same("watches", w.log.watches(room), 0)
	c.sub.Close()
	if _, moved := c.sub.Moved(); moved {
		w.Error("a closed subscription has a position to tell")
	}
}

package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"parley/delivery"
	"parley/eventlog"
)

const (
	lostShown    = "reset:history_lost"
	trimmedShown = "reset:trimmed"
)

// TestLostTail puts the log back to an older snapshot under live subscriptions: one reset each, at
// the same place, and on they go.
func TestLostTail(t *testing.T) {
	for name, notice := range map[string]func(w world){
		"noticed by the tail check":          func(w world) { w.log.look(room) },
		"noticed by the next entry":          func(w world) { w.log.notes(room, 1) },
		"noticed when it has grown as long":  func(w world) { silentNotes(w, 4, false); w.log.notes(room, 1) },
		"noticed when it has grown longer":   func(w world) { silentNotes(w, 40, false); w.log.notes(room, 1) },
		"noticed by another node's fence":    fenceElsewhere,
		"noticed with the store away":        lookAndFail,
		"noticed with hints of the old left": func(w world) { w.log.look(room); w.log.look(room); w.log.notes(room, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, delivery.Options{PageSize: 7}, func(w world) {
				shows := []*client{w.subscribe(withResets("ada")), w.subscribe(withResets("bob"))}
				ends := w.subscribe(forOne("cyd"))
				w.settle()
				old := names(w.log.notes(room, 10)...)
				w.settle()
				w.log.truncate(room, 6)
				notice(w)
				time.Sleep(time.Minute)
				for _, c := range shows {
					c.goesOn()
					w.same("resets", count(c.seen(), lostShown), 1)
					w.same("history before the reset", c.seen()[:11], append(old, lostShown))
				}
				ends.saw(old...)
				w.settle()
				if n := len(ends.ends()); n != 1 {
					t.Fatalf("a subscription that shows no reset has ended %d times", n)
				}
				if _, fences := w.log.count(); fences != 1 {
					t.Errorf("%d fences, want 1", fences)
				}
			})
		})
	}
}

func fenceElsewhere(w world) {
	seen := eventlog.Position{Epoch: w.log.tail(room).Position.Epoch, Offset: 99, Check: 1}
	if err := w.log.Fence(context.Background(), room, seen); err != nil {
		w.Fatal(err)
	}
}

func lookAndFail(w world) {
	w.log.look(room)
	w.log.set(func(l *fakeLog) { l.down = true })
	time.Sleep(20 * time.Second)
	w.log.set(func(l *fakeLog) { l.down = false })
}

// TestResetCursor: the reset's cursor is after the fence, and so is the end's: going on from there
// neither repeats the reset nor misses anything.
func TestResetCursor(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		shows, ends := w.subscribe(withResets("ada")), w.subscribe(forOne("bob"))
		w.settle()
		w.log.notes(room, 10)
		w.settle()
		w.log.truncate(room, 6)
		w.log.look(room)
		w.settle()
		tail := w.log.tail(room)
		ends.endedBy(fmt.Sprint("history lost, on at ", tail.Position.Offset))
		read := shows.conn.read(shows.name)
		w.same("the reset's cursor", read[len(read)-1].cursor, tail)
		all := w.log.notes(room, 3)
		again := w.subscribe(startingAt(withResets("ada"), tail))
		again.saw(names(all...)...)
	})
}

// TestFenceFollowed: a fence of another node, of which this one's history is the whole, is an entry
// like others: whoever shows no resets doesn't notice.
func TestFenceFollowed(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		shows, quiet := w.subscribe(withResets("ada")), w.subscribe(forOne("bob"))
		w.settle()
		all := w.log.notes(room, 5)
		fenceElsewhere(w)
		w.settle()
		shows.saw(append(names(all...), lostShown)...)
		shows.goesOn()
		quiet.goesOn()
		w.same("ends", quiet.ends(), []string{})
	})
}

// TestGapAtStart: a cursor that the log can't continue from.
func TestGapAtStart(t *testing.T) {
	type gap struct {
		at    func(w world, all []*entry) eventlog.Cursor
		shown string
		end   string
	}
	for name, test := range map[string]gap{
		"trimmed": {
			func(w world, all []*entry) eventlog.Cursor { w.log.trim(room, 5); return from(all[2]) }, trimmedShown, "trimmed, on at 10",
		},
		"trimmed, but the next entry is there": {
			func(w world, all []*entry) eventlog.Cursor { w.log.trim(room, 5); return from(all[4]) }, "", "",
		},
		"beyond the tail": {
			func(w world, all []*entry) eventlog.Cursor { c := from(all[9]); c.Position.Offset += 5; return c }, lostShown, "history lost, on at 10",
		},
		"another check": {
			func(w world, all []*entry) eventlog.Cursor { c := from(all[4]); c.Position.Check++; return c }, lostShown, "history lost, on at 10",
		},
		"another epoch": {
			func(w world, all []*entry) eventlog.Cursor { c := from(all[4]); c.Position.Epoch++; return c }, lostShown, "history lost, on at 10",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, delivery.Options{}, func(w world) {
				all := w.log.notes(room, 10)
				w.subscribe(startingAt(forOne("cyd"), from(all[9]))) // somebody is live already
				at := test.at(w, all)
				shows, ends := w.subscribe(startingAt(withResets("ada"), at)), w.subscribe(startingAt(forOne("bob"), at))
				w.settle()
				if test.shown == "" {
					shows.saw(names(all[5:]...)...)
					ends.saw(names(all[5:]...)...)
					return
				}
				shows.saw(test.shown)
				shows.goesOn()
				ends.saw()
				ends.endedBy(test.end)
				if _, fences := w.log.count(); fences != 0 {
					t.Error("a client's word has fenced the log")
				}
			})
		})
	}
}

// TestMomentaryGap: a store that answers once as if history were lost, as one does in the midst of a
// failover, is asked again.
func TestMomentaryGap(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		live := w.subscribe(forOne("ada"))
		w.settle()
		all := w.log.notes(room, 3)
		w.settle()
		flicker := flickering{fakeLog: w.log}
		hub := delivery.NewHub(&flicker, delivery.Options{})
		defer hub.Close()
		other := w
		other.hub = hub
		c := other.subscribe(startingAt(forOne("bob"), from(all[1])))
		c.saw(names(all[2])...)
		flicker.arm()
		w.log.look(room)
		more := silentNotes(w, 1, true)
		c.saw(names(append(all[2:], more...)...)...)
		c.goesOn()
		w.same("ends", append(c.ends(), live.ends()...), []string{})
	})
}

// flickering answers the next reading as if history were lost.
type flickering struct {
	*fakeLog
	mu    sync.Mutex
	armed bool
}

func (f *flickering) arm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = true
}

func (f *flickering) Read(ctx context.Context, log string, after eventlog.Position, limit int) (eventlog.Page, error) {
	f.mu.Lock()
	armed := f.armed
	f.armed = false
	f.mu.Unlock()
	if armed {
		return eventlog.Page{}, &eventlog.GapError{Reason: eventlog.HistoryLost}
	}
	return f.fakeLog.Read(ctx, log, after, limit)
}

// TestTrimmedUnderTheTopic: an outage longer than the log is kept.
func TestTrimmedUnderTheTopic(t *testing.T) {
	inWorld(t, delivery.Options{PageSize: 3}, func(w world) {
		var all []*entry
		backfilled := forOne("cyd")
		backfilled.Spec.Backfill = backfillFrom(w, &all, 2)
		slow := backfilled
		hold := make(chan struct{})
		slow.Spec.Authorize = func(ctx context.Context) (delivery.Access, error) {
			<-hold
			return everything(ctx)
		}
		slow.Group = "slow"
		shows, ends := w.subscribe(withResets("ada")), w.subscribe(forOne("bob"))
		reads, late := w.subscribe(backfilled), w.subscribe(slow)
		w.settle()
		all = w.log.notes(room, 5)
		w.settle()
		all = append(all, silentNotes(w, 20, false)...)
		w.log.trim(room, 15)
		w.log.look(room)
		w.settle()
		shows.saw(append(names(all[:5]...), trimmedShown)...)
		ends.endedBy("trimmed, on at 25")
		reads.saw(names(all...)...)
		// The topic has moved on when the last of them comes: what it lacks is counted from where
		// itself had been.
		all = append(all, w.log.notes(room, 5)...)
		w.settle()
		close(hold)
		for _, c := range []*client{reads, late} {
			c.saw(names(all...)...)
		}
		all = append(all, w.log.notes(room, 1)...)
		reads.saw(names(all...)...)
		late.saw(names(all...)...)
		shows.goesOn()
	})
}

// backfillFrom reads the notes of all by their seq, at most some at a time.
func backfillFrom(w world, all *[]*entry, most int) func(context.Context, uint64, int) ([]eventlog.Publication, error) {
	return func(_ context.Context, seq uint64, limit int) (pubs []eventlog.Publication, err error) {
		w.log.mu.Lock()
		defer w.log.mu.Unlock()
		for _, e := range *all {
			if e.Kind == kindNote && e.Seq > seq && len(pubs) < min(limit, most) {
				pubs = append(pubs, e.Publication)
			}
		}
		return pubs, nil
	}
}

// TestBackfill: a trimmed cursor, what is left to read elsewhere, and how that may fail.
func TestBackfill(t *testing.T) {
	type backfill func(w world, all *[]*entry) func(context.Context, uint64, int) ([]eventlog.Publication, error)
	for name, test := range map[string]struct {
		backfill backfill
		sees     []int // offsets
		end      string
	}{
		"whole pages": {func(w world, all *[]*entry) func(context.Context, uint64, int) ([]eventlog.Publication, error) {
			return backfillFrom(w, all, 100)
		}, []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, ""},
		"fewer than asked for": {func(w world, all *[]*entry) func(context.Context, uint64, int) ([]eventlog.Publication, error) {
			return backfillFrom(w, all, 3)
		}, []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, ""},
		"fails": {func(w world, all *[]*entry) func(context.Context, uint64, int) ([]eventlog.Publication, error) {
			return func(context.Context, uint64, int) ([]eventlog.Publication, error) { return nil, errors.New("broken") }
		}, nil, "broken"},
		"the store is away for a while": {func(w world, all *[]*entry) func(context.Context, uint64, int) ([]eventlog.Publication, error) {
			tries, read := 0, backfillFrom(w, all, 100)
			return func(ctx context.Context, seq uint64, limit int) ([]eventlog.Publication, error) {
				if tries++; tries < 5 {
					return nil, fmt.Errorf("wrapped: %w", eventlog.ErrUnavailable)
				}
				return read(ctx, seq, limit)
			}
		}, []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, delivery.Options{PageSize: 4}, func(w world) {
				all := w.log.notes(room, 10)
				w.log.trim(room, 8)
				sub := startingAt(forOne("ada"), from(all[1]))
				sub.Spec.Backfill = test.backfill(w, &all)
				c := w.subscribe(sub)
				time.Sleep(time.Minute)
				if test.end != "" {
					c.endedBy(test.end)
					return
				}
				w.settle()
				all = append(all, w.log.notes(room, 2)...)
				var want []string
				for _, offset := range test.sees {
					want = append(want, names(all[offset-1])...)
				}
				c.saw(want...)
			})
		})
	}
}

// TestLostWhileJoining: those who are on their way when history is lost see one reset, too.
func TestLostWhileJoining(t *testing.T) {
	for name, moment := range map[string]func(all []*entry, page eventlog.Page, after eventlog.Position) bool{
		"at its first page":  func(_ []*entry, _ eventlog.Page, after eventlog.Position) bool { return after.Offset == 0 },
		"at its second page": func(_ []*entry, _ eventlog.Page, after eventlog.Position) bool { return after.Offset == 5 },
		"at its last page":   func(_ []*entry, page eventlog.Page, after eventlog.Position) bool { return after.Offset == 10 },
	} {
		for fate, lose := range map[string]func(w world){
			"and all notice":  func(w world) { w.log.truncate(room, 4); w.log.look(room) },
			"and none notice": func(w world) { w.log.truncate(room, 4); silentNotes(w, 20, false) },
			"and it was fenced already": func(w world) {
				w.log.truncate(room, 4)
				w.log.silently(func() { fenceElsewhere(w) })
			},
		} {
			t.Run(name+" "+fate, func(t *testing.T) {
				inWorld(t, delivery.Options{PageSize: 5}, func(w world) {
					all := w.log.notes(room, 12)
					first := w.subscribe(startingAt(withResets("ada"), from(all[11])))
					w.settle()
					once := onlyFirst(func() { lose(w); time.Sleep(time.Second) })
					w.log.set(func(l *fakeLog) {
						l.onRead = func(after eventlog.Position, page eventlog.Page) {
							if moment(all, page, after) {
								once()
							}
						}
					})
					c := w.subscribe(withResets("bob"))
					time.Sleep(time.Minute)
					w.log.look(room)
					c.goesOn()
					first.goesOn()
					w.same("resets of the newcomer", count(c.seen(), lostShown), 1)
					w.same("resets of the one who was live", count(first.seen(), lostShown), 1)
				})
			})
		}
	}
}

// TestNoLog: a log that isn't there (any more) ends every subscription once, those that show resets
// too.
func TestNoLog(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		live := []*client{w.subscribe(withResets("ada")), w.subscribe(forOne("bob"))}
		w.settle()
		w.log.notes(room, 3)
		w.settle()
		w.log.delete(room)
		w.log.look(room)
		w.settle()
		for _, c := range append(live, w.subscribe(withResets("ada")), w.subscribe(forOne("bob"))) {
			c.endedBy("history lost, on at 0")
		}
		w.same("watches", w.log.watches(room), 0)
		w.log.create(room)
		w.subscribe(forOne("ada")).goesOn()
	})
}

// TestAuthorizedAnew: what lies in the gap may have ended access, so it is judged after each one.
func TestAuthorizedAnew(t *testing.T) {
	for name, lose := range map[string]func(w world){
		"trimmed":      func(w world) { silentNotes(w, 20, false); w.log.trim(room, 15) },
		"history lost": func(w world) { w.log.truncate(room, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, delivery.Options{}, func(w world) {
				refused, shut := withResets("ada"), withResets("bob")
				refused.Spec.Authorize = forbidden
				shut.Spec.Authorize = func(context.Context) (delivery.Access, error) {
					return delivery.Access{Readable: eventlog.Intervals{{From: 1, To: 3}}}, nil
				}
				tries := 0
				later := withResets("cyd")
				later.Spec.Authorize = func(ctx context.Context) (delivery.Access, error) {
					if tries++; tries < 4 {
						return delivery.Access{}, fmt.Errorf("wrapped: %w", eventlog.ErrUnavailable)
					}
					return everything(ctx)
				}
				back := withResets("dan") // was away while it was asked
				away := onlyFirst(func() {
					w.log.append(room, kindAccess, revoked("dan"))
					w.log.append(room, kindAccess, begins("dan"))
				})
				back.Spec.Authorize = func(context.Context) (delivery.Access, error) {
					away()
					return delivery.Access{Readable: intervalsOf(w.log.at(w.log.tail(room).Position), "dan")}, nil
				}
				e := w.subscribe(back)
				a, b, c := w.subscribe(refused), w.subscribe(shut), w.subscribe(later)
				w.settle()
				all := w.log.notes(room, 5)
				w.settle()
				lose(w)
				w.log.look(room)
				time.Sleep(time.Minute)
				d := w.subscribe(startingAt(refused, from(all[4])))
				a.endedBy("forbidden")
				b.endedBy("revoked")
				d.endedBy("forbidden")
				c.goesOn()
				e.goesOn()
			})
		})
	}
}

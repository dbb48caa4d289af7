package delivery_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/delivery"
	"parley/eventlog"
)

// contact is how a node knows of its store: until it is lost, all is confirmed at each moment.
type contact struct{ lost atomic.Pointer[time.Time] }

func (c *contact) confirmed(string) time.Time {
	if at := c.lost.Load(); at != nil {
		return *at
	}
	return time.Now()
}

func (c *contact) lose() { c.lost.Store(new(time.Now())) }

func (c *contact) regain() { c.lost.Store(nil) }

const cutoff = 10 * time.Second

// inContact runs a test in a world whose node may lose contact.
func inContact(t *testing.T, test func(w world, c *contact)) {
	t.Helper()
	var c contact
	inWorld(t, delivery.Options{Confirmed: c.confirmed, Cutoff: cutoff}, func(w world) { test(w, &c) })
}

// down makes the log one that can't be read, or again one that can.
func (w world) down(down bool) { w.log.set(func(l *fakeLog) { l.down = down }) }

// TestCutOff: what a node is told while it is cut off from the store is delivered when it has been
// read from the log, in order and once.
func TestCutOff(t *testing.T) {
	t.Run("hints alone aren't believed", func(t *testing.T) {
		inContact(t, func(w world, contact *contact) {
			c := w.subscribe(forOne("ada"))
			w.settle()
			contact.lose()
			w.down(true)
			time.Sleep(cutoff)
			seen := w.log.notes(room, 2)
			c.saw(names(seen...)...) // not yet longer than the time set
			time.Sleep(time.Second)
			w.log.notes(room, 3)
			time.Sleep(time.Minute)
			c.saw(names(seen...)...)
			w.same("ends", c.ends(), []string{})

			contact.regain()
			w.down(false)
			time.Sleep(3 * time.Second)
			c.saw(names(w.log.logs[room].entries...)...)
			c.goesOn()
		})
	})
	t.Run("a log that can be read is, at each hint", func(t *testing.T) {
		inContact(t, func(w world, contact *contact) {
			c := w.subscribe(forOne("ada"))
			w.settle()
			contact.lose()
			time.Sleep(2 * cutoff)
			before, _ := w.log.count()
			c.goesOn()
			c.goesOn()
			if reads, _ := w.log.count(); reads != before+2 {
				t.Errorf("%d readings, want 2", reads-before)
			}
		})
	})
	t.Run("nothing after the entry that ended access", func(t *testing.T) {
		inContact(t, func(w world, contact *contact) {
			ada, bob := w.subscribe(forOne("ada")), w.subscribe(forOne("bob"))
			w.settle()
			contact.lose()
			w.down(true)
			time.Sleep(cutoff + time.Second)
			before := w.log.notes(room, 2)
			w.log.silently(func() { w.log.append(room, kindAccess, revoked("bob")) })
			after := w.log.notes(room, 2)
			time.Sleep(time.Minute)
			ada.saw()
			bob.saw()
			w.down(false)
			time.Sleep(3 * time.Second)
			bob.saw(names(before...)...)
			bob.endedBy("revoked")
			ada.saw(names(append(before, after...)...)...)
		})
	})
}

// TestCutOffAndBack: what has waited, and who came meanwhile.
func TestCutOffAndBack(t *testing.T) {
	t.Run("more hints than are kept", func(t *testing.T) {
		var contact contact
		inWorld(t, delivery.Options{Confirmed: contact.confirmed, Cutoff: cutoff, MaxPending: 4, PageSize: 7}, func(w world) {
			c := w.subscribe(forOne("ada"))
			w.settle()
			contact.lose()
			w.down(true)
			time.Sleep(cutoff + time.Second)
			for range 30 {
				w.log.notes(room, 1)
				w.settle()
			}
			c.saw()
			w.down(false)
			contact.regain()
			time.Sleep(3 * time.Second)
			c.saw(names(w.log.logs[room].entries...)...)
		})
	})
	t.Run("a rendering that needs the store waits for it", func(t *testing.T) {
		inContact(t, func(w world, contact *contact) {
			var down atomic.Bool
			sub := forOne("ada")
			sub.Renderer = &renderer{instead: func(context.Context, delivery.Source) ([]byte, error) {
				if down.Load() {
					return nil, eventlog.ErrUnavailable
				}
				return nil, nil
			}}
			c := w.subscribe(sub)
			w.settle()
			contact.lose()
			down.Store(true)
			seen := w.log.notes(room, 2)
			time.Sleep(10 * time.Minute)
			c.saw()
			contact.regain()
			down.Store(false)
			time.Sleep(3 * time.Second)
			c.saw(names(seen...)...)
		})
	})
	t.Run("one who comes meanwhile", func(t *testing.T) {
		inContact(t, func(w world, contact *contact) {
			w.subscribe(forOne("ada"))
			w.settle()
			contact.lose()
			time.Sleep(cutoff + time.Second)
			notes := w.log.notes(room, 3)
			c := w.subscribe(forOne("bob"))
			c.saw(names(notes...)...)
			c.goesOn()
		})
	})
}

// TestCutOffState: values wait until the log that guards them has been read.
func TestCutOffState(t *testing.T) {
	t.Run("for those who may still read it", func(t *testing.T) {
		inContact(t, func(w world, contact *contact) {
			s := newSource(value("a", 1))
			ada, bob := w.subscribe(ofState(s, room)), w.subscribe(ofState(s, room))
			ofBob := ofState(s, room)
			ofBob.Spec.Principal = "bob"
			removed := w.subscribe(ofBob)
			removed.saw("a1")
			contact.lose()
			w.down(true)
			time.Sleep(cutoff + time.Second)
			w.log.silently(func() { w.log.append(room, kindAccess, revoked("bob")) })
			s.tell(value("a", 2))
			s.tell(value("a", 3), value("b", 1))
			time.Sleep(time.Minute)
			for _, c := range []*client{ada, bob, removed} {
				c.saw("a1")
			}
			w.down(false)
			time.Sleep(3 * time.Second)
			removed.saw("a1")
			removed.endedBy("revoked")
			ada.saw("a1", "a3", "b1")
			bob.saw("a1", "a3", "b1")
			s.tell(value("b", 2)) // still not confirmed, but the log can be read
			ada.saw("a1", "a3", "b1", "b2")
			contact.regain()
			s.tell(value("b", 3))
			ada.saw("a1", "a3", "b1", "b2", "b3")
		})
	})
	t.Run("also where rendering has waited for the store", func(t *testing.T) {
		inContact(t, func(w world, contact *contact) {
			s, hold := newSource(value("a", 1)), make(chan struct{})
			r := &renderer{instead: func(_ context.Context, source delivery.Source) ([]byte, error) {
				if source.Payload == value("a", 2).Payload {
					<-hold
				}
				return nil, nil
			}}
			sub, ofBob := ofState(s, room), ofState(s, room)
			ofBob.Spec.Principal = "bob"
			sub.Renderer, ofBob.Renderer = r, r
			ada, bob := w.subscribe(sub), w.subscribe(ofBob)
			ada.saw("a1")
			bob.saw("a1")
			s.tell(value("a", 2))
			w.settle()
			contact.lose()
			w.log.silently(func() { w.log.append(room, kindAccess, revoked("bob")) })
			time.Sleep(time.Minute)
			contact.regain()
			close(hold)
			ada.saw("a1", "a2")
			bob.saw("a1")
			bob.endedBy("revoked")
		})
	})
}

// TestCutOffStateAndAccess: values wait until all that the log may say of the guards' access is known.
func TestCutOffStateAndAccess(t *testing.T) {
	t.Run("history lost meanwhile: judged anew first", func(t *testing.T) {
		inContact(t, func(w world, contact *contact) {
			s := newSource(value("a", 1))
			var unavailable atomic.Bool
			sub := ofState(s, room)
			sub.Spec.Authorize = func(context.Context) (delivery.Access, error) {
				if unavailable.Load() {
					return delivery.Access{}, eventlog.ErrUnavailable
				}
				return delivery.Access{}, errors.New("forbidden")
			}
			c := w.subscribe(sub)
			w.settle()
			w.log.notes(room, 3)
			w.settle()
			contact.lose()
			unavailable.Store(true)
			time.Sleep(cutoff + time.Second)
			w.log.truncate(room, 1)
			s.tell(value("a", 2))
			time.Sleep(time.Minute)
			c.saw("a1")
			unavailable.Store(false)
			time.Sleep(3 * time.Second)
			c.endedBy("forbidden")
			c.saw("a1")
		})
	})
	t.Run("history lost, and its guards still to hear of it", func(t *testing.T) {
		inContact(t, func(w world, _ *contact) {
			s, held := newSource(value("a", 1)), make(chan struct{})
			release := sync.OnceFunc(func() { close(held) })
			defer release()
			sub, ofBob := ofState(s, room), ofState(s, room)
			sub.Spec.Authorize = forbidden
			ofBob.Spec.Principal = "bob"
			ada, bob := w.subscribe(sub), newConnection(roomy)
			ofBob.Lane = bob.outbox.NewLane(lines{}, []byte(" bob\n"))
			ofBob.Done = func(error) { <-held } // and with it the mailbox of the guards
			if _, err := w.hub.Subscribe(ofBob); err != nil {
				t.Fatal(err)
			}
			w.settle()
			w.log.notes(room, 3)
			w.log.append(room, kindAccess, revoked("bob"))
			w.settle()
			w.log.truncate(room, 1)
			w.log.look(room)
			w.settle()
			s.tell(value("a", 2))
			ada.saw("a1")
			release()
			ada.saw("a1")
			ada.endedBy("forbidden")
		})
	})
}

// TestCutOffStateRead: when the guards' log has been read, they have been told.
func TestCutOffStateRead(t *testing.T) {
	t.Run("the last one's access has ended", func(t *testing.T) {
		for range scaled(1_000, 10_000) { // for the topics go with it, on several goroutines
			inContact(t, func(w world, _ *contact) {
				s := newSource(value("a", 1))
				c := w.subscribe(ofState(s, room))
				w.settle()
				w.log.silently(func() { w.log.append(room, kindAccess, revoked("ada")) })
				held := make(chan struct{})
				w.log.set(func(l *fakeLog) { l.onRead = func(eventlog.Position, eventlog.Page) { <-held } })
				w.log.look(room)
				s.tell(value("a", 2))
				c.saw("a1")
				close(held)
				c.saw("a1")
				c.endedBy("revoked")
			})
		}
	})
	t.Run("in contact again, the log still to be read", func(t *testing.T) {
		inContact(t, func(w world, contact *contact) {
			s := newSource(value("a", 1))
			ada := w.subscribe(ofState(s, room))
			ofBob := ofState(s, room)
			ofBob.Spec.Principal = "bob"
			bob := w.subscribe(ofBob)
			w.settle()
			w.log.silently(func() { w.log.append(room, kindAccess, revoked("bob")) })
			held := make(chan struct{})
			w.log.set(func(l *fakeLog) {
				l.onRead = func(eventlog.Position, eventlog.Page) { <-held }
			})
			w.log.look(room)
			s.tell(value("a", 2))
			ada.saw("a1")
			close(held)
			ada.saw("a1", "a2")
			bob.saw("a1")
			bob.endedBy("revoked")
		})
	})
	t.Run("everybody leaves and comes back", func(t *testing.T) {
		inContact(t, func(w world, contact *contact) {
			s := newSource(value("a", 1))
			c := w.subscribe(ofState(s, room))
			w.settle()
			contact.lose()
			w.down(true)
			time.Sleep(cutoff + time.Second)
			s.tell(value("a", 2))
			w.settle()
			c.sub.Close()
			w.down(false)
			w.subscribe(ofState(s, room)).saw("a1")
		})
	})
}

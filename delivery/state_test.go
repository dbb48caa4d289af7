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

// source is a state topic's source.
type source struct {
	mu      sync.Mutex
	present []eventlog.Value
	sinks   map[int]func([]eventlog.Value)
	watched int
	stopped int
	err     error
	// onWatch is called after the first values were told and before the watch returns.
	onWatch func()
}

func newSource(present ...eventlog.Value) *source {
	return &source{present: present, sinks: map[int]func([]eventlog.Value){}}
}

func (s *source) watch(_ context.Context, sink func([]eventlog.Value)) (stop func(), err error) {
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return nil, s.err
	}
	s.watched++
	n := s.watched
	s.sinks[n] = sink
	for _, v := range s.present { // in two calls or more
		sink([]eventlog.Value{v})
	}
	sink(nil)
	onWatch := s.onWatch
	s.mu.Unlock()
	if onWatch != nil {
		onWatch()
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.sinks, n)
		s.stopped++
	}, nil
}

func (s *source) tell(values ...eventlog.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sink := range s.sinks {
		sink(values)
	}
}

func (s *source) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watched - s.stopped
}

func (s *source) set(change func(*source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func value(key string, version uint64) eventlog.Value {
	return eventlog.Value{Key: key, Version: version, Payload: fmt.Sprint(key, version)}
}

// ofState is a subscription to a state topic, guarded by a log or not.
func ofState(s *source, guard string) delivery.Subscription {
	sub := forOne("ada")
	sub.Spec.Topic, sub.Spec.State, sub.Spec.Guard = "state", s.watch, guard
	return sub
}

// TestState: whoever comes sees the present values, then what changes.
func TestState(t *testing.T) {
	t.Run("first the present values, then each change", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource(value("a", 3), value("b", 1))
			first := w.subscribe(ofState(s, ""))
			first.saw("a3", "b1")
			s.tell(value("a", 4), value("c", 1))
			first.saw("a3", "b1", "a4", "c1")
			second := w.subscribe(ofState(s, ""))
			second.saw("a4", "b1", "c1")
			s.tell(value("b", 2))
			second.saw("a4", "b1", "c1", "b2")
			first.saw("a3", "b1", "a4", "c1", "b2")
			w.same("watches", s.open(), 1)
		})
	})
	t.Run("an older or the same version is old news", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource(value("a", 3))
			c := w.subscribe(ofState(s, ""))
			w.settle()
			s.tell(value("a", 3), value("a", 2), value("b", 1), value("b", 1))
			c.saw("a3", "b1")
			w.subscribe(ofState(s, "")).saw("a3", "b1")
		})
	})
	t.Run("nothing is shown before the first values are complete", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource(value("a", 1), value("b", 1))
			hold := make(chan struct{})
			s.onWatch = func() { <-hold }
			c := w.subscribe(ofState(s, ""))
			w.settle()
			s.tell(value("a", 2))
			c.saw()
			close(hold)
			c.saw("a2", "b1")
		})
	})
	t.Run("nothing is rendered for one who has gone by then", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s, r := newSource(value("a", 1)), &renderer{}
			hold := make(chan struct{})
			s.onWatch = func() { <-hold }
			sub := ofState(s, "")
			sub.Group, sub.Renderer = "its own", r
			gone, stays := w.subscribe(sub), w.subscribe(ofState(s, ""))
			w.settle()
			gone.sub.Close()
			w.settle()
			close(hold)
			stays.saw("a1")
			s.tell(value("a", 2))
			stays.saw("a1", "a2")
			w.same("renders", r.renders.Load(), int64(0))
		})
	})
	t.Run("no values, then one", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource()
			c := w.subscribe(ofState(s, ""))
			c.saw()
			s.tell(value("a", 1))
			c.saw("a1")
		})
	})
}

// TestStateConflated: what is no longer so isn't shown, and what is once for all.
func TestStateConflated(t *testing.T) {
	t.Run("what waits is replaced by what is newer", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource(value("a", 1), value("b", 1))
			conn := newConnection(roomy)
			conn.stop()
			c, other := w.subscribeOn(conn, ofState(s, "")), w.subscribeOn(conn, ofState(s, ""))
			for v := range uint64(1000) {
				w.settle()
				s.tell(value("a", v+2))
			}
			w.settle()
			conn.resume()
			c.saw("a1001", "b1")
			other.saw("a1001", "b1")
			s.tell(value("b", 2), value("a", 1002))
			c.saw("a1001", "b1", "b2", "a1002")
		})
	})
	t.Run("news that come while rendering takes its time are conflated", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource(value("a", 1))
			hold, sub := make(chan struct{}), ofState(s, "")
			r := &renderer{instead: func(context.Context, delivery.Source) ([]byte, error) { <-hold; return nil, nil }}
			sub.Renderer = r
			c := w.subscribe(sub)
			w.settle()
			for v := range uint64(1000) {
				s.tell(value("a", v+2), value("b", v+1))
			}
			close(hold)
			w.settle()
			w.same("renders", r.renders.Load(), int64(3))
			w.same("the last", c.seen()[len(c.seen())-1], "b1000")
		})
	})
	t.Run("is rendered once for all", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s, r := newSource(value("a", 1)), &renderer{}
			hold := make(chan struct{})
			s.onWatch = func() { <-hold }
			sub := ofState(s, "")
			sub.Renderer = r
			for range 100 {
				w.subscribe(sub)
			}
			w.settle()
			close(hold)
			w.settle()
			s.tell(value("a", 2))
			w.settle()
			w.same("renders", r.renders.Load(), int64(2))
		})
	})
}

// TestStateKeys: keys that go, and positions, which don't concern them.
func TestStateKeys(t *testing.T) {
	t.Run("a key that is gone is shown to nobody who comes later", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource(value("a", 3), value("b", 1))
			first := w.subscribe(ofState(s, ""))
			first.saw("a3", "b1")
			s.tell(eventlog.Gone("a"))
			second := w.subscribe(ofState(s, ""))
			second.saw("b1")
			s.tell(value("a", 3)) // the same version: whoever comes back is news
			first.saw("a3", "b1", "a3")
			second.saw("b1", "a3")
			s.tell(value("a", 4), eventlog.Gone("a"), eventlog.Gone("c"))
			s.tell(value("b", 2))
			w.subscribe(ofState(s, "")).saw("b2")
			second.saw("b1", "a3", "b2")
			first.saw("a3", "b1", "a3", "b2")
			s.tell(eventlog.Gone("b"), value("b", 1)) // its versions begin anew
			first.saw("a3", "b1", "a3", "b2", "b1")
			w.subscribe(ofState(s, "")).saw("b1")
		})
	})
	t.Run("positions don't concern it", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			c := w.subscribe(ofState(newSource(value("a", 1)), room))
			w.log.notes(room, 3)
			w.settle()
			if _, moved := c.moved(); moved {
				t.Error("a state topic has a position to tell")
			}
			c.saw("a1")
		})
	})
}

func TestStateOpening(t *testing.T) {
	t.Run("the source is away for a moment", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource(value("a", 1))
			s.err = fmt.Errorf("wrapped: %w", eventlog.ErrUnavailable)
			c := w.subscribe(ofState(s, ""))
			time.Sleep(3 * time.Second)
			s.set(func(s *source) { s.err = nil })
			time.Sleep(3 * time.Second)
			c.saw("a1")
		})
	})
	for name, err := range map[string]error{
		"unavailable": eventlog.ErrUnavailable, "forbidden": errors.New("forbidden"),
	} {
		t.Run("the source fails: "+name, func(t *testing.T) {
			inWorld(t, delivery.Options{}, func(w world) {
				s := newSource(value("a", 1))
				s.err = err
				first := w.subscribe(ofState(s, ""))
				time.Sleep(10 * time.Second)
				first.endedBy(name)
				s.set(func(s *source) { s.err = nil })
				w.subscribe(ofState(s, "")).saw("a1")
			})
		})
	}
	t.Run("comes and goes", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource(value("a", 1))
			for range 3 {
				first, second := w.subscribe(ofState(s, "")), w.subscribe(ofState(s, ""))
				w.settle()
				first.sub.Close()
				s.tell(value("a", 5))
				second.saw("a1", "a5")
				first.saw("a1")
				second.sub.Close()
				w.settle()
				w.same("watches of none", s.open(), 0)
			}
			closed := w.subscribe(ofState(s, ""))
			closed.sub.Close()
			other := w.subscribe(ofState(s, ""))
			other.saw("a1")
			closed.saw()
			w.same("watches of one", s.open(), 1)
		})
	})
}

// TestGuard: a state topic's subscription ends with the access to the log that guards it.
func TestGuard(t *testing.T) {
	t.Run("revoked", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource(value("a", 1))
			c := w.subscribe(ofState(s, room))
			c.saw("a1")
			w.log.notes(room, 3)
			w.log.append(room, kindAccess, revoked("bob"))
			s.tell(value("a", 2))
			c.saw("a1", "a2")
			w.log.append(room, kindAccess, revoked("ada"))
			c.endedBy("revoked")
			s.tell(value("a", 3))
			c.saw("a1", "a2")
			w.same("watches", []int{s.open(), w.log.watches(room)}, []int{0, 0})
		})
	})
	t.Run("left", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			c := w.subscribe(ofState(newSource(value("a", 1)), room))
			w.settle()
			w.log.append(room, kindAccess, left("ada"))
			c.endedBy("left")
		})
	})
	t.Run("revoked before it began: nothing is shown", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			w.log.append(room, kindAccess, revoked("ada"))
			c := w.subscribe(ofState(newSource(value("a", 1)), room))
			c.saw()
			c.endedBy("revoked")
		})
	})
	t.Run("the entries of the gap at its start are judged anew", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			w.log.notes(room, 10)
			w.log.trim(room, 9)
			sub := ofState(newSource(value("a", 1)), room)
			sub.Spec.Authorize = forbidden
			c := w.subscribe(sub)
			c.saw()
			c.endedBy("forbidden")
		})
	})
	t.Run("history lost: it goes on, judged anew", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource(value("a", 1))
			refused := ofState(s, room)
			refused.Spec.Authorize = forbidden
			stays, goes := w.subscribe(ofState(s, room)), w.subscribe(refused)
			w.settle()
			w.log.notes(room, 3)
			w.settle()
			w.log.truncate(room, 1)
			w.log.look(room)
			goes.endedBy("forbidden")
			s.tell(value("a", 2))
			stays.saw("a1", "a1", "a2") // the present values again, once its right to them is known again
			w.log.append(room, kindAccess, revoked("ada"))
			stays.endedBy("revoked")
		})
	})
	t.Run("no log", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			c := w.subscribe(ofState(newSource(value("a", 1)), room))
			w.settle()
			w.log.delete(room)
			w.log.look(room)
			c.endedBy("history lost, on at 0")
		})
	})
	t.Run("doesn't disturb the log's own subscriptions", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			guarded := w.subscribe(ofState(newSource(value("a", 1)), room))
			w.settle()
			c := w.subscribe(forOne("ada")) // the same group, the same principal
			c.goesOn()
			guarded.saw("a1")
			c.sub.Close()
			w.settle()
			w.log.append(room, kindAccess, revoked("ada"))
			guarded.endedBy("revoked")
		})
	})
	t.Run("closed at once", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource(value("a", 1))
			for range 10 {
				w.subscribe(ofState(s, room)).sub.Close()
			}
			w.settle()
			w.same("watches", []int{s.open(), w.log.watches(room)}, []int{0, 0})
		})
	})
}

package delivery_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"parley/delivery"
	"parley/eventlog"
)

// TestStorm has thousands come, listen and go at once, while senders send and hints are disturbed,
// in real time and with real parallelism: whoever stays sees everything once, and nothing is left
// behind.
func TestStorm(t *testing.T) {
	const rooms = 8
	s := newStorm(t, rooms)
	var stayers []*client
	for i := range rooms * 4 {
		sub := forOne("stayer")
		sub.Spec.Topic = roomOf(i % rooms)
		stayers = append(stayers, s.subscribe(sub))
	}
	s.send(4)
	s.pass(scaled(1_000, 10_000))
	s.stop()
	for i, c := range stayers {
		want := names(s.sent[i%rooms]...)
		eventually(t, func() bool { return len(c.seen()) >= len(want) })
		s.same("seen by one who stayed", c.seen(), want)
		c.sub.Close()
	}
	for r := range rooms {
		eventually(t, func() bool { return s.log.watches(roomOf(r)) == 0 })
	}
	eventually(t, func() bool { return s.state.open() == 0 })
	s.hub.Close()
}

// TestStormEnds closes the hub in the midst of it.
func TestStormEnds(t *testing.T) {
	for range scaled(3, 30) {
		s := newStorm(t, 2)
		s.send(2)
		var closing sync.WaitGroup
		closing.Go(func() {
			time.Sleep(5 * time.Millisecond) // somewhere in the midst
			s.hub.Close()
		})
		s.pass(300)
		closing.Wait()
		s.stop()
	}
}

// storm is a hub with a crowd in front of it.
type storm struct {
	world
	state   *source
	sent    [][]*entry // by room
	sending sync.WaitGroup
	done    chan struct{}
}

func newStorm(t *testing.T, rooms int) *storm {
	s := &storm{world: world{T: t, log: newFakeLog()}, state: newSource(value("a", 1)), done: make(chan struct{})}
	for r := range rooms {
		s.log.create(roomOf(r))
	}
	s.sent = make([][]*entry, rooms)
	s.hub = delivery.NewHub(s.log, delivery.Options{MaxPending: 64, PageSize: 50})
	return s
}

func roomOf(n int) string { return fmt.Sprint("room", n) }

// send begins sending to every room, until stop.
func (s *storm) send(senders int) {
	for sender := range senders {
		s.sending.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-s.done:
					return
				default:
				}
				r := (n*senders + sender) % len(s.sent) // a room has one sender
				s.sent[r] = append(s.sent[r], s.log.append(roomOf(r), kindNote))
				if n%7 == 0 {
					s.log.look(roomOf(r))
				}
				s.state.tell(value("a", uint64(n)))
				time.Sleep(50 * time.Microsecond) // a pace, not a wait
			}
		})
	}
}

func (s *storm) stop() {
	close(s.done)
	s.sending.Wait()
}

// pass lets n subscriptions come and go, 16 at a time.
func (s *storm) pass(n int) {
	var passing sync.WaitGroup
	for worker := range 16 {
		passing.Go(func() {
			for i := worker; i < n; i += 16 {
				s.comeAndGo(i)
			}
		})
	}
	passing.Wait()
}

func (s *storm) comeAndGo(n int) {
	log := roomOf(n % len(s.sent))
	sub := forOne("passing")
	sub.Spec.Topic, sub.Group = log, fmt.Sprint(n%3)
	sub.Spec.Start = eventlog.Cursor{}
	if n%2 == 0 {
		sub.Spec.Start = s.log.tail(log)
	}
	if n%4 == 0 {
		sub.Spec.Topic, sub.Spec.State, sub.Spec.Guard = "state", s.state.watch, log
	}
	conn := newConnection(roomy)
	sub.Lane = conn.outbox.NewLane(lines{}, []byte(" lane\n"))
	sub.Done = func(err error) { s.Errorf("ended: %v", err) }
	subscriber, err := s.hub.Subscribe(sub)
	if errors.Is(err, delivery.ErrClosed) {
		return
	}
	if err != nil {
		s.Errorf("Subscribe: %v", err)
		return
	}
	for range n % 5 {
		if cursor, moved := subscriber.Moved(); moved {
			sub.Lane.Advance(cursor, []byte("@  lane\n"))
		}
		s.log.look(log)
	}
	subscriber.Close()
}

// eventually waits for a fact.
func eventually(t *testing.T, fact func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !fact() {
		if time.Now().After(deadline) {
			t.Fatal("it hasn't happened within a minute")
		}
		time.Sleep(time.Millisecond)
	}
}

package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"parley/delivery"
	"parley/eventlog"
)

// plain frames an event as its payload.
type plain struct{}

func (plain) AppendEvent(dst []byte, e *delivery.Event) []byte { return append(dst, e.Payload...) }

func event(offset uint64, payload string) *delivery.Event {
	return &delivery.Event{Payload: []byte(payload), Offset: offset}
}

func position(offset uint64) eventlog.Cursor {
	return eventlog.Cursor{Position: eventlog.Position{Offset: offset}}
}

func stateEvent(key, payload string) *delivery.Event {
	return &delivery.Event{Payload: []byte(payload), Key: key}
}

// desk is an outbox whose flushing and overflowing is counted, and taken by hand.
type desk struct {
	*testing.T
	*delivery.Outbox
	flushes, overflows int
}

func newDesk(t *testing.T, highWater int) *desk {
	d := &desk{T: t}
	d.Outbox = newOutbox(highWater, func() { d.flushes++ }, func() { d.overflows++ })
	return d
}

// takes fails unless the outbox brings want, and is idle then.
func (d *desk) takes(want string) {
	d.Helper()
	var all []byte
	for {
		taken, more := d.Take(nil, 1)
		if !more {
			break
		}
		all = append(all, taken...)
	}
	if diff := cmp.Diff(want, string(all)); diff != "" {
		d.Fatalf("taken (-want +got):\n%s", diff)
	}
}

// put puts events as a group does.
func (d *desk) put(l *delivery.Lane, events ...*delivery.Event) {
	if l.Put(events...) {
		l.Flush()
	}
}

func TestOutbox(t *testing.T) {
	t.Run("in order, each lane with its suffix, control as it is", func(t *testing.T) {
		d := newDesk(t, 100)
		a, b := d.NewLane(plain{}, []byte("a ")), d.NewLane(plain{}, []byte("b "))
		d.put(a, event(1, "1"), event(2, "2"))
		d.Control([]byte("ping "))
		d.put(b, event(1, "1"))
		a.Control([]byte("complete "))
		d.takes("1a 2a ping 1b complete ")
	})
	t.Run("is flushed when idle, and not again until it is", func(t *testing.T) {
		d := newDesk(t, 100)
		a := d.NewLane(plain{}, nil)
		d.put(a, event(1, "1"))
		d.put(a, event(2, "2"))
		d.Control([]byte("!"))
		if d.flushes != 1 {
			t.Fatalf("%d flushes, want 1", d.flushes)
		}
		if _, more := d.Take(nil, 100); !more {
			t.Fatal("nothing was taken")
		}
		d.put(a, event(3, "3"))
		if d.flushes != 1 {
			t.Fatal("flushed while somebody takes")
		}
		d.takes("3")
		d.Control([]byte("!"))
		if d.flushes != 2 {
			t.Fatalf("%d flushes, want 2", d.flushes)
		}
	})
	t.Run("takes whole items until max is reached", func(t *testing.T) {
		d := newDesk(t, 100)
		for _, word := range []string{"abc", "def", "ghi"} {
			d.Control([]byte(word))
		}
		got, _ := d.Take([]byte("have"), 5)
		if string(got) != "haveabc" {
			t.Fatalf("took %q", got)
		}
		d.takes("defghi")
	})
}

// TestOutboxLanes: what waits of a lane is the lane's own.
func TestOutboxLanes(t *testing.T) {
	t.Run("a newer value takes the place of the one that waits", func(t *testing.T) {
		d := newDesk(t, 100)
		a, b := d.NewLane(plain{}, []byte("a ")), d.NewLane(plain{}, []byte("b "))
		d.put(a, stateEvent("x", "x1"), stateEvent("y", "y1"))
		d.put(b, stateEvent("x", "x1"))
		d.put(a, stateEvent("x", "x2, longer"), stateEvent("", "nokey1"))
		d.put(a, stateEvent("", "nokey2"))
		d.takes("x2, longera y1a x1b nokey2a ")
		d.put(a, stateEvent("x", "x3"))
		d.takes("x3a ")
	})
	t.Run("a closed lane vanishes, others stay", func(t *testing.T) {
		d := newDesk(t, 100)
		a, b := d.NewLane(plain{}, []byte("a ")), d.NewLane(plain{}, []byte("b "))
		d.put(a, event(1, "1"), stateEvent("x", "x1"))
		d.put(b, event(1, "1"))
		a.Control([]byte("complete "))
		a.Close()
		d.put(a, event(2, "2"), stateEvent("x", "x2"))
		a.Control([]byte("complete "))
		a.Advance(position(9), []byte("9 "))
		d.put(b, event(2, "2"))
		d.takes("1b 2b ")
		a.Close()
		d.takes("")
	})
	t.Run("closing the only lane leaves an idle outbox behind", func(t *testing.T) {
		d := newDesk(t, 100)
		a := d.NewLane(plain{}, nil)
		d.put(a, event(1, "1"))
		a.Close()
		d.takes("")
		d.Control([]byte("!"))
		if d.flushes != 2 {
			t.Fatalf("%d flushes, want 2", d.flushes)
		}
	})
	t.Run("closed, nothing is taken", func(t *testing.T) {
		d := newDesk(t, 100)
		a := d.NewLane(plain{}, nil)
		d.put(a, event(1, "1"))
		d.Close()
		d.put(a, event(2, "2"))
		a.Control([]byte("!"))
		a.Advance(position(9), []byte("9"))
		d.Control([]byte("!"))
		a.Close()
		d.takes("")
	})
	t.Run("positions are told forward only", func(t *testing.T) {
		d := newDesk(t, 100)
		a := d.NewLane(plain{}, []byte(" "))
		a.Advance(position(3), []byte("@3 "))
		a.Advance(position(3), []byte("@3 "))
		d.put(a, event(5, "5"))
		a.Advance(position(4), []byte("@4 "))
		a.Advance(position(5), []byte("@5 "))
		a.Advance(position(6), []byte("@6 "))
		d.takes("@3 5 @6 ")
		if a.Last() != 6 {
			t.Errorf("Last is %d, want 6", a.Last())
		}
	})
}

func TestHighWater(t *testing.T) {
	t.Run("events are refused beyond it, control isn't", func(t *testing.T) {
		d := newDesk(t, 10)
		a, b := d.NewLane(plain{}, nil), d.NewLane(plain{}, nil)
		d.put(a, event(1, "123456"), event(2, "123456"), event(3, "x"))
		d.put(b, event(1, "y"))
		a.Advance(position(9), []byte("@9"))
		if d.overflows != 1 {
			t.Fatalf("%d overflows, want 1", d.overflows)
		}
		d.Control([]byte("close"))
		d.takes("123456123456close")
		d.put(a, event(4, "z"))
		d.takes("")
		if a.Last() != 2 {
			t.Errorf("Last is %d, want 2", a.Last())
		}
	})
	t.Run("a single large event is none", func(t *testing.T) {
		d := newDesk(t, 10)
		a := d.NewLane(plain{}, nil)
		d.Control([]byte("ping"))
		d.put(a, event(1, strings.Repeat("x", 100)))
		if d.overflows != 0 {
			t.Fatal("overflow")
		}
		d.takes("ping" + strings.Repeat("x", 100))
	})
	t.Run("many changes of one value are none", func(t *testing.T) {
		d := newDesk(t, 10)
		a := d.NewLane(plain{}, nil)
		for n := range 1000 {
			d.put(a, stateEvent("x", fmt.Sprintf("%020d", n)))
		}
		if d.overflows != 0 {
			t.Fatal("overflow")
		}
		d.takes("00000000000000000999")
	})
	t.Run("what a closed lane had put doesn't count", func(t *testing.T) {
		d := newDesk(t, 20)
		for n := range uint64(1000) {
			l := d.NewLane(plain{}, []byte("suffix"))
			d.put(l, event(n+1, "12345"), stateEvent("x", "12345"))
			l.Close()
		}
		if d.overflows != 0 {
			t.Fatal("overflow")
		}
		d.takes("")
	})
	t.Run("overflow is told under no lock", func(t *testing.T) {
		var o *delivery.Outbox
		overflows := 0
		o = newOutbox(1, func() {}, func() {
			overflows++
			o.Control([]byte("close"))
			o.Close()
		})
		l := o.NewLane(plain{}, nil)
		l.Put(event(1, "12"), event(2, "34"))
		l.Put(event(3, "56"))
		if overflows != 1 {
			t.Fatalf("%d overflows, want 1", overflows)
		}
	})
}

func TestWaitForRoom(t *testing.T) {
	waiting := func(t *testing.T, test func(t *testing.T, o *delivery.Outbox, cancel func(), result func() (error, bool))) {
		synctest.Test(t, func(t *testing.T) {
			o := newOutbox(10, func() {}, func() {})
			l := o.NewLane(plain{}, nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for range 3 {
				o.Control([]byte("123"))
			}
			var mu sync.Mutex
			var err error
			returned := false
			go func() {
				e := l.WaitForRoom(ctx)
				mu.Lock()
				defer mu.Unlock()
				err, returned = e, true
			}()
			synctest.Wait()
			test(t, o, cancel, func() (error, bool) {
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				return err, returned
			})
		})
	}
	t.Run("until half of the mark waits at most", func(t *testing.T) {
		waiting(t, func(t *testing.T, o *delivery.Outbox, _ func(), result func() (error, bool)) {
			o.Take(nil, 1)
			if _, returned := result(); returned {
				t.Fatal("returned with 6 bytes of 10 waiting")
			}
			o.Take(nil, 1)
			if err, returned := result(); err != nil || !returned {
				t.Fatalf("returned %v: %v", returned, err)
			}
		})
	})
	t.Run("until the context is done", func(t *testing.T) {
		waiting(t, func(t *testing.T, _ *delivery.Outbox, cancel func(), result func() (error, bool)) {
			cancel()
			if err, _ := result(); !errors.Is(err, context.Canceled) {
				t.Fatalf("returned %v", err)
			}
		})
	})
	t.Run("until the outbox is closed", func(t *testing.T) {
		waiting(t, func(t *testing.T, o *delivery.Outbox, _ func(), result func() (error, bool)) {
			o.Close()
			if err, _ := result(); !errors.Is(err, delivery.ErrOutboxClosed) {
				t.Fatalf("returned %v", err)
			}
		})
	})
}

// TestWaitUntilCalm: events that wait, however many, keep nobody from reading what a client says; answers do.
func TestWaitUntilCalm(t *testing.T) {
	o := newOutbox(10, func() {}, func() {})
	l := o.NewLane(plain{}, nil)
	o.Control([]byte("12345"))
	l.Put(event(1, "123456789"))
	if err := o.WaitUntilCalm(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.Control([]byte("6"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.WaitUntilCalm(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("returned %v with 6 bytes of answers of 10 waiting", err)
	}
	l.Close()
	if err := o.WaitUntilCalm(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestFrame: the shared bytes are made once per framing.
func TestFrame(t *testing.T) {
	framings := [2]counting{{new(int), "a"}, {new(int), "b"}}
	e := event(1, "x")
	for range 3 {
		for _, f := range framings {
			if got := string(e.Frame(f)); got != f.name+"x" {
				t.Fatalf("framed as %q", got)
			}
		}
	}
	for _, f := range framings {
		if *f.made != 1 {
			t.Errorf("%s: made %d times", f.name, *f.made)
		}
	}
}

type counting struct {
	made *int
	name string
}

func (c counting) AppendEvent(dst []byte, e *delivery.Event) []byte {
	*c.made++
	return append(append(dst, c.name...), e.Payload...)
}

package presence

import (
	"testing"
	"time"
)

func TestLease(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	granted := func() *lease {
		l := newLease("i", 60*time.Second, start)
		if !l.due(start) || l.held() || l.lapsed(at(1000)) || l.trusted {
			t.Fatalf("a new lease: %+v", l)
		}
		if !l.renewed(start, at(1), true) {
			t.Fatal("not granted")
		}
		return &l
	}

	t.Run("is renewed a sixth of its life after the last question", func(t *testing.T) {
		l := granted()
		if l.due(at(9.9)) || !l.due(at(10)) {
			t.Fatalf("due at %v", l.renewAt)
		}
	})
	t.Run("lasts from the question, not from the answer", func(t *testing.T) {
		l := granted()
		if l.lapsed(at(59.9)) || !l.lapsed(at(60)) {
			t.Fatalf("held until %v", l.heldUntil)
		}
	})
	t.Run("is lost when the store says so", func(t *testing.T) {
		if l := granted(); l.renewed(at(10), at(11), false) || l.trusted {
			t.Fatalf("%+v", l)
		}
	})
	t.Run("is lost when the answer comes after its end", func(t *testing.T) {
		if l := granted(); l.renewed(at(59), at(60), true) || l.trusted {
			t.Fatalf("%+v", l)
		}
	})
	t.Run("is held, but not trusted, while the store doesn't answer", func(t *testing.T) {
		l := granted()
		l.failed(at(10), 0)
		l.failed(at(11), 0)
		if l.trusted || l.lapsed(at(11)) || !l.renewAt.Equal(at(11.2)) {
			t.Fatalf("%+v", l)
		}
		if !l.renewed(at(12), at(12), true) || !l.trusted || l.failures != 0 || !l.heldUntil.Equal(at(72)) {
			t.Fatalf("%+v", l)
		}
	})
	t.Run("in doubt is renewed at once", func(t *testing.T) {
		l := granted()
		l.doubt(at(3))
		if l.trusted || !l.due(at(3)) {
			t.Fatalf("%+v", l)
		}
	})
	t.Run("if short, is asked for several times before it ends", func(t *testing.T) {
		l := newLease("i", MinTTL, start)
		l.renewed(start, start, true)
		for range 50 {
			l.failed(start, 0)
		}
		if wait := l.renewAt.Sub(start); wait != 500*time.Millisecond {
			t.Fatalf("waits %v", wait)
		}
	})
}

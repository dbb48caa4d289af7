package transporttest

import (
	"context"
	"testing"
	"time"

	"parley/transport"
)

// moments are those in the middle of which a subscription may be ended: each connects a reader, and brings it there, its
// way being held.
var moments = map[string]func(*line, *reader, *writer){
	"live": func(l *line, r *reader, w *writer) {
		w.write(2)
		r.connect()
		r.goLive(w)
		l.hold(true)
	},
	"catching up": func(l *line, r *reader, w *writer) {
		r.connect()
		r.goLive(w)
		l.hold(true)
		r.lag(w)
	},
	"replaying": func(l *line, r *reader, w *writer) {
		w.write(60)
		r.connect()
		r.readTo(2)
		l.hold(true)
	},
}

// kicked: whose access ends gets everything up to the entry that ends it, wherever it was, the reason, and nothing more.
func (s suite) kicked(t *testing.T) {
	for name, bring := range moments {
		t.Run(name, func(t *testing.T) {
			rig, l, r, w := s.behindLine(t)
			bring(l, r, w)
			w.write(3)
			w.kick("ada")
			last := w.written
			w.write(3)
			l.hold(false)
			r.readTo(last)
			if got := r.read(); got.Kind != Errors || got.Code != "FORBIDDEN" {
				t.Errorf("got %+v", got)
			}
			r.stream.Close()
			r.connect()
			if got := r.read(); got.Kind != Errors || got.Code != "FORBIDDEN" {
				t.Errorf("got %+v, having come back", got)
			}
			r.stream.Close()
			other := s.reader(t, rig, "bob", "a")
			other.comeBack(w.written)
		})
	}
}

// expired: whose token expires is told so, wherever it was, and goes on with another one.
func (s suite) expired(t *testing.T) {
	for name, bring := range moments {
		t.Run(name, func(t *testing.T) {
			rig, l, r, w := s.behindLine(t)
			other := s.reader(t, rig, "bob", "a")
			other.connect()
			bring(l, r, w)
			rig.expire(t, "ada")
			w.write(3)
			l.hold(false)
			if got := r.readToEnd(); got.Code != "UNAUTHENTICATED" {
				t.Errorf("got %+v", got)
			}
			r.stream.Close()
			r.comeBack(w.written)
			other.readTo(w.written)
			other.stream.Close()
		})
	}
}

// behindLine is a rig in which readers soon fall behind, a line to it, and its log's reader and writer.
func (s suite) behindLine(t *testing.T) (*Rig, *line, *reader, *writer) {
	t.Helper()
	rig := s.rig(t, transport.Options{HighWater: 64 << 10})
	return rig, newLine(t, rig), s.reader(t, rig, "ada", "a"), &writer{rig: rig, log: "a", padding: noise(fillSize)}
}

// expiry: a connection ends when its viewer's right does, and says why. The right lasts long enough for the
// subscription to be there before, however slow the machine is.
func (s suite) expiry(t *testing.T) {
	for lasts := 50 * time.Millisecond; ; lasts *= 2 {
		rig := s.rig(t, transport.Options{Expires: func(ctx context.Context) (time.Time, bool) {
			return time.Now().Add(lasts), ViewerFrom(ctx) == "ada"
		}})
		stream := s.client.Subscribe(t, rig, "ada", ticks("a"), "")
		subscribed := stream.Next().Kind == Position
		if subscribed {
			if got := endOf(stream.Next); got.Code != "UNAUTHENTICATED" {
				t.Errorf("got %+v", got)
			}
		}
		stream.Close()
		rig.WaitUntilIdle(t)
		if subscribed {
			return
		}
		if lasts > Patience {
			t.Fatalf("no subscription within %v", lasts)
		}
	}
}

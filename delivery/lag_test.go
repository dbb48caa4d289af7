package delivery_test

import (
	"strings"
	"testing"

	"parley/delivery"
	"parley/eventlog"
)

// TestLag: a reader that falls behind is served from the log, on the same connection, and holds nobody
// else.
func TestLag(t *testing.T) {
	t.Run("everything, once and in order, and then the news", func(t *testing.T) {
		inWorld(t, delivery.Options{PageSize: 50}, func(w world) {
			slow := newConnection(1000)
			slow.stop()
			stopped, other := w.subscribeOn(slow, forOne("ada")), w.subscribe(forOne("bob"))
			w.settle()
			all := w.log.notes(room, 500)
			other.saw(names(all...)...)
			if cursor, moved := stopped.moved(); moved {
				t.Errorf("told position %d past events that were dropped", cursor.Position.Offset)
			}
			if waiting := slow.outbox.Waiting(); waiting > 1100 {
				t.Errorf("%d bytes wait", waiting)
			}
			slow.resume()
			stopped.saw(names(all...)...)
			stopped.goesOn()
			w.same("overflows", slow.overflows.Load(), int64(0))
		})
	})
	t.Run("again and again", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			slow := newConnection(1000)
			stopped := w.subscribeOn(slow, forOne("ada"))
			w.settle()
			var all []*entry
			for range 20 {
				slow.stop()
				all = append(all, w.log.notes(room, 100)...)
				w.settle()
				slow.resume()
				w.settle()
			}
			stopped.saw(names(all...)...)
		})
	})
	t.Run("no position is told of one whose group doesn't know yet", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			slow, quick := newConnection(1000), newConnection(1000)
			slow.stop()
			stopped := w.subscribeOn(slow, forOne("ada"))
			asked := 0
			quick.outbox = newOutbox(1000, func() { // right after the event was put into both
				asked++
				if cursor, moved := stopped.moved(); moved {
					t.Errorf("told position %d", cursor.Position.Offset)
				}
				quick.flush()
			}, func() { t.Error("overflow") })
			other := w.subscribeOn(quick, forOne("ada"))
			w.settle()
			var all []*entry
			for range 100 {
				all = append(all, w.log.notes(room, 1)...)
				w.settle()
			}
			other.saw(names(all...)...)
			if asked < 100 {
				t.Fatalf("asked %d times", asked)
			}
			slow.resume()
			stopped.saw(names(all...)...)
		})
	})
	t.Run("all that share the connection", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			slow := newConnection(1000)
			slow.stop()
			ada, bob := w.subscribeOn(slow, forOne("ada")), w.subscribeOn(slow, withResets("bob"))
			w.settle()
			all := w.log.notes(room, 200)
			w.settle()
			slow.resume()
			ada.saw(names(all...)...)
			bob.saw(names(all...)...)
			ada.goesOn()
		})
	})
}

// TestLagCosts: what laggards cost is shared, and who lags not costs nothing.
func TestLagCosts(t *testing.T) {
	t.Run("many, for whom each event is rendered once", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			shared := &renderer{}
			sub := forOne("ada")
			sub.Renderer = shared
			quick := w.subscribe(sub)
			var stopped []*client
			for range 50 {
				conn := newConnection(1000)
				conn.stop()
				stopped = append(stopped, w.subscribeOn(conn, sub))
			}
			w.settle()
			all := w.log.notes(room, 400)
			quick.saw(names(all...)...)
			for _, c := range stopped {
				c.conn.resume()
			}
			for _, c := range stopped {
				c.saw(names(all...)...)
			}
			if n := shared.renders.Load(); n > 2*400 {
				t.Errorf("%d renderings of 400 events, live and from the log", n)
			}
		})
	})
	t.Run("not who has nothing waiting", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			slow := newConnection(1000)
			slow.stop()
			w.log.create("quiet")
			quiet := forOne("ada")
			quiet.Spec.Topic = "quiet"
			busy, idle := w.subscribeOn(slow, forOne("ada")), w.subscribeOn(slow, quiet)
			w.settle()
			before, _ := w.log.count()
			all := w.log.notes(room, 200)
			w.settle()
			after, _ := w.log.count()
			if after > before+1 {
				t.Errorf("%d pages were read", after-before)
			}
			slow.resume()
			busy.saw(names(all...)...)
			idle.saw(names(w.log.append("quiet", kindNote))...)
		})
	})
}

// TestLagEnds: who lags ends where a reader who keeps up would have.
func TestLagEnds(t *testing.T) {
	t.Run("up to where access has ended", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			stopped := w.standsStill(forOne("ada"))
			all := w.log.notes(room, 200)
			w.log.append(room, kindSilent, eventlog.AccessChange{Principal: "ada", Change: eventlog.AccessRevoked})
			w.log.notes(room, 10)
			w.settle()
			w.same("ends before all is read", stopped.ends(), []string{})
			stopped.conn.resume()
			stopped.endedBy("revoked")
			stopped.saw(names(all...)...)
		})
	})
	t.Run("the end of one that has ended waits in its place", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			slow := newConnection(1000)
			slow.stop()
			left, stays := w.subscribeOn(slow, forOne("ada")), w.subscribeOn(slow, forOne("bob"))
			w.settle()
			few := w.log.notes(room, 2)
			w.log.append(room, kindSilent, eventlog.AccessChange{Principal: "ada", Change: eventlog.AccessLeft})
			w.settle()
			left.endedBy("left")
			many := w.log.notes(room, 200)
			w.settle()
			slow.resume()
			left.saw(names(few...)...)
			stays.saw(names(append(few, many...)...)...)
		})
	})
	t.Run("beyond what is kept", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			stopped := w.standsStill(withResets("ada"))
			w.log.notes(room, 600)
			w.settle()
			w.log.trim(room, 590)
			stopped.conn.resume()
			w.settle()
			seen := strings.Join(stopped.seen(), " ")
			if !strings.HasSuffix(seen, "reset:trimmed") {
				t.Errorf("seen: …%s", seen[max(0, len(seen)-100):])
			}
			stopped.goesOn()
		})
	})
}

// standsStill subscribes for a reader that reads nothing, with little room.
func (w world) standsStill(sub delivery.Subscription) *client {
	conn := newConnection(1000)
	conn.stop()
	c := w.subscribeOn(conn, sub)
	w.settle()
	return c
}

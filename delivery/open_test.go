package delivery_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/delivery"
)

// TestOpening: what may happen before the engine confirms a watch.
func TestOpening(t *testing.T) {
	t.Run("no such log", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			w.log.delete(room)
			c := w.subscribe(withResets("ada"))
			c.endedBy("history lost, on at 0")
			w.log.create(room)
			w.subscribe(forOne("ada")).goesOn()
		})
	})
	t.Run("the store is away for a moment", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			w.log.set(func(l *fakeLog) { l.down = true })
			c := w.subscribe(forOne("ada"))
			time.Sleep(3 * time.Second)
			w.log.set(func(l *fakeLog) { l.down = false })
			time.Sleep(3 * time.Second)
			c.goesOn()
		})
	})
	t.Run("the store is away for long", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			w.log.set(func(l *fakeLog) { l.down = true })
			first, second := w.subscribe(forOne("ada")), w.subscribe(forOne("bob"))
			time.Sleep(10 * time.Second)
			first.endedBy("unavailable")
			second.endedBy("unavailable")
			third := w.subscribe(forOne("ada"))
			w.settle()
			w.log.set(func(l *fakeLog) { l.down = false })
			time.Sleep(10 * time.Second)
			third.goesOn()
		})
	})
	t.Run("a failed topic is nobody's any more", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			w.log.set(func(l *fakeLog) { l.down = true })
			var again []*client
			var mu sync.Mutex
			for range 3 { // all of one topic: each one's end brings its successor
				sub := forOne("ada")
				sub.Lane = newConnection(roomy).outbox.NewLane(lines{}, nil)
				sub.Done = func(error) {
					w.log.set(func(l *fakeLog) { l.down = false })
					mu.Lock()
					defer mu.Unlock()
					again = append(again, w.subscribe(forOne("ada")))
				}
				if _, err := w.hub.Subscribe(sub); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(20 * time.Second)
			w.settle()
			w.same("successors", len(again), 3)
			for _, c := range again {
				c.goesOn()
				w.same("ends", c.ends(), []string{})
			}
		})
	})
}

// TestTopicComesAndGoes: the last one to leave stops the watch, the next one opens another, though
// the old one may be on its way out still.
func TestTopicComesAndGoes(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		for range 3 {
			first, second := w.subscribe(forOne("ada")), w.subscribe(forOne("bob"))
			w.settle()
			w.same("watches of two", w.log.watches(room), 1)
			first.sub.Close()
			second.goesOn()
			second.sub.Close()
			third := w.subscribe(forOne("cyd")) // at once
			w.settle()
			w.same("watches of one", w.log.watches(room), 1)
			third.goesOn()
			third.sub.Close()
			third.sub.Close()
			w.settle()
			w.same("watches of none", w.log.watches(room), 0)
		}
	})
}

// TestOverlappingTopics: a topic that is still opening is left and opened again.
func TestOverlappingTopics(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		hold := make(chan struct{})
		w.log.set(func(l *fakeLog) { l.onWatch = func(string) { <-hold } })
		first := w.subscribe(forOne("ada"))
		w.settle()
		first.sub.Close()
		second := w.subscribe(forOne("ada"))
		w.settle()
		close(hold)
		w.settle()
		w.same("watches", w.log.watches(room), 1)
		second.goesOn()
	})
}

// TestHubCloses while subscriptions are at all stages: nothing is told, nothing is delivered any
// more, and every goroutine has ended.
func TestHubCloses(t *testing.T) {
	inWorld(t, delivery.Options{PageSize: 5}, func(w world) {
		w.log.notes(room, 20)
		w.log.create("away")
		hold := make(chan struct{})
		var rendering atomic.Int64
		stuck := forOne("ada")
		stuck.Group = "stuck"
		stuck.Renderer = &renderer{instead: func(ctx context.Context, _ delivery.Source) ([]byte, error) {
			rendering.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		slow := newConnection(100)
		slow.stop()
		live := w.subscribe(forOne("ada"))
		w.settle()
		away := forOne("ada")
		away.Spec.Topic = "away"
		w.log.set(func(l *fakeLog) {
			l.onWatch = func(log string) {
				if log == "away" {
					<-hold
				}
			}
		})
		clients := []*client{
			live, w.subscribe(stuck), w.subscribe(startingAt(stuck, w.log.tail(room))),
			w.subscribeOn(slow, forOne("ada")), w.subscribe(away),
		}
		w.settle()
		w.log.append(room, kindNote)
		w.settle()
		if rendering.Load() < 2 {
			t.Fatal("not everything is under way")
		}
		before := live.seen()
		closed := make(chan struct{})
		go func() { w.hub.Close(); close(closed) }()
		w.settle()
		close(hold) // an engine that takes its time
		<-closed
		w.log.notes(room, 3)
		live.saw(before...)
		for _, c := range clients {
			w.same("ends of "+c.name, c.ends(), []string{})
			c.sub.Close()
		}
		w.same("watches", w.log.watches(room), 0)
		for _, sub := range []delivery.Subscription{forOne("ada"), ofState(newSource(), ""), ofState(newSource(), room)} {
			sub.Lane = live.lane
			if s, err := w.hub.Subscribe(sub); !errors.Is(err, delivery.ErrClosed) || s != nil {
				t.Errorf("subscribing to a closed hub: %v, %v", s, err)
			}
		}
		w.hub.Close()
	})
}

// TestMovedWhenHubCloses: a rendering given up because the hub closes doesn't move the position of
// those who lack it.
func TestMovedWhenHubCloses(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		sub := forOne("ada")
		sub.Renderer = &renderer{instead: func(ctx context.Context, _ delivery.Source) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		c := w.subscribe(sub)
		w.settle()
		w.log.append(room, kindNote)
		w.settle()
		silent := w.log.append(room, kindSilent)
		w.subscribe(startingAt(sub, from(silent)))
		w.settle()
		w.hub.Close()
		if cursor, moved := c.moved(); moved {
			t.Errorf("position %d was told, without the event before it", cursor.Position.Offset)
		}
	})
}

package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"parley/delivery"
	"parley/eventlog"
)

// TestRenderedOnce: one rendering per event, however many share the group.
func TestRenderedOnce(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		r := &renderer{}
		var clients []*client
		for i := range 1000 {
			sub := forOne(fmt.Sprint("user", i))
			sub.Renderer = r
			clients = append(clients, w.subscribe(sub))
		}
		w.settle()
		all := w.log.notes(room, 10)
		w.settle()
		w.same("renders", r.renders.Load(), int64(10))
		for _, c := range clients {
			c.saw(names(all...)...)
		}
	})
}

// TestGroups: another key or another filter is another group.
func TestGroups(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		r, other := &renderer{}, &renderer{}
		one, two, filtered := forOne("ada"), forOne("bob"), showingAccess("cyd")
		two.Group = "another"
		filtered.Group = one.Group
		one.Renderer, two.Renderer, filtered.Renderer = r, other, other
		a, b, c := w.subscribe(one), w.subscribe(two), w.subscribe(filtered)
		w.settle()
		note, access := w.log.append(room, kindNote), w.log.append(room, kindAccess, begins("dan"))
		a.saw(names(note)...)
		b.saw(names(note)...)
		c.saw(names(note, access)...)
		w.same("renders", []int64{r.renders.Load(), other.renders.Load()}, []int64{1, 3})
	})
}

// notShareable is a renderer that turns out to depend on the viewer.
func notShareable() *renderer {
	return &renderer{instead: func(context.Context, delivery.Source) ([]byte, error) {
		return nil, fmt.Errorf("wrapped: %w", delivery.ErrNotShareable)
	}}
}

// TestNotShareable: then each viewer has a rendering of their own, replayed or live, log or state.
func TestNotShareable(t *testing.T) {
	personal := func(name string) *renderer {
		return &renderer{instead: func(_ context.Context, source delivery.Source) ([]byte, error) {
			return fmt.Appendf(nil, "%s:%v", name, source.Payload), nil
		}}
	}
	t.Run("log", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			all := w.log.notes(room, 2)
			var clients []*client
			var asked atomic.Int64
			shared := &renderer{instead: func(context.Context, delivery.Source) ([]byte, error) {
				asked.Add(1)
				return nil, delivery.ErrNotShareable
			}}
			for i := range 3 {
				sub := forOne("ada")
				sub.Renderer, sub.Personal = shared, personal(fmt.Sprint(i))
				clients = append(clients, w.subscribe(sub))
			}
			for range 2 {
				w.settle()
				all = append(all, w.log.notes(room, 1)...)
			}
			for i, c := range clients {
				var want []string
				for _, e := range all {
					want = append(want, fmt.Sprintf("%d:%v", i, e.Payload))
				}
				c.saw(want...)
			}
			w.same("shared renderings tried", asked.Load(), int64(3+1)) // by three replays, and live
		})
	})
	t.Run("state", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			s := newSource(value("a", 1))
			sub := ofState(s, "")
			sub.Renderer, sub.Personal = notShareable(), personal("p")
			c := w.subscribe(sub)
			w.settle()
			s.tell(value("a", 2))
			c.saw("p:a1", "p:a2")
		})
	})
	t.Run("not even for one", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			w.log.notes(room, 1)
			sub := forOne("ada")
			sub.Renderer = notShareable()
			c := w.subscribe(sub)
			w.settle()
			w.log.notes(room, 1)
			w.settle()
			failure := "failure:wrapped:_delivery:_rendering_depends_on_the_viewer"
			c.saw(failure, failure)
		})
	})
}

// TestRenderingFails: a store that doesn't answer is asked again, in order and with the group
// waiting; any other error, or one that lasts, is delivered in the event's place.
func TestRenderingFails(t *testing.T) {
	unavailable := fmt.Errorf("wrapped: %w", eventlog.ErrUnavailable)
	for name, test := range map[string]struct {
		err   error
		times int64
		after time.Duration
		first string
	}{
		"unavailable for a moment": {unavailable, 5, 10 * time.Second, ""},
		"unavailable for long":     {unavailable, 15, time.Minute, "failure:wrapped:_eventlog:_store_unavailable"},
		"otherwise":                {errors.New("bad payload"), 1, 0, "failure:bad_payload"},
		"out of time":              {context.DeadlineExceeded, 1, 0, "failure:context_deadline_exceeded"},
	} {
		for _, way := range []string{"live", "replayed"} {
			t.Run(name+", "+way, func(t *testing.T) {
				inWorld(t, delivery.Options{}, func(w world) {
					var fails atomic.Int64
					fails.Store(test.times)
					sub := forOne("ada")
					sub.Renderer = &renderer{instead: func(context.Context, delivery.Source) ([]byte, error) {
						if fails.Add(-1) >= 0 {
							return nil, test.err
						}
						return nil, nil
					}}
					var all []*entry
					var c *client
					if way == "live" {
						c = w.subscribe(sub)
						w.settle()
						all = w.log.notes(room, 3)
					} else {
						all = w.log.notes(room, 3)
						c = w.subscribe(sub)
					}
					time.Sleep(test.after)
					want := names(all...)
					if test.first != "" {
						want[0] = test.first
					}
					c.saw(want...)
				})
			})
		}
	}
}

// TestRenderTimeout: a rendering has its deadline from the options.
func TestRenderTimeout(t *testing.T) {
	inWorld(t, delivery.Options{RenderTimeout: 700 * time.Millisecond}, func(w world) {
		sub := forOne("ada")
		var took atomic.Int64
		sub.Renderer = &renderer{instead: func(ctx context.Context, _ delivery.Source) ([]byte, error) {
			begun := time.Now()
			<-ctx.Done()
			took.Store(int64(time.Since(begun)))
			return nil, ctx.Err()
		}}
		c := w.subscribe(sub)
		w.settle()
		w.log.notes(room, 1)
		time.Sleep(time.Second)
		c.saw("failure:context_deadline_exceeded")
		w.same("deadline", time.Duration(took.Load()), 700*time.Millisecond)
	})
}

// TestOneGroupWaitsAlone: a group whose rendering waits for the store holds no other group, nor
// comings, goings and ends there; and it isn't told a position past what it lacks.
func TestOneGroupWaitsAlone(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		hold, stuck := make(chan struct{}), forOne("ada")
		stuck.Group = "stuck"
		stuck.Renderer = &renderer{instead: func(context.Context, delivery.Source) ([]byte, error) { <-hold; return nil, nil }}
		waits, other := w.subscribe(stuck), w.subscribe(forOne("bob"))
		w.settle()
		all := w.log.notes(room, 2)
		other.saw(names(all...)...)
		third := w.subscribe(startingAt(forOne("cyd"), from(all[1])))
		all = append(all, w.log.notes(room, 1)...)
		third.saw(names(all[2])...)
		fourth := w.subscribe(startingAt(stuck, from(all[2])))
		w.settle()
		third.sub.Close()
		w.log.append(room, kindAccess, revoked("bob"))
		other.endedBy("revoked")
		if cursor, moved := waits.moved(); moved {
			t.Errorf("told position %d, without the event before it", cursor.Position.Offset)
		}
		waits.saw()
		close(hold)
		waits.saw(names(all...)...)
		fourth.saw()
		last := w.log.append(room, kindNote)
		waits.saw(names(append(all, last)...)...)
		fourth.saw(names(last)...)
	})
}

// TestNobodyWaitsForRendering: when the last of a group leaves, its rendering is given up.
func TestNobodyWaitsForRendering(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		sub := forOne("ada")
		var gaveUp atomic.Int64
		sub.Group = "stuck"
		sub.Renderer = &renderer{instead: func(ctx context.Context, _ delivery.Source) ([]byte, error) {
			<-ctx.Done()
			if errors.Is(ctx.Err(), context.Canceled) {
				gaveUp.Add(1)
			}
			return nil, ctx.Err()
		}}
		other := w.subscribe(forOne("bob"))
		c := w.subscribe(sub)
		w.settle()
		w.log.notes(room, 1)
		w.settle()
		c.sub.Close()
		w.settle()
		w.same("given up", gaveUp.Load(), int64(1))
		other.goesOn()
	})
}

// TestGroupFarBehind: what waits for a group is bounded; the topic waits in the end, and reads from
// the log what it couldn't take.
func TestGroupFarBehind(t *testing.T) {
	inWorld(t, delivery.Options{MaxPending: 50, PageSize: 10}, func(w world) {
		hold, stuck := make(chan struct{}), forOne("ada")
		stuck.Group = "stuck"
		stuck.Renderer = &renderer{instead: func(context.Context, delivery.Source) ([]byte, error) { <-hold; return nil, nil }}
		waits, other := w.subscribe(stuck), w.subscribe(forOne("bob"))
		w.settle()
		all := w.log.notes(room, 1000)
		w.settle()
		if reads, _ := w.log.count(); reads > 20 {
			t.Errorf("%d pages of 10 have been read of what nobody can take yet", reads)
		}
		close(hold)
		waits.saw(names(all...)...)
		other.saw(names(all...)...)
		waits.goesOn()
	})
}

// TestSlowReplay: a replay keeps the pace of its reader and never overflows, though many share the
// connection.
func TestSlowReplay(t *testing.T) {
	inWorld(t, delivery.Options{PageSize: 50}, func(w world) {
		all := w.log.notes(room, 300)
		slow := newConnection(400)
		slow.stop()
		var clients []*client
		for range 20 {
			clients = append(clients, w.subscribeOn(slow, forOne("ada")))
		}
		w.settle()
		reads, _ := w.log.count()
		if reads > 20 {
			t.Errorf("%d pages of 50 have been read of what nobody can take yet", reads)
		}
		slow.resume()
		for _, c := range clients {
			c.saw(names(all...)...)
		}
		w.same("overflows", slow.overflows.Load(), int64(0))
	})
}

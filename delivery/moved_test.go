package delivery_test

import (
	"context"
	"testing"
	"time"

	"parley/delivery"
	"parley/eventlog"
)

// told fails unless a position is told now, once.
func told(w world, c *client, want eventlog.Cursor) {
	w.Helper()
	w.settle()
	if got, moved := c.moved(); !moved || got != want {
		w.Errorf("told %+v (%v), want %+v", got, moved, want)
	}
	if got, moved := c.moved(); moved {
		w.Errorf("told %+v again", got)
	}
}

// TestMoved: which position is told, when.
func TestMoved(t *testing.T) {
	t.Run("the start, then what is filtered out, not what an event has told", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			all := w.log.notes(room, 3)
			c := w.subscribe(startingAt(forOne("ada"), from(all[2])))
			told(w, c, from(all[2]))
			silent := w.log.append(room, kindSilent)
			told(w, c, from(silent))
			note := w.log.append(room, kindNote)
			w.settle()
			if got, moved := c.moved(); moved {
				t.Errorf("told %+v, which the event tells", got)
			}
			c.saw("@", "@", names(note)[0])
			w.same("cursors", c.conn.read(c.name)[2].cursor, from(note))
		})
	})
	t.Run("while replaying", func(t *testing.T) {
		inWorld(t, delivery.Options{PageSize: 5}, func(w world) {
			var silent []*entry
			for range 10 {
				silent = append(silent, w.log.append(room, kindSilent))
			}
			hold := make(chan struct{})
			w.log.set(func(l *fakeLog) {
				l.onRead = func(after eventlog.Position, _ eventlog.Page) {
					if after.Offset == 5 {
						<-hold
					}
				}
			})
			c := w.subscribe(forOne("ada"))
			told(w, c, from(silent[4]))
			close(hold)
			told(w, c, from(silent[9]))
		})
	})
}

// TestMovedOverGaps is the same where the log has a gap.
func TestMovedOverGaps(t *testing.T) {
	t.Run("through a reset", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			rendering, hold := make(chan struct{}), make(chan struct{})
			sub := withResets("ada")
			sub.Renderer = &renderer{instead: func(_ context.Context, source delivery.Source) ([]byte, error) {
				if _, ok := source.Payload.(eventlog.Reset); ok {
					close(rendering)
					<-hold
				}
				return nil, nil
			}}
			c := w.subscribe(sub)
			w.settle()
			w.log.notes(room, 10)
			w.log.append(room, kindSilent)
			w.settle()
			late, _ := c.sub.Moved() // found before the reset, told after it
			w.log.truncate(room, 3)
			w.log.look(room)
			<-rendering
			w.settle()
			if got, moved := c.moved(); moved {
				t.Errorf("told %+v, while crossing", got)
			}
			close(hold)
			w.settle()
			c.lane.Advance(late, []byte("late  "+c.name+"\n"))
			w.settle()
			silent := w.log.append(room, kindSilent)
			told(w, c, from(silent))
			w.settle()
			seen := c.seen()
			w.same("the end of what is seen", seen[len(seen)-2:], []string{lostShown, "@"})
		})
	})
	t.Run("on a trimmed cursor, not before the backfill", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			all := w.log.notes(room, 10)
			w.log.trim(room, 9)
			hold, sub := make(chan struct{}), startingAt(forOne("ada"), from(all[1]))
			read := backfillFrom(w, &all, 100)
			sub.Spec.Backfill = func(ctx context.Context, seq uint64, limit int) ([]eventlog.Publication, error) {
				<-hold
				return read(ctx, seq, limit)
			}
			c := w.subscribe(sub)
			told(w, c, from(all[1]))
			close(hold)
			w.settle()
			if got, moved := c.moved(); moved {
				t.Errorf("told %+v", got)
			}
			c.saw(append([]string{"@"}, names(all[2:]...)...)...)
		})
	})
}

// TestMovedNeverAhead asks for the position all the time while events come: what has been put by
// then is everything up to it.
func TestMovedNeverAhead(t *testing.T) {
	inWorld(t, delivery.Options{PageSize: 3}, func(w world) {
		w.log.notes(room, 100)
		c := w.subscribe(forOne("ada"))
		for n := range 300 {
			kind := kindNote
			if n%2 == 0 {
				kind = kindSilent
			}
			if n%10 == 0 {
				w.log.silently(func() { w.log.append(room, kind) })
			} else {
				w.log.append(room, kind)
			}
			c.moved()
			if n%25 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		w.log.look(room)
		w.settle()
		c.moved()
		w.settle()
		at := uint64(0)
		for _, l := range c.conn.read(c.name) {
			e := w.log.entries[l.cursor.Position]
			for before := e; before != nil && before.Offset > at; before = before.parent {
				if before.Kind == kindNote && (before != e || l.what == "@") {
					t.Fatalf("position %d is told by %q before the event at %d", e.Offset, l.what, before.Offset)
				}
			}
			at = e.Offset
		}
		w.same("told at last", at, uint64(400))
	})
}

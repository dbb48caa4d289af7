package sqlite

import (
	"context"

	"parley/chat"
	"parley/eventlog"
)

// Read implements eventlog.Log.
func (s *Store) Read(ctx context.Context, log string, after eventlog.Position, limit int) (eventlog.Page, error) {
	return read(ctx, s, func(ctx context.Context, c *conn) (eventlog.Page, error) {
		return c.page(ctx, log, after, clampLimit(limit))
	})
}

func (c *conn) page(ctx context.Context, log string, after eventlog.Position, limit int) (eventlog.Page, error) {
	r, err := c.log(ctx, log)
	if err != nil {
		return eventlog.Page{}, err
	}
	reason, err := c.verify(ctx, r, after)
	if err != nil {
		return eventlog.Page{}, err
	}
	if reason != 0 {
		return eventlog.Page{}, &eventlog.GapError{Reason: reason, Tail: r.Tail, TailSeq: r.LastSeq}
	}
	page := eventlog.Page{Tail: r.Tail, TailSeq: r.LastSeq}
	if after.Offset == r.Tail.Offset {
		return page, nil
	}
	entries, err := c.entries(ctx, r, after.Offset, limit)
	if err != nil {
		return eventlog.Page{}, err
	}
	for _, e := range entries {
		page.Publications = append(page.Publications, e.publication())
	}
	return page, nil
}

// log reads of a room what concerns its log, or answers ErrNoLog.
func (c *conn) log(ctx context.Context, id string) (*room, error) {
	r := &room{Room: chat.Room{ID: id}}
	found, err := c.get(ctx, into(&r.no, &r.Tail.Epoch, &r.Tail.Offset, &r.Tail.Check, &r.LastSeq, &r.first, &r.bytes),
		`SELECT log.room, log.epoch, log.tail, log.tail_mark, log.last_seq, log.first, log.bytes
		FROM room JOIN log ON log.room = room.no WHERE room.id = ?`, id)
	if err == nil && !found {
		err = eventlog.ErrNoLog
	}
	return r, err
}

// verify says why the log can't be continued from a position, 0 if it can.
func (c *conn) verify(ctx context.Context, r *room, at eventlog.Position) (eventlog.ResetReason, error) {
	switch {
	case at.Offset == 0 && r.first == 1:
		return 0, nil
	case at.Offset == 0:
		return eventlog.Trimmed, nil
	case at.Epoch != r.Tail.Epoch || at.Offset > r.Tail.Offset:
		return eventlog.HistoryLost, nil
	case at.Offset == r.Tail.Offset:
		return lostUnless(at == r.Tail), nil
	case at.Offset >= r.first:
		kept, err := c.markOf(ctx, r, at.Offset)
		return lostUnless(kept.epoch == at.Epoch && kept.mark == at.Check), err
	case at.Offset == r.first-1:
		next, err := c.markOf(ctx, r, r.first)
		return lostUnless(next.epoch == at.Epoch && next.prev == at.Check), err
	}
	return eventlog.Trimmed, nil
}

func lostUnless(agrees bool) eventlog.ResetReason {
	if agrees {
		return 0
	}
	return eventlog.HistoryLost
}

// marks are the marks of an entry.
type marks struct{ epoch, mark, prev uint32 }

func (c *conn) markOf(ctx context.Context, r *room, offset uint64) (m marks, err error) {
	_, err = c.get(ctx, into(&m.epoch, &m.mark, &m.prev),
		`SELECT epoch, mark, prev FROM entry WHERE room = ? AND pos = ?`, r.no, offset)
	return m, err
}

// Watch implements eventlog.Log. Publications come from the store's bus, in the order of the log,
// all of them, and Look is never called. stop waits for a call under way, so the watcher itself
// must not call it.
func (s *Store) Watch(ctx context.Context, log string, watcher eventlog.Watcher) (stop func(), err error) {
	w := s.bus.logs.add(log, watcher.Published)
	stop = func() { s.bus.logs.remove(log, w) }
	_, err = read(ctx, s, func(ctx context.Context, c *conn) (*room, error) { return c.log(ctx, log) })
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// Fence implements eventlog.Log. A history can differ here when the file was put back from a copy.
func (s *Store) Fence(ctx context.Context, log string, seen eventlog.Position) error {
	_, err := write(ctx, s, func(ctx context.Context, t *tx) (struct{}, error) {
		return struct{}{}, t.fence(ctx, log, seen)
	})
	return err
}

func (t *tx) fence(ctx context.Context, log string, seen eventlog.Position) error {
	r, err := t.room(ctx, log)
	if chat.CodeOf(err) == chat.NotFound {
		return eventlog.ErrNoLog
	}
	if err != nil || r.Tail.Epoch != seen.Epoch {
		return err
	}
	agrees, err := t.agrees(ctx, r, seen)
	if err != nil || agrees {
		return err
	}
	return t.beginEpoch(ctx, r)
}

// agrees reports whether the log has, or for all we know had, the entry at a position.
func (c *conn) agrees(ctx context.Context, r *room, seen eventlog.Position) (bool, error) {
	switch {
	case seen.Offset > r.Tail.Offset:
		return false, nil
	case seen.Offset == r.Tail.Offset:
		return seen.Check == r.Tail.Check || seen.Offset == 0, nil
	case seen.Offset < r.first:
		return true, nil
	}
	kept, err := c.markOf(ctx, r, seen.Offset)
	return kept.mark == seen.Check, err
}

// beginEpoch appends the reset entry with which a new epoch begins.
func (t *tx) beginEpoch(ctx context.Context, r *room) error {
	e := r.nextEntry(t.at, eventlog.KindReset)
	for e.event.Position.Epoch == r.Tail.Epoch {
		e.event.Position.Epoch = newMark()
	}
	if err := t.appendEntry(ctx, r, e); err != nil {
		return err
	}
	t.publish(r.ID, e.publication())
	return nil
}

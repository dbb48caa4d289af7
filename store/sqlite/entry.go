package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"parley/chat"
	"parley/eventlog"
)

// entry is an entry of a room's log: what is stored of it, and the event once it is hydrated.
type entry struct {
	event *chat.Event
	prev  uint32
	// message and member are what the entry is about, 0 and "" for neither.
	message uint64
	member  string
}

// nextEntry returns the entry that follows the log's tail.
func (r *room) nextEntry(at time.Time, kind eventlog.Kind) entry {
	return entry{prev: r.Tail.Check, event: &chat.Event{
		RoomID: r.ID, Kind: kind, At: at,
		Position: eventlog.Position{Epoch: r.Tail.Epoch, Offset: r.Tail.Offset + 1, Check: newMark()},
	}}
}

// appendEntry writes the entry at the end of the room's log.
func (t *tx) appendEntry(ctx context.Context, r *room, e entry) error {
	ev := e.event
	ev.Seq = r.LastSeq
	var actor chat.User
	if ev.Actor != nil {
		actor = *ev.Actor
	}
	size := e.size(actor)
	_, err := t.exec(ctx, `INSERT INTO entry (room, pos, epoch, mark, prev, at, kind, actor, actor_name, actor_avatar, seq,
		message, member, size, format) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), nullif(?, ''), ?, 1)`,
		r.no, ev.Position.Offset, ev.Position.Epoch, ev.Position.Check, e.prev, ev.At.UnixMilli(), ev.Kind,
		actor.ID, actor.Name, actor.AvatarURL, ev.Seq, e.message, e.member, size)
	if err != nil {
		return err
	}
	r.Tail = ev.Position
	r.bytes += size
	if !r.firstAt.Valid {
		if err := t.beginKept(ctx, r, ev.At); err != nil {
			return err
		}
	}
	if over, young := r.grown(r.Tail.Offset, t.retention, t.at); over {
		t.grown = append(t.grown, growth{r.ID, young})
	}
	r.moved = true // and is written with the transaction's other logs
	return nil
}

// saveLog writes the state of a log that was moved on.
func (t *tx) saveLog(ctx context.Context, r *room) error {
	r.moved = false
	_, err := t.exec(ctx, `UPDATE log SET epoch = ?, tail = ?, tail_mark = ?, last_seq = ?, last_message_at = ?, bytes = ?
		WHERE room = ?`, r.Tail.Epoch, r.Tail.Offset, r.Tail.Check, r.LastSeq, millis(r.LastMessageAt), r.bytes, r.no)
	return err
}

// beginKept notes the time of the first entry of a log that has none.
func (t *tx) beginKept(ctx context.Context, r *room, at time.Time) error {
	r.firstAt = sql.NullInt64{Int64: at.UnixMilli(), Valid: true}
	_, err := t.exec(ctx, `UPDATE log SET first_at = ? WHERE room = ?`, r.firstAt, r.no)
	return err
}

// size is about what the entry takes in the file.
func (e entry) size(actor chat.User) int64 {
	const fixed = 64
	return int64(fixed + len(actor.ID) + len(actor.Name) + len(actor.AvatarURL) + len(e.member))
}

// publication returns the entry as readers of the log see it.
func (e entry) publication() eventlog.Publication {
	if e.event.Kind != eventlog.KindReset {
		return e.event.Publication(e.prev)
	}
	return eventlog.Publication{
		Position: e.event.Position, Prev: e.prev, At: e.event.At, Kind: eventlog.KindReset,
		Payload: eventlog.Reset{Log: e.event.RoomID, Reason: eventlog.HistoryLost, At: e.event.At},
	}
}

// entries reads up to limit entries after an offset, hydrated.
func (c *conn) entries(ctx context.Context, r *room, after uint64, limit int) ([]entry, error) {
	var list []entry
	err := c.each(ctx, func(from row) error {
		e, err := scanEntry(from, r.ID)
		list = append(list, e)
		return err
	}, `SELECT pos, epoch, mark, prev, at, kind, actor, actor_name, actor_avatar, seq, coalesce(message, 0),
		coalesce(member, '') FROM entry WHERE room = ? AND pos > ? ORDER BY pos LIMIT ?`, r.no, after, limit)
	if err == nil && slices.ContainsFunc(list, func(e entry) bool { return e.message != 0 }) {
		err = c.hydrateMessages(ctx, r, after, list)
	}
	if err == nil && slices.ContainsFunc(list, func(e entry) bool { return e.member != "" }) {
		err = c.hydrateMembers(ctx, r, after, list)
	}
	return list, err
}

func scanEntry(from row, room string) (entry, error) {
	e := entry{event: &chat.Event{RoomID: room}}
	var at int64
	var actor chat.User
	ev := e.event
	err := from.Scan(&ev.Position.Offset, &ev.Position.Epoch, &ev.Position.Check, &e.prev, &at, &ev.Kind,
		&actor.ID, &actor.Name, &actor.AvatarURL, &ev.Seq, &e.message, &e.member)
	ev.At = fromMillis(at)
	if actor.ID != "" {
		ev.Actor = &actor
	}
	return e, err
}

// hydrateMessages adds the messages that entries are about, as they stand now.
func (c *conn) hydrateMessages(ctx context.Context, r *room, after uint64, list []entry) error {
	found := map[uint64]*chat.Message{}
	err := c.each(ctx, func(from row) error {
		var s scannedMessage
		err := from.Scan(s.dest()...)
		found[s.Seq] = s.decoded(r.ID)
		return err
	}, `SELECT `+messageColumns+` FROM message WHERE room = ?1 AND seq IN (
		SELECT message FROM entry WHERE room = ?1 AND pos > ?2 AND pos <= ?3 AND message IS NOT NULL)`,
		r.no, after, list[len(list)-1].event.Position.Offset)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.message == 0 {
			continue
		}
		if e.event.Message = found[e.message]; e.event.Message == nil {
			return unavailable(fmt.Errorf("room %s has an entry but not its message %d", r.ID, e.message))
		}
	}
	return nil
}

// hydrateMembers adds the membership rows that entries are about, as they stand now.
func (c *conn) hydrateMembers(ctx context.Context, r *room, after uint64, list []entry) error {
	found := map[string]*chat.Member{}
	err := c.each(ctx, func(from row) error {
		var s scannedMember
		if err := from.Scan(s.dest()...); err != nil {
			return err
		}
		m, err := s.decoded(r.ID)
		found[s.User.ID] = m
		return err
	}, `SELECT `+memberColumns+` FROM member WHERE room = ?1 AND user IN (
		SELECT member FROM entry WHERE room = ?1 AND pos > ?2 AND pos <= ?3 AND member IS NOT NULL)`,
		r.no, after, list[len(list)-1].event.Position.Offset)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.member == "" {
			continue
		}
		if e.event.Member = found[e.member]; e.event.Member == nil {
			return unavailable(fmt.Errorf("room %s has an entry but not its member", r.ID))
		}
	}
	return nil
}

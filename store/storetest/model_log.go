package storetest

import (
	"time"

	"parley/chat"
	"parley/eventlog"
)

// modelEntry is what a log holds: who and what, never contents.
type modelEntry struct {
	position eventlog.Position
	prev     uint32
	at       time.Time
	kind     eventlog.Kind
	actor    *chat.User
	seq      uint64
	message  uint64 // the seq of the message concerned
	member   string // the id of the user concerned
}

// enter appends an entry to the room's log.
func (r *modelRoom) enter(kind eventlog.Kind, actor chat.User, at time.Time, check uint32) *modelEntry {
	e := modelEntry{prev: r.Tail.Check, at: at, kind: kind, seq: r.LastSeq}
	if actor.ID != "" {
		e.actor = &chat.User{ID: actor.ID, Name: actor.Name}
	}
	r.Tail = eventlog.Position{Epoch: r.Tail.Epoch, Offset: r.Tail.Offset + 1, Check: check}
	e.position = r.Tail
	r.entries = append(r.entries, e)
	return &r.entries[len(r.entries)-1]
}

// event hydrates an entry.
func (r *modelRoom) event(e modelEntry) *chat.Event {
	event := &chat.Event{
		RoomID: r.ID, Kind: e.kind, At: e.at, Actor: e.actor, Seq: e.seq, Position: e.position,
	}
	if e.message > 0 {
		event.Message = r.message(e.message)
	}
	if e.member != "" {
		event.Member = copied(r.members[e.member])
	}
	return event
}

func (r *modelRoom) publication(e modelEntry) eventlog.Publication {
	if e.kind != eventlog.KindReset {
		return r.event(e).Publication(e.prev)
	}
	return eventlog.Publication{
		Position: e.position, Prev: e.prev, At: e.at, Kind: e.kind,
		Payload: eventlog.Reset{Log: r.ID, Reason: eventlog.HistoryLost, At: e.at},
	}
}

// message returns a message as it stands now.
func (r *modelRoom) message(seq uint64) *chat.Message {
	message := r.messages[seq-1]
	return &message
}

func (m *model) read(log string, after eventlog.Position, limit int) (eventlog.Page, error) {
	r := m.rooms[log]
	if r == nil {
		return eventlog.Page{}, eventlog.ErrNoLog
	}
	if reason := r.gap(after); reason != 0 {
		return eventlog.Page{}, &eventlog.GapError{Reason: reason, Tail: r.Tail, TailSeq: r.LastSeq}
	}
	page := eventlog.Page{Tail: r.Tail, TailSeq: r.LastSeq}
	rest := r.entries[after.Offset:]
	for _, e := range rest[:min(limit, len(rest))] {
		page.Publications = append(page.Publications, r.publication(e))
	}
	return page, nil
}

// gap says why the log can't be read on from a position, 0 if it can.
func (r *modelRoom) gap(after eventlog.Position) eventlog.ResetReason {
	switch {
	case after.Offset == 0 && r.trimmed == 0:
		return 0
	case after.Offset == 0:
		return eventlog.Trimmed
	case after.Epoch != r.Tail.Epoch || after.Offset > r.Tail.Offset:
		return eventlog.HistoryLost
	case after.Offset < r.trimmed:
		return eventlog.Trimmed
	case r.entries[after.Offset-1].position.Check != after.Check: // or the Prev of the next
		return eventlog.HistoryLost
	}
	return 0
}

func (m *model) fence(log string, seen eventlog.Position) error {
	r := m.rooms[log]
	if r == nil {
		return eventlog.ErrNoLog
	}
	if seen.Epoch != r.Tail.Epoch || r.agrees(seen) {
		return nil
	}
	r.Tail.Epoch = m.fate.mark()
	r.enter(eventlog.KindReset, chat.User{}, m.fate.now(), m.fate.mark())
	return nil
}

func (r *modelRoom) agrees(seen eventlog.Position) bool {
	if seen.Offset <= r.trimmed {
		return true
	}
	return seen.Offset <= r.Tail.Offset && r.entries[seen.Offset-1].position.Check == seen.Check
}

// page is the page of messages that q asks for.
func (r *modelRoom) page(q chat.MessageQuery) chat.MessagePage {
	page := chat.MessagePage{Room: r.Room}
	var inside []*chat.Message
	for i := range r.messages {
		switch message := &r.messages[i]; {
		case !q.Readable.Contains(message.Sent.Offset):
		case message.Seq <= q.After:
			page.HasBefore = true
		case q.Before > 0 && message.Seq >= q.Before:
			page.HasAfter = true
		default:
			inside = append(inside, message)
		}
	}
	from, to := 0, min(q.Limit, len(inside))
	if q.FromEnd {
		from, to = max(0, len(inside)-q.Limit), len(inside)
	}
	for _, message := range inside[from:to] {
		page.Messages = append(page.Messages, *message)
	}
	page.HasBefore = page.HasBefore || from > 0
	page.HasAfter = page.HasAfter || to < len(inside)
	return page
}

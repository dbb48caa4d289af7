package chat

import (
	"context"

	"parley/eventlog"
)

// Message returns a message that viewer may read, else NOT_FOUND.
func (s *Service) Message(ctx context.Context, viewer, messageID string) (Message, error) {
	room, seq, salt, ok := ParseMessageID(messageID)
	if !ok {
		return Message{}, noMessage()
	}
	// Access is read last, so that nothing shown is newer than the right to see it.
	message, err := s.message(ctx, room, seq)
	if err != nil {
		return Message{}, err
	}
	access, err := s.Access(ctx, viewer, room)
	if CodeOf(err) == NotFound || err == nil && !access.shows(message, salt) {
		return Message{}, noMessage()
	}
	if err != nil {
		return Message{}, err
	}
	return message, nil
}

// Reply returns the message that another one of the room answers, or nil where there is none or
// viewer may not read it. NOT_FOUND where viewer may not know of the room.
func (s *Service) Reply(ctx context.Context, viewer, room string, seq uint64) (*Message, error) {
	if seq == 0 {
		return nil, nil
	}
	return retry(maxReads, func() (*Message, error) {
		access, err := s.Access(ctx, viewer, room)
		if err != nil {
			return nil, err
		}
		return s.ReplyFor(ctx, access.Audience(), seq)
	})
}

// Messages returns a page of a room's messages that viewer may read, ascending. FORBIDDEN for one
// who isn't a member.
func (s *Service) Messages(ctx context.Context, viewer, roomID string, page PageArgs) (MessagePage, error) {
	query, err := page.query(roomID)
	if err != nil {
		return MessagePage{}, err
	}
	found, err := retry(maxReads, func() (MessagePage, error) {
		access, err := s.readAccess(ctx, viewer, roomID)
		if err != nil {
			return MessagePage{}, err
		}
		query.Readable, query.Expect = page.readable(access.Readable), access.expect
		return s.store.Messages(ctx, query)
	})
	if page.none() {
		found.emptied(query.FromEnd)
	}
	return found, err
}

// query is the page of a room's messages, but for what may be read. It is of one message at least.
func (p PageArgs) query(roomID string) (q MessageQuery, err error) {
	run, err := p.run()
	if err != nil {
		return q, err
	}
	q = MessageQuery{RoomID: roomID, FromEnd: run.fromEnd, Limit: max(run.limit, 1)}
	if q.After, err = seqOf(p.After, "after", roomID, 0); err != nil {
		return q, err
	}
	// Nothing is before the first message, and Before 0 would mean the end.
	q.Before, err = seqOf(p.Before, "before", roomID, 1)
	return q, err
}

// readable is what of the intervals the page may show.
func (p PageArgs) readable(all eventlog.Intervals) eventlog.Intervals {
	if p.Until == 0 {
		return all
	}
	return all.Until(p.Until)
}

// emptied takes the page's one message out again.
func (p *MessagePage) emptied(fromEnd bool) {
	there := len(p.Messages) > 0
	p.Messages = nil
	if fromEnd {
		p.HasBefore = p.HasBefore || there
	} else {
		p.HasAfter = p.HasAfter || there
	}
}

// seqOf returns the seq that a page of a room's messages begins or ends at, at least floor; 0 for
// no cursor.
func seqOf(cursor *eventlog.Cursor, field, roomID string, floor uint64) (uint64, error) {
	if !given(cursor) {
		return 0, nil
	}
	if err := belongs(cursor, field, eventlog.CursorLog, roomID); err != nil {
		return 0, err
	}
	return min(max(cursor.Seq, floor), maxSeq), nil
}

// maxSeq is beyond every seq, and fits all stores' integers.
const maxSeq = 1 << 53

// messageIn returns a message by its id if access shows it, else NOT_FOUND.
func (s *Service) messageIn(ctx context.Context, access Access, id string) (Message, error) {
	room, seq, salt, ok := ParseMessageID(id)
	if !ok || room != access.Room.ID {
		return Message{}, noMessage()
	}
	message, err := s.message(ctx, room, seq)
	if err != nil {
		return Message{}, err
	}
	if !access.shows(message, salt) {
		return Message{}, noMessage()
	}
	return message, nil
}

func (s *Service) message(ctx context.Context, room string, seq uint64) (Message, error) {
	message, err := s.store.Message(ctx, room, seq)
	if CodeOf(err) == NotFound {
		return Message{}, noMessage()
	}
	return message, public(err)
}

// shows reports whether the viewer may read a message, and means this one by its salt.
func (a Access) shows(message Message, salt string) bool {
	return message.Salt == salt && a.Readable.Contains(message.Sent.Offset)
}

package chat

import (
	"context"
	"errors"

	"parley/eventlog"
)

// EventPage is what a room's log holds after a cursor, as far as the viewer may read it.
type EventPage struct {
	// Events are publications whose payload is an *[Event], in the order of the log.
	Events []eventlog.Publication
	// Cursor is where to go on: after the last entry looked at, shown or not.
	Cursor eventlog.Cursor
	// Reset says that the log can't be continued from the cursor asked for: there are no
	// events, and Cursor is at the tail.
	Reset bool
}

// Events returns a room's events after a cursor, oldest first: DefaultPage for nil, at most
// MaxPage. Without a cursor there are none, and the page's cursor is at the tail. Access is judged
// at each entry, then and now: FORBIDDEN for one who isn't a member, and entries of a time when
// they weren't one, or that the room's history hides, are left out.
func (s *Service) Events(ctx context.Context, viewer, roomID string, after *eventlog.Cursor, first *int) (EventPage, error) {
	limit, err := pageSize("first", first)
	if err != nil {
		return EventPage{}, err
	}
	if !given(after) {
		access, err := s.readAccess(ctx, viewer, roomID)
		if err != nil {
			return EventPage{}, err
		}
		return EventPage{Cursor: access.Room.Cursor()}, nil
	}
	if err := belongs(after, "after", eventlog.CursorLog, roomID); err != nil {
		return EventPage{}, err
	}
	if !IsRoomID(roomID) {
		return EventPage{}, noRoom()
	}
	// Access is read last: it then knows of every change of membership among the entries read.
	read, readErr := s.log.Read(ctx, roomID, after.Position, max(limit, 1))
	access, err := s.readAccess(ctx, viewer, roomID)
	if err != nil {
		return EventPage{}, err
	}
	if gap, ok := errors.AsType[*eventlog.GapError](readErr); ok {
		return resetPage(roomID, gap.Tail, gap.TailSeq), nil
	}
	if readErr != nil {
		return EventPage{}, public(readErr)
	}
	if limit == 0 {
		return EventPage{Cursor: *after}, nil
	}
	return eventPage(read, *after, access.Readable), nil
}

// eventPage shows what is readable of the entries read after a cursor.
func eventPage(read eventlog.Page, after eventlog.Cursor, readable eventlog.Intervals) EventPage {
	page := EventPage{Cursor: after}
	for _, pub := range read.Publications {
		if pub.Kind == eventlog.KindReset {
			return resetPage(after.Log, read.Tail, read.TailSeq)
		}
		page.Cursor.Position, page.Cursor.Seq = pub.Position, pub.Seq
		if _, ok := pub.Payload.(*Event); ok && EventKinds.Has(pub.Kind) && readable.Contains(pub.Offset) {
			page.Events = append(page.Events, pub)
		}
	}
	return page
}

func resetPage(roomID string, tail eventlog.Position, seq uint64) EventPage {
	return EventPage{
		Cursor: eventlog.Cursor{Kind: eventlog.CursorLog, Log: roomID, Position: tail, Seq: seq},
		Reset:  true,
	}
}

// EventKinds are the kinds of entries that readers of this version show.
var EventKinds = eventlog.KindsOf(
	KindMessageSent, KindMessageEdited, KindMessageDeleted,
	KindMemberJoined, KindMemberLeft, KindMemberRemoved, KindMemberRoleChanged,
	KindRoomUpdated,
)

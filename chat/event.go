package chat

import (
	"time"

	"parley/eventlog"
)

// The kinds of entries of a room's log. Their numbers are stored: never reuse one. Unknown kinds
// are skipped by readers, so that old and new nodes can share a store.
const (
	KindMessageSent       eventlog.Kind = 2
	KindMessageEdited     eventlog.Kind = 3
	KindMessageDeleted    eventlog.Kind = 4
	KindMemberJoined      eventlog.Kind = 5
	KindMemberLeft        eventlog.Kind = 6
	KindMemberRemoved     eventlog.Kind = 7
	KindMemberRoleChanged eventlog.Kind = 8
	KindRoomUpdated       eventlog.Kind = 9
)

// Event is a hydrated entry of a room's log: what happened, with the entity concerned as it stands
// now. It is the Payload of the room's publications (but for eventlog.KindReset), and immutable.
type Event struct {
	RoomID string
	Kind   eventlog.Kind
	At     time.Time
	// Actor is who did it; nil for the server.
	Actor *User
	// Seq is the room's last message seq at this entry, for cursors.
	Seq      uint64
	Position eventlog.Position
	// Message is set for the message kinds, Member for the member kinds.
	Message *Message
	Member  *Member
}

// Cursor returns the cursor after this event.
func (e *Event) Cursor() eventlog.Cursor {
	return eventlog.Cursor{Kind: eventlog.CursorLog, Log: e.RoomID, Position: e.Position, Seq: e.Seq}
}

// Publication returns the event as readers of the log see it; prev is the check of the entry
// before.
func (e *Event) Publication(prev uint32) eventlog.Publication {
	return eventlog.Publication{
		Position: e.Position, Prev: prev, At: e.At, Kind: e.Kind, Seq: e.Seq, Payload: e,
		Access: e.accessChange(),
	}
}

func (e *Event) accessChange() []eventlog.AccessChange {
	var change eventlog.Change
	switch e.Kind {
	case KindMemberJoined:
		change = eventlog.AccessBegins
	case KindMemberLeft:
		change = eventlog.AccessLeft
	case KindMemberRemoved:
		change = eventlog.AccessRevoked
	default:
		return nil
	}
	return []eventlog.AccessChange{{Principal: e.Member.User.ID, Change: change}}
}

package chat

import "parley/eventlog"

// RoomEvent is what happened in a room, as one type per kind: *MessageSent, *MessageEdited,
// *MessageDeleted, *MemberJoined, *MemberLeft, *MemberRemoved, *MemberRoleChanged, *RoomUpdated or
// *RoomReset.
type RoomEvent interface{ isRoomEvent() }

// One type per kind of entry.
type (
	MessageSent       struct{ *Event }
	MessageEdited     struct{ *Event }
	MessageDeleted    struct{ *Event }
	MemberJoined      struct{ *Event }
	MemberLeft        struct{ *Event }
	MemberRemoved     struct{ *Event }
	MemberRoleChanged struct{ *Event }
	RoomUpdated       struct{ *Event }
)

// RoomReset says that the history before it can't be continued from.
type RoomReset struct {
	*Event
	Reason eventlog.ResetReason
}

func (e *Event) isRoomEvent() {}

// RoomEventOf returns the payload of a room's publication as one of the types above, and nil for a
// kind it doesn't know. Resets of a subscription carry their position in cursor.
func RoomEventOf(payload any, cursor eventlog.Cursor) RoomEvent {
	switch p := payload.(type) {
	case eventlog.Reset:
		event := &Event{RoomID: p.Log, Kind: eventlog.KindReset, At: p.At, Seq: cursor.Seq, Position: cursor.Position}
		return &RoomReset{Event: event, Reason: p.Reason}
	case *Event:
		return p.typed()
	}
	return nil
}

func (e *Event) typed() RoomEvent {
	switch e.Kind {
	case KindMessageSent:
		return &MessageSent{e}
	case KindMessageEdited:
		return &MessageEdited{e}
	case KindMessageDeleted:
		return &MessageDeleted{e}
	case KindMemberJoined:
		return &MemberJoined{e}
	case KindMemberLeft:
		return &MemberLeft{e}
	case KindMemberRemoved:
		return &MemberRemoved{e}
	case KindMemberRoleChanged:
		return &MemberRoleChanged{e}
	case KindRoomUpdated:
		return &RoomUpdated{e}
	}
	return nil
}

// Node is anything with an id of its own: *User, *Room, *Member or *Message.
type Node interface{ isNode() }

func (User) isNode()     {}
func (*Room) isNode()    {}
func (*Member) isNode()  {}
func (*Message) isNode() {}

// Room returns the id of the event's room.
func (e *Event) Room() string { return e.RoomID }

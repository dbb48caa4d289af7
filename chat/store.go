package chat

import (
	"context"

	"parley/eventlog"
	"parley/ratelimit"
)

// Store keeps rooms, members and messages, and appends to the rooms' logs. Rules are the
// [Service]'s: an engine only stores, compares versions and counts. Every method is one atomic
// step on one room, apart from those that list rooms.
//
// All methods return an *[Error] with code Unavailable (wrapping eventlog.ErrUnavailable) when the
// store can't answer, and NotFound for a room that isn't there.
//
// Times are the store's own clock in UTC, in whole milliseconds.
type Store interface {
	// Store keeps rates that don't belong to one room.
	ratelimit.Store

	// CreateRoom writes a room with its log. With an owner, the log's first entry is the owner's
	// joining (KindMemberJoined, Role Owner) and belongs to the same step; without, the log is
	// empty. CONFLICT if the id is taken.
	CreateRoom(ctx context.Context, room NewRoom) (Room, error)

	// View reads what a decision rests on: the room and, of the users asked for, the membership
	// rows there are, and the result of an earlier request by the same key.
	View(ctx context.Context, q ViewQuery) (View, error)

	// Append writes an entry and what it changes, and publishes it, in one step. First, an
	// idempotency key already used by this sender is answered with the message it made
	// (Repeat), or with CONFLICT if the fingerprint differs. Then the versions in Expect are
	// compared: one that moved is ErrMoved, and so is a change of a membership that isn't as the
	// kind presumes, or of a message that isn't there. Last, all the Costs are charged, or none
	// and nothing is written: an *[ratelimit.Exceeded].
	Append(ctx context.Context, a Append) (Appended, error)

	// MarkRead moves a member's read and delivered positions up to seq (or the room's last seq,
	// whichever is less); lower ones stay, and LastReadAt moves only with LastReadSeq. NOT_FOUND
	// for one who isn't a member now.
	MarkRead(ctx context.Context, room, user string, seq uint64) (Member, error)

	// Unread counts messages after max(the member's read position, the seq at joining) that
	// aren't deleted. 0 for one who isn't a member now.
	Unread(ctx context.Context, room, user string) (int, error)

	// Message reads one message. NOT_FOUND where there is none.
	Message(ctx context.Context, room string, seq uint64) (Message, error)

	// Messages reads a page with the room's tail in the same step. ErrMoved if Expect no longer
	// holds.
	Messages(ctx context.Context, q MessageQuery) (MessagePage, error)

	// Members reads the present members in the order of their user ids, after the id given.
	Members(ctx context.Context, room, after string, limit int) (MemberPage, error)

	// RoomsOf reads the rooms a user is a member of, in no particular order.
	RoomsOf(ctx context.Context, user string) ([]Membership, error)

	// RoomCount counts the rooms a user is a member of; it may count a few more, whose joining or
	// leaving is under way.
	RoomCount(ctx context.Context, user string) (int, error)

	// PublicRooms reads PUBLIC rooms whose lower-cased name contains search (lower-cased), in
	// the order of Room.PublicKey, after the key given.
	PublicRooms(ctx context.Context, search, after string, limit int) ([]Room, error)
}

// ErrMoved says that a version a decision rested on has changed: decide again.
var ErrMoved = &Error{Code: Conflict, Message: "it was changed by somebody else at the same time; try again"}

// NewRoom is a room to create.
type NewRoom struct {
	ID       string
	Type     RoomType
	Settings RoomSettings
	// Owner is the creator; nil for a room owned by no one.
	Owner *User
	// Members join right after the owner, in the same step, with the role Ordinary (the other
	// side of a DIRECT room).
	Members []User
}

// ViewQuery asks for a room and some of its members.
type ViewQuery struct {
	RoomID string
	// Users are the ids whose membership rows are wanted, at most a few.
	Users []string
	// Sender and ClientID name an earlier request; ClientID "" asks for none.
	Sender, ClientID string
}

// View is a room, some of its members, and the answer to an earlier request, at one moment.
type View struct {
	Room Room
	// Members holds a row for each user asked for who is or was a member.
	Members map[string]*Member
	// Repeat is the message an earlier request with the same key made, with its request's
	// fingerprint; nil for none.
	Repeat            *Message
	RepeatFingerprint string
}

// Expect is what a decision rests on.
type Expect struct {
	// Room is the room's version; 0 compares nothing.
	Room uint64
	// Members maps a user id to the version of their row, 0 meaning that there is none.
	Members map[string]uint64
	// Message is the version of the message being changed; 0 compares nothing.
	Message uint64
}

// Append is an entry to write and what it changes. Kind says which of the parts is set.
type Append struct {
	RoomID string
	Kind   eventlog.Kind
	// Actor is who does it. Where the actor is a member (or leaves), the row's name and avatar
	// follow.
	Actor  User
	Expect Expect
	// Costs are charged with the step, so that what isn't written costs nothing. They are kept
	// with the room: a key goes with one room for ever, and no two have the same.
	Costs []ratelimit.Cost

	// Message is for KindMessageSent. Sending moves the sender's own read position.
	Message *NewMessage
	// Seq is the message concerned by KindMessageEdited and KindMessageDeleted, Content the
	// new content of an edited one; a deleted one keeps none.
	Seq     uint64
	Content string
	// Target and Role are for the member kinds: whose membership, and the role it has from
	// now on (KindMemberJoined, KindMemberRoleChanged). A change that adds or takes away an
	// owner moves the room's version.
	Target User
	Role   Role
	// Settings are for KindRoomUpdated: all of them, as they are from now on. They move the
	// room's version.
	Settings *RoomSettings
}

// NewMessage is a message to send.
type NewMessage struct {
	Salt       string
	Type       MessageType
	Content    string
	ReplyToSeq uint64
	// ClientID is the idempotency key, "" for none; Fingerprint tells whether a repeat asks for
	// the same. Keys are kept for at least 24 hours.
	ClientID    string
	Fingerprint string
}

// Appended is what an append wrote.
type Appended struct {
	// Event is the hydrated entry; nil for a repeat.
	Event *Event
	// Message is the message concerned, for the message kinds.
	Message *Message
	// Room is the room after the step. Of a message that was sent it isn't asked for, and may be missing.
	Room Room
	// Repeat says that nothing was written: Message is an earlier request's.
	Repeat bool
	// Typing says, of a message sent, that its sender is among those who type in the room: it may say so of one
	// whose time is over.
	Typing bool
}

// MessageQuery asks for a page of a room's messages between two seqs, both excluded, 0 meaning
// open: the first Limit after After, or, FromEnd, the last Limit before Before.
type MessageQuery struct {
	RoomID        string
	After, Before uint64
	Limit         int
	FromEnd       bool
	// Readable are the offsets of sent entries that may be shown; others are passed over.
	Readable eventlog.Intervals
	Expect   Expect
}

// MessagePage is a run of messages, ascending by seq.
type MessagePage struct {
	Messages []Message
	// HasBefore and HasAfter say whether there are readable ones on either side of the page; of
	// an empty one: up to After, and from Before.
	HasBefore, HasAfter bool
	// Room is the room in the same atomic read; its Tail is the page's position in the log.
	Room Room
}

// MemberPage is a run of members.
type MemberPage struct {
	Members []Member
	HasMore bool
	Total   int
}

// Membership is a room with the user's own row.
type Membership struct {
	Room   Room
	Member Member
}

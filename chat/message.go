package chat

import (
	"time"

	"parley/eventlog"
)

// MessageType is the kind of a message's content.
type MessageType string

// The message types, as in the schema.
const (
	Text   MessageType = "TEXT"
	Image  MessageType = "IMAGE"
	File   MessageType = "FILE"
	System MessageType = "SYSTEM"
)

// Message is one message of a room as it stands now.
type Message struct {
	RoomID string `json:"room"`
	// Seq counts the room's messages: 1, 2, 3 …
	Seq uint64 `json:"seq"`
	// Salt is the random end of the id.
	Salt   string      `json:"salt"`
	Sender User        `json:"sender"`
	Type   MessageType `json:"type"`
	// Content is "" once deleted.
	Content string `json:"content"`
	// ClientID is the sender's own key for the message, "" for none.
	ClientID string `json:"clientId,omitempty"`
	// ReplyToSeq is the message this one answers, 0 for none.
	ReplyToSeq uint64     `json:"replyTo,omitempty"`
	CreatedAt  time.Time  `json:"createdAt"`
	UpdatedAt  time.Time  `json:"updatedAt"`
	EditedAt   *time.Time `json:"editedAt,omitempty"`
	DeletedAt  *time.Time `json:"deletedAt,omitempty"`
	// Sent is the position of the message's "sent" entry.
	Sent eventlog.Position `json:"sent"`
	// Version counts edits and deletion, from 1; decisions rest on it.
	Version uint64 `json:"version"`
}

// ID returns the message's id.
func (m *Message) ID() string { return MessageID(m.RoomID, m.Seq, m.Salt) }

// Cursor returns the position of the message's sent entry.
func (m *Message) Cursor() eventlog.Cursor {
	return eventlog.Cursor{Kind: eventlog.CursorLog, Log: m.RoomID, Position: m.Sent, Seq: m.Seq}
}

// Deleted reports whether only the tombstone is left.
func (m *Message) Deleted() bool { return m.DeletedAt != nil }

package chat

import (
	"encoding/json"
	"strings"
	"time"

	"parley/eventlog"
)

// RoomType is the kind of conversation.
type RoomType string

// The room types, as in the schema.
const (
	Direct  RoomType = "DIRECT"
	Group   RoomType = "GROUP"
	Channel RoomType = "CHANNEL"
)

// RoomVisibility says who may find and join a room. Reading and sending need membership anyway.
type RoomVisibility string

// The visibilities, as in the schema.
const (
	Public  RoomVisibility = "PUBLIC"
	Private RoomVisibility = "PRIVATE"
)

// RoomHistory says what of the time before their joining members may read.
type RoomHistory string

// The histories, as in the schema.
const (
	HistoryAll         RoomHistory = "ALL"
	HistorySinceJoined RoomHistory = "SINCE_JOINED"
)

// RoomSettings is what updateRoom changes.
type RoomSettings struct {
	Name       string          `json:"name,omitempty"`
	Topic      string          `json:"topic,omitempty"`
	Visibility RoomVisibility  `json:"visibility"`
	History    RoomHistory     `json:"history"`
	Metadata   json.RawMessage `json:"metadata,omitempty"`
}

// Room is a conversation with one log.
type Room struct {
	ID   string   `json:"id"`
	Type RoomType `json:"type"`
	RoomSettings
	// Version counts changes of the settings and of the set of owners; decisions rest on it.
	Version   uint64    `json:"version"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	// LastMessageAt and ArchivedAt are nil until there is something to tell.
	LastMessageAt *time.Time `json:"lastMessageAt,omitempty"`
	ArchivedAt    *time.Time `json:"archivedAt,omitempty"`
	// MemberCount and OwnerCount count those who are members now.
	MemberCount int `json:"memberCount"`
	OwnerCount  int `json:"ownerCount"`
	// LastSeq is the seq of the last message sent, 0 for none.
	LastSeq uint64 `json:"lastSeq"`
	// Tail is the position of the last entry of the room's log.
	Tail eventlog.Position `json:"tail"`
}

// Cursor returns the cursor of the room's tail.
func (r *Room) Cursor() eventlog.Cursor {
	return eventlog.Cursor{Kind: eventlog.CursorLog, Log: r.ID, Position: r.Tail, Seq: r.LastSeq}
}

// PublicKey is what public rooms are ordered by: the lower-cased name, then the id.
func (r *Room) PublicKey() string { return strings.ToLower(r.Name) + "\x00" + r.ID }

// LastActivity is what the viewer's rooms are ordered by.
func (r *Room) LastActivity() time.Time {
	if r.LastMessageAt != nil {
		return *r.LastMessageAt
	}
	return r.CreatedAt
}

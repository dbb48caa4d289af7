package chat

import (
	"time"

	"parley/eventlog"
)

// Role is what a member may do in a room.
type Role string

// The roles, as in the schema.
const (
	Owner    Role = "OWNER"
	Admin    Role = "ADMIN"
	Ordinary Role = "MEMBER"
)

// Member is a user's membership of a room, present or past. Rows stay after leaving: they say what
// the user might read.
type Member struct {
	RoomID string `json:"room"`
	User   User   `json:"user"`
	Role   Role   `json:"role"`
	// Active says whether the user is a member now.
	Active   bool      `json:"active"`
	JoinedAt time.Time `json:"joinedAt"`
	// JoinedSeq is the room's last seq at joining; what came before is never unread.
	JoinedSeq uint64 `json:"joinedSeq"`
	// Intervals are the offsets between joining (included) and the entry after leaving
	// (excluded): the entry at which membership ends is the last one inside.
	Intervals eventlog.Intervals `json:"intervals"`
	// Version counts changes of role and membership; decisions rest on it. 0 is "no row".
	Version uint64 `json:"version"`
	// LastDeliveredSeq and LastReadSeq never go back.
	LastDeliveredSeq uint64     `json:"delivered"`
	LastReadSeq      uint64     `json:"read"`
	LastReadAt       *time.Time `json:"readAt,omitempty"`
	MutedUntil       *time.Time `json:"mutedUntil,omitempty"`
}

// Readable returns the offsets of the room's log that the member may read under a history
// setting; none for one who isn't a member now. With HistoryAll that is everything but the time
// between leaving and coming back.
func (m *Member) Readable(history RoomHistory) eventlog.Intervals {
	if m == nil || !m.Active || len(m.Intervals) == 0 {
		return nil
	}
	if history == HistorySinceJoined {
		return m.Intervals
	}
	readable := append(eventlog.Intervals(nil), m.Intervals...)
	readable[0].From = 0
	return readable
}

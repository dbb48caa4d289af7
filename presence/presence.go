// Package presence tells who is online and who types. A node holds one lease in the store; a
// device is one authenticated stream of a user on a node and lives while the node's lease does,
// so that the idle cost grows with nodes, not with users.
package presence

import "time"

// Status is what others see of a user.
type Status string

// The statuses, as in the schema.
const (
	Online    Status = "ONLINE"
	Away      Status = "AWAY"
	Busy      Status = "BUSY"
	Invisible Status = "INVISIBLE"
	Offline   Status = "OFFLINE"
)

// User is a person, as far as presence shows them.
type User struct {
	ID        string `json:"id"`
	Name      string `json:"name,omitempty"`
	AvatarURL string `json:"avatar,omitempty"`
}

// Presence is a user's state: a value, not a difference.
type Presence struct {
	User   User   `json:"user"`
	Status Status `json:"status"`
	// Version grows with every change of the user's status; a lower one is old news.
	Version uint64 `json:"version"`
	// LastSeenAt is when the user's last device went; nil while online, or if never seen.
	LastSeenAt *time.Time `json:"lastSeenAt,omitempty"`
}

// Typing is the whole set of who types in a room, ordered by user id.
type Typing struct {
	RoomID string `json:"room"`
	Users  []User `json:"users"`
}

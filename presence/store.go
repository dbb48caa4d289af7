package presence

import (
	"context"
	"time"
)

// Store keeps leases, devices, presences and typing sets. Transitions are computed in the store,
// atomically: whoever calls, and how often, a change of a user's status is stored once, with a
// higher version, and published once, as a value of the user's state topic
// (eventlog.PresenceTopic). Times are by the store's clock.
//
// Errors wrap eventlog.ErrUnavailable when the store can't answer.
type Store interface {
	// Renew extends the lease of a node's instance to ttl from now. It returns false, and does
	// nothing, for a lease that was held and has lapsed: the caller must take a new instance id
	// and connect its devices again. The first Renew of an id takes the lease; one after Release
	// is refused.
	Renew(ctx context.Context, instance string, ttl time.Duration) (held bool, err error)

	// Connect records a device of a user under the instance. A user without devices becomes
	// ONLINE; one within their grace simply stays.
	Connect(ctx context.Context, instance, device string, user User) error

	// Disconnect removes a device. When it was the user's last, the user goes OFFLINE after
	// grace (at once for 0), unless another device comes first; last seen is now. It also
	// clears the user's typing once the last device is gone. Unknown devices are no error.
	Disconnect(ctx context.Context, instance, device, user string, grace time.Duration) error

	// Sweep does what is due: removes the devices of lapsed instances (each user's last one
	// starting the grace), takes users OFFLINE whose grace is over, and drops expired typing. Any
	// number of nodes may sweep at once. It works in bounded portions, and reports whether more
	// is due.
	Sweep(ctx context.Context, grace time.Duration) (more bool, err error)

	// Release ends an instance's lease at once, its devices being treated as lapsed.
	Release(ctx context.Context, instance string) error

	// Presences reads users' presence, in the order asked; users never seen are OFFLINE with
	// version 0.
	Presences(ctx context.Context, users []string) ([]Presence, error)

	// SetTyping adds a user to a room's typing set until ttl from now, or takes them out for
	// ttl 0. A changed set is published, once, as the value of eventlog.TypingTopic; a mere
	// refresh isn't. The set holds at most MaxTyping users; more are not shown.
	SetTyping(ctx context.Context, room string, user User, ttl time.Duration) error

	// Typing reads a room's typing set, without those who have expired.
	Typing(ctx context.Context, room string) (Typing, error)
}

// MaxTyping bounds a room's typing set.
const MaxTyping = 100

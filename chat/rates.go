package chat

import (
	"context"

	"parley/ratelimit"
)

// Rates bound how often people change things. A zero rate bounds nothing.
type Rates struct {
	// User is how often one user changes anything in a room: messages, members, settings. It is
	// kept exactly for each room, whatever the nodes, and for all rooms together on each node.
	User ratelimit.Limit
	// Room is how often messages are sent and edited in one room, by all together. Taking a
	// message or a member away is always possible.
	Room ratelimit.Limit
	// Creation is how often one user creates rooms.
	Creation ratelimit.Limit
	// Refusals counts what was refused; nil for nobody.
	Refusals *ratelimit.Refusals
}

// The limits' names in metrics.
const (
	limitUser     = "messages_user"
	limitRoom     = "messages_room"
	limitCreation = "rooms_user"
)

// rates judges what a service is asked to change.
type rates struct {
	Rates
	// people is User for all rooms together, on this node.
	people *ratelimit.Limiter
}

func newRates(r Rates) rates {
	return rates{Rates: r, people: ratelimit.NewLimiter(limitUser, r.User, r.Refusals)}
}

// costs are what an entry costs in its room.
func (r *rates) costs(a *Append) (costs []ratelimit.Cost) {
	if !r.User.Unlimited() {
		costs = append(costs, ratelimit.Cost{Name: limitUser, Key: "user/" + a.RoomID + "/" + a.Actor.ID, Limit: r.User})
	}
	if !r.Room.Unlimited() && (a.Kind == KindMessageSent || a.Kind == KindMessageEdited) {
		costs = append(costs, ratelimit.Cost{Name: limitRoom, Key: "room/" + a.RoomID, Limit: r.Room})
	}
	return costs
}

// create charges the creation of a room.
func (r *rates) create(ctx context.Context, store ratelimit.Store, user string) error {
	if r.Creation.Unlimited() {
		return nil
	}
	cost := ratelimit.Cost{Name: limitCreation, Key: "creation/" + user, Limit: r.Creation}
	return r.Refusals.Count(public(store.Take(ctx, cost)))
}

// limited is RATE_LIMITED.
func limited(exceeded *ratelimit.Exceeded) *Error {
	return &Error{
		Code: RateLimited, Message: "too often: come back when retryAfter, in seconds, is over",
		RetryAfter: exceeded.RetryAfter, Cause: exceeded,
	}
}

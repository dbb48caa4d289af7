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
	// people is User for all rooms together, on this node. What it refuses is counted when the change ends.
	people *ratelimit.Limiter
}

func newRates(r Rates) rates {
	return rates{Rates: r, people: ratelimit.NewLimiter(limitUser, r.User, nil)}
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

// settle gives a user back what a change cost on this node that surely wasn't written: others came first
// (CONFLICT), what was then read anew forbids it, or it was a repeat. Nobody floods the store with those: each
// needs a change by somebody else, or an earlier one, which is paid for; and whoever may not do something is
// refused by what was read before it costs anything, within the rates of operations.
//
// What may have been written stays paid. Of UNAVAILABLE nobody knows: a sender who hangs up in time would
// send for nothing. So does what the room's rates refused: the store had to be asked, and this charge is
// what keeps a flood from asking more often than it may write.
func (r *rates) settle(user string, o outcome, err error) {
	switch CodeOf(err) {
	case RateLimited, Unavailable, Internal:
		return
	}
	if err != nil || o.written == nil || o.written.Repeat {
		r.people.Refund(user)
	}
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

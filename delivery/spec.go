package delivery

import (
	"context"
	"errors"
	"fmt"

	"parley/eventlog"
)

// Spec is what opening a subscription leaves: what it follows, from where, and by whose right.
type Spec struct {
	// Topic is what the hub routes by: a log's name, or a name for State.
	Topic string
	// State is the source of a state topic; nil for a log. Subscriptions that share a topic
	// share the source of the first.
	State StateSource
	// Guard is, for a state topic, the log whose entries end the principal's access to it; ""
	// for none. Start is then a position of that log, and nothing is shown before the log is
	// followed live. Subscriptions that share a topic share the guard.
	Guard string

	// Start is where the log is followed from, exclusively: a client's cursor, or the tail read
	// when the subscription was authorized.
	Start eventlog.Cursor
	// Filter are the kinds shown; others move the position only.
	Filter eventlog.Kinds

	// Principal is the user by whose right the subscription reads.
	Principal string
	// Access is the principal's, as authorized.
	Access
	// Authorize judges the principal's access anew; asked where a gap in the log may hide its
	// end, and where an audience has moved. Its error ends the subscription, unless it is
	// eventlog.ErrUnavailable.
	Authorize func(ctx context.Context) (Access, error)

	// ShowReset says that a reset is shown as an event, after which the subscription goes on
	// from the tail. Otherwise a reset ends it with *ResetError.
	ShowReset bool
	// Backfill reads, for a trimmed cursor, what the log no longer has from elsewhere: the
	// shown publications with a Seq above seq, ascending, at most limit; none are left when
	// none come. nil: there is no elsewhere.
	Backfill func(ctx context.Context, seq uint64, limit int) ([]eventlog.Publication, error)
}

// StateSource watches a state topic, as eventlog.State's WatchState with the topic bound.
type StateSource func(ctx context.Context, sink func([]eventlog.Value)) (stop func(), err error)

// ErrAccessRevoked ends a subscription whose principal may no longer read.
var ErrAccessRevoked = errors.New("delivery: access ended")

// ErrNotShareable is a renderer's word that its rendering depends on the viewer after all.
var ErrNotShareable = errors.New("delivery: rendering depends on the viewer")

// ErrClosed answers calls to a hub that is closing.
var ErrClosed = errors.New("delivery: hub closed")

// ErrOutboxClosed answers those who wait for room in an outbox that is closed.
var ErrOutboxClosed = errors.New("delivery: outbox closed")

// ResetError ends a subscription that can't be continued: its history is gone.
type ResetError struct {
	Reason eventlog.ResetReason
	// Tail is where the log goes on; the zero Cursor when the log is gone.
	Tail eventlog.Cursor
}

func (e *ResetError) Error() string {
	return fmt.Sprintf("delivery: subscription can't be continued: %s", e.Reason)
}

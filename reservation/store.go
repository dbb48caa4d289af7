package reservation

import (
	"context"
	"errors"
	"time"
)

// Errors of a [Store]. Any other means that it can't answer now.
var (
	// ErrNone: there is no such reservation, or none any more.
	ErrNone = errors.New("reservation: there is none")
	// ErrChanged: the reservation isn't at the version that was expected.
	ErrChanged = errors.New("reservation: it has changed")
)

// Record is a reservation as a store keeps it: what it means is decided by this package alone.
type Record struct {
	// ID is what the store knows it by: a hash of what its holder shows.
	ID string
	// User is whose it is.
	User string
	// Version counts the changes; that of a new one is 1.
	Version uint64
	// State is all that is looked at with each call, JSON.
	State []byte
	// Parts are what is looked at seldom, by name: of a record that was read, those asked for that are there.
	Parts map[string][]byte
}

// Change is one step from a version to the next.
type Change struct {
	// Expect is the version that is changed.
	Expect uint64
	// State is the new one.
	State []byte
	// Put are parts to keep, Drop the names of those to forget.
	Put  map[string][]byte
	Drop []string
	// TTL is how long from now the reservation is kept, 0 as long as it would be anyway.
	TTL time.Duration
}

// Store keeps reservations for all nodes.
type Store interface {
	// PutReservation keeps a new reservation for ttl. Of a user's at most most are kept: those that would end
	// first go.
	PutReservation(ctx context.Context, r Record, ttl time.Duration, most int) error
	// Reservation returns a reservation with some of its parts, all as of one moment. [ErrNone] if there is none.
	Reservation(ctx context.Context, id string, parts ...string) (Record, error)
	// ChangeReservation makes a change, and tells all nodes' watchers. [ErrNone]; [ErrChanged] if another change
	// came first.
	ChangeReservation(ctx context.Context, id string, c Change) error
	// DropReservation forgets a reservation, if it is there, and tells all nodes' watchers.
	DropReservation(ctx context.Context, id string) error
	// WatchReservation calls look, which must return at once, when a reservation may have changed. A call that is
	// lost is made up for in about a second.
	WatchReservation(ctx context.Context, id string, look func()) (stop func(), err error)
}

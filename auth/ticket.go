package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrBadTicket: there is no such ticket, or none any more.
var ErrBadTicket = fmt.Errorf("%w: no such ticket, or it has expired", ErrBadToken)

// Ticket lets whoever shows it open one subscription as a user, on one stream at a time. It is
// made for EventSource, which can send no header.
type Ticket struct {
	// ID is what the store knows it by: a hash of what its holder shows.
	ID string
	// User is whose it is.
	User string
	// Expires is when it ends: when the token does that it was made with.
	Expires time.Time
	// Payload is the viewer and the subscription as JSON, for none but this package.
	Payload []byte
}

// TicketStore keeps tickets for all nodes. An error that isn't named here means that the store can't
// answer now.
type TicketStore interface {
	// PutTicket keeps a ticket: for ttl, and once it has been opened until it expires. Of a user's
	// tickets that haven't ended so at most most are kept, those opened, or put, last.
	PutTicket(ctx context.Context, t Ticket, ttl time.Duration, most int) error
	// Ticket returns a ticket, which isn't opened by that. [ErrBadTicket] if there is none.
	Ticket(ctx context.Context, id string) (Ticket, error)
	// OpenTicket opens a ticket, and returns how often it has been, this time included; all nodes'
	// watchers of it are told. [ErrBadTicket] if there is none.
	OpenTicket(ctx context.Context, id string) (openings uint64, err error)
	// TicketOpenings returns how often tickets have been opened, in the order asked; 0 for one that
	// isn't there.
	TicketOpenings(ctx context.Context, ids []string) ([]uint64, error)
	// WatchTicket calls look, which must return at once, when a ticket may have been opened again. A
	// call that is lost is made up for in about a second.
	WatchTicket(ctx context.Context, id string, look func()) (stop func(), err error)
}

// Store is what this package needs of an engine.
type Store interface {
	RevocationStore
	TicketStore
}

const ticketBytes = 32

// newTicketSecret returns what the holder of a ticket shows.
func newTicketSecret() string {
	secret := make([]byte, ticketBytes)
	rand.Read(secret) // never fails
	return base64.RawURLEncoding.EncodeToString(secret)
}

// ticketID is the hash by which a ticket is kept: who reads the store can open nothing. The secret
// is random, so that nothing is to be guessed from the hash.
func ticketID(secret string) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(raw) != ticketBytes {
		return "", ErrBadTicket
	}
	hash := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(hash[:]), nil
}

// ticketPayload is how a ticket's viewer and subscription are kept.
type ticketPayload struct {
	Viewer    Viewer          `json:"viewer"`
	Document  string          `json:"document"`
	Variables json.RawMessage `json:"variables,omitempty"`
}

func decodeTicket(t Ticket) (ticketPayload, error) {
	var p ticketPayload
	if err := json.Unmarshal(t.Payload, &p); err != nil {
		return p, errors.New("auth: a ticket in the store can't be read")
	}
	return p, nil
}

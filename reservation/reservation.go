// Package reservation is what the single connection mode of GraphQL over server-sent events rests on: a client
// reserves a stream, opens it, and has its operations' results sent over it, by requests of which each may come to
// another node. So a reservation, with the subscriptions that run over it and the answers that wait for it,
// lives in the store. The node that has the stream, its owner, does what it finds there; when that node dies, another
// one to which the client comes back finds the same.
//
// The [Book] holds the rules. The engines keep bytes and compare versions.
package reservation

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"parley/eventlog"
)

// What a [Book] refuses. The texts are fit for the client's eyes.
var (
	// ErrOpen: a stream is open already.
	ErrOpen = errors.New("a stream is open on this reservation already")
	// ErrActive: an operation of this id is under way.
	ErrActive = errors.New("an operation with this id is active")
	// ErrTooMany: as many operations are under way as may be.
	ErrTooMany = errors.New("too many operations on this connection")
	// ErrTooBig: the requests of the operations under way take all the room there is.
	ErrTooBig = errors.New("the operations on this connection are too large together")
	// ErrUnread: too many answers wait for the stream.
	ErrUnread = errors.New("too many answers wait: open the stream and read them")
	// ErrTooLate: what happened since can't be told any more.
	ErrTooLate = errors.New("too much has happened since: make another reservation")
)

// Holder is whose a reservation is.
type Holder struct {
	// User is the user's id.
	User string
	// Viewer is who that is, as the server wants to be told again: JSON.
	Viewer []byte
	// Expires is when the right to the reservation ends; the zero time for never.
	Expires time.Time
}

// Reservation is one, as it was read.
type Reservation struct {
	ID string
	Holder
	// Opening counts the streams that were opened on it, Owner is the node that has the last of them, "" once that is
	// closed.
	Opening uint64
	Owner   string
	// Knocks and Heard count the questions whether the owner's stream is open still, and those answered.
	Knocks, Heard uint64
	// Operations are those under way, in the order in which they began.
	Operations []Operation
	// First is the number of the first answer kept, Sizes are the bytes that each takes.
	First uint64
	Sizes []int

	begun   uint64 // number of the last operation
	full    bool   // there was no room for an answer
	version uint64
}

// Operation is one under way.
type Operation struct {
	// ID is the client's, Number ours, given once only.
	ID     string `json:"id"`
	Number uint64 `json:"n"`
	// Start is where a subscription to a log goes on; the zero Cursor for one to a state.
	Start eventlog.Cursor `json:"-"`
	// Once says that it is a query or mutation, which the node that got it runs, since At.
	Once bool  `json:"once,omitempty"`
	At   int64 `json:"at,omitempty"`
	// Size is how many bytes its request takes.
	Size int `json:"size,omitempty"`
}

// Answer is the end of an operation.
type Answer struct {
	// Seq counts the answers of a reservation.
	Seq uint64 `json:"-"`
	// ID and Number are the operation's; Number is 0 for one that was refused at once.
	ID     string `json:"id"`
	Number uint64 `json:"n,omitempty"`
	// Payload is the last response, nil for none.
	Payload json.RawMessage `json:"payload,omitempty"`
	// Lost says that there was one, which took more room than there is.
	Lost bool `json:"lost,omitempty"`
}

// state is how a reservation is kept.
type state struct {
	Viewer     json.RawMessage `json:"viewer"`
	Expires    int64           `json:"expires,omitempty"` // unix ms
	Opening    uint64          `json:"opening,omitempty"`
	Owner      string          `json:"owner,omitempty"`
	Knocks     uint64          `json:"knocks,omitempty"`
	Heard      uint64          `json:"heard,omitempty"`
	Begun      uint64          `json:"begun,omitempty"`
	Operations []keptOperation `json:"operations,omitempty"`
	First      uint64          `json:"first"`
	Sizes      []int           `json:"sizes,omitempty"`
	Full       bool            `json:"full,omitempty"`
}

type keptOperation struct {
	Operation
	Start string `json:"start,omitempty"`
}

func (r *Reservation) encode() ([]byte, error) {
	s := state{
		Viewer: r.Viewer, Opening: r.Opening, Owner: r.Owner, Knocks: r.Knocks, Heard: r.Heard,
		Begun: r.begun, First: r.First, Sizes: r.Sizes, Full: r.full,
	}
	if !r.Expires.IsZero() {
		s.Expires = r.Expires.UnixMilli()
	}
	for _, o := range r.Operations {
		kept := keptOperation{Operation: o}
		if o.Start.Kind != 0 {
			kept.Start = o.Start.String()
		}
		s.Operations = append(s.Operations, kept)
	}
	return json.Marshal(s)
}

func decode(record Record) (*Reservation, error) {
	var s state
	if err := json.Unmarshal(record.State, &s); err != nil {
		return nil, errors.New("reservation: one in the store can't be read")
	}
	r := &Reservation{
		ID: record.ID, Holder: Holder{User: record.User, Viewer: s.Viewer}, Opening: s.Opening, Owner: s.Owner,
		Knocks: s.Knocks, Heard: s.Heard, First: s.First, Sizes: s.Sizes, begun: s.Begun, full: s.Full, version: record.Version,
	}
	if s.Expires > 0 {
		r.Expires = time.UnixMilli(s.Expires)
	}
	for _, kept := range s.Operations {
		o := kept.Operation
		if kept.Start != "" {
			start, err := eventlog.ParseCursor(kept.Start)
			if err != nil {
				return nil, fmt.Errorf("reservation: one in the store can't be read: %w", err)
			}
			o.Start = start
		}
		r.Operations = append(r.Operations, o)
	}
	return r, nil
}

// Next is the number that the next answer will have.
func (r *Reservation) Next() uint64 { return r.First + uint64(len(r.Sizes)) }

// find returns where an operation is among those under way, -1 for nowhere.
func (r *Reservation) find(id string) int {
	return slices.IndexFunc(r.Operations, func(o Operation) bool { return o.ID == id })
}

// has reports whether an operation is under way still.
func (r *Reservation) has(id string, number uint64) bool {
	i := r.find(id)
	return i >= 0 && r.Operations[i].Number == number
}

// requests is how many bytes the requests take.
func (r *Reservation) requests() (sum int) {
	for _, o := range r.Operations {
		sum += o.Size
	}
	return sum
}

// answers is how many bytes the answers take.
func (r *Reservation) answers() (sum int) {
	for _, size := range r.Sizes {
		sum += size
	}
	return sum
}

func requestPart(number uint64) string { return "r" + strconv.FormatUint(number, 10) }

func answerPart(seq uint64) string { return "a" + strconv.FormatUint(seq, 10) }

const tokenBytes = 32

// newToken returns what the holder of a reservation shows.
func newToken() string {
	token := make([]byte, tokenBytes)
	rand.Read(token) // never fails
	return base64.RawURLEncoding.EncodeToString(token)
}

// IDOf returns the id by which the reservation of a token is kept, a hash: who reads the store can open nothing.
// What is no token is no reservation's: [ErrNone].
func IDOf(token string) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != tokenBytes || len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) { // it skips line breaks
		return "", ErrNone
	}
	hash := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(hash[:]), nil
}

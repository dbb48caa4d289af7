package reservation

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	randv2 "math/rand/v2"
	"time"

	"parley/eventlog"
)

// MostOperations bounds the operations of one reservation, whatever the options say: each id on the stream tells of
// all of them, in about 20 characters each, and comes back in a header.
const MostOperations = 100

const (
	// manyAnswers is from how many kept answers on those that have been sent go, down to half of them; answersMost how
	// many there may be.
	manyAnswers = 512
	answersMost = 1024
)

// Options say how reservations are kept. The zero value is useful.
type Options struct {
	// TTL is how long a reservation may wait for its stream; 0 means one minute.
	TTL time.Duration
	// Most bounds the reservations of one user; 0 means 50.
	Most int
	// Operations bounds those under way at a time of one reservation; 0, and more than that, means [MostOperations].
	Operations int
	// Bytes bounds the requests that one reservation keeps, and the answers; 0 means 4 MiB.
	Bytes int
	// RunTime is how long a query or mutation may run; 0 means 45 s.
	RunTime time.Duration
	// Patience is how long an owner that may have died is waited for, and one that has answers to send; 0 means 1 s.
	Patience time.Duration
}

// Book keeps reservations in a store, by the rules of the protocol. It is one node's.
type Book struct {
	store   Store
	options Options
	node    string
	seed    maphash.Seed
	turns   []chan struct{}
}

// NewBook returns the book of a node.
func NewBook(store Store, o Options) *Book {
	o.TTL = cmp.Or(o.TTL, time.Minute)
	o.Most = cmp.Or(o.Most, 50)
	o.Operations = min(cmp.Or(o.Operations, MostOperations), MostOperations)
	o.Bytes = cmp.Or(o.Bytes, 4<<20)
	o.RunTime = cmp.Or(o.RunTime, 45*time.Second)
	o.Patience = cmp.Or(o.Patience, time.Second)
	b := &Book{store: store, options: o, node: rand.Text(), seed: maphash.MakeSeed(), turns: make([]chan struct{}, 256)}
	for i := range b.turns {
		b.turns[i] = make(chan struct{}, 1)
	}
	return b
}

// Make makes a reservation. Token is what its holder shows, and kept nowhere.
func (b *Book) Make(ctx context.Context, h Holder) (token string, err error) {
	token = newToken()
	id, err := IDOf(token)
	if err != nil {
		return "", err
	}
	r := &Reservation{ID: id, Holder: h, First: 1}
	text, err := r.encode()
	if err != nil {
		return "", err
	}
	return token, b.store.PutReservation(ctx, Record{ID: id, User: h.User, State: text}, b.ttl(r), b.options.Most)
}

// longest is how long a reservation is kept at most: one of a node that died is let go of some day.
const longest = 24 * time.Hour

// ttl is how long a reservation is kept: with a stream as long as its holder's right lasts, else for a while.
func (b *Book) ttl(r *Reservation) time.Duration {
	left := longest
	if !r.Expires.IsZero() {
		left = min(left, max(time.Until(r.Expires), time.Millisecond))
	}
	if r.Owner == "" {
		return min(left, b.options.TTL)
	}
	return left
}

// Find returns a token's reservation. [ErrNone] if there is none.
func (b *Book) Find(ctx context.Context, token string) (*Reservation, error) {
	id, err := IDOf(token)
	if err != nil {
		return nil, err
	}
	return b.read(ctx, id)
}

func (b *Book) read(ctx context.Context, id string) (*Reservation, error) {
	record, err := b.store.Reservation(ctx, id)
	if err != nil {
		return nil, err
	}
	return decode(record)
}

// Request is an operation that a client asks for.
type Request struct {
	// ID is the client's.
	ID string
	// Once says that it is a query or mutation.
	Once bool
	// Body is what a subscription is opened from, by whichever node has the stream; Start is where, if it is a log
	// that it follows.
	Body  []byte
	Start eventlog.Cursor
}

// Begin notes that an operation is under way, and returns its number.
func (b *Book) Begin(ctx context.Context, id string, h Holder, q Request) (number uint64, err error) {
	err = b.change(ctx, id, func(r *Reservation, c *Change) error {
		r.forgetLost(b.options.RunTime)
		switch {
		case r.find(q.ID) >= 0:
			return ErrActive
		case len(r.Operations) >= b.options.Operations:
			return ErrTooMany
		case r.requests()+len(q.Body) > b.options.Bytes:
			return ErrTooBig
		case len(r.Sizes) >= answersMost:
			return ErrUnread
		}
		r.begun++
		number = r.begun
		o := Operation{ID: q.ID, Number: number, Start: q.Start, Once: q.Once}
		if q.Once {
			o.At = time.Now().UnixMilli()
		} else {
			o.Size = len(q.Body)
			c.Put[requestPart(number)] = q.Body
		}
		r.Operations = append(r.Operations, o)
		b.renew(r, c, h)
		return nil
	})
	return number, err
}

// forgetLost forgets the queries and mutations whose node must have died: who asked for them was told by the end of
// the connection.
func (r *Reservation) forgetLost(runTime time.Duration) {
	long := time.Now().Add(-runTime).UnixMilli()
	kept := r.Operations[:0]
	for _, o := range r.Operations {
		if !o.Once || o.At > long {
			kept = append(kept, o)
		}
	}
	r.Operations = kept
}

// renew takes note that the holder was here, perhaps with a newer token.
func (b *Book) renew(r *Reservation, c *Change, h Holder) {
	later := !r.Expires.IsZero() && (h.Expires.IsZero() || h.Expires.After(r.Expires))
	if later && h.Viewer != nil {
		r.Viewer, r.Expires = h.Viewer, h.Expires
	}
	if later || r.Owner == "" {
		c.TTL = b.ttl(r)
	}
}

// Answer ends an operation that Begin has given a number, or, with the number 0, one that didn't get so far. One that
// isn't under way any more needs no answer: [ErrNone]. Where there is no room, it waits a moment for the stream to take
// what is there; else the answer is lost, and the client is told so.
func (b *Book) Answer(ctx context.Context, id string, h Holder, a Answer) error {
	return b.answerPatiently(ctx, id, a, func(r *Reservation, c *Change) error {
		b.renew(r, c, h)
		return nil
	})
}

func (b *Book) answerPatiently(ctx context.Context, id string, a Answer, decide func(*Reservation, *Change) error) error {
	deadline := time.Now().Add(b.options.Patience)
	for {
		err := b.answer(ctx, id, a, !time.Now().Before(deadline), decide)
		if !errors.Is(err, errNoRoom) {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

var errNoRoom = errors.New("reservation: no room for an answer now")

func (b *Book) answer(ctx context.Context, id string, a Answer, lose bool, decide func(*Reservation, *Change) error) error {
	asked := false
	err := b.change(ctx, id, func(r *Reservation, c *Change) error {
		a := a // what one attempt makes of it
		asked = false
		if err := decide(r, c); err != nil {
			return err
		}
		i := r.find(a.ID)
		switch {
		case a.Number == 0 && i >= 0:
			return ErrActive
		case a.Number > 0 && !r.has(a.ID, a.Number):
			return ErrNone
		case a.Number == 0 && len(r.Sizes) >= answersMost:
			return ErrUnread
		}
		if held := r.answers(); held > 0 && held+len(a.Payload) > b.options.Bytes {
			if !lose && r.full {
				return errNoRoom
			}
			if !lose { // has the owner make some
				r.full, asked = true, true
				return nil
			}
			a.Payload, a.Lost = nil, true
		}
		if a.Number > 0 {
			if o := r.Operations[i]; !o.Once {
				c.Drop = append(c.Drop, requestPart(o.Number))
			}
			r.Operations = append(r.Operations[:i], r.Operations[i+1:]...)
		}
		part, err := json.Marshal(a)
		if err != nil {
			return err
		}
		c.Put[answerPart(r.Next())] = part
		r.Sizes = append(r.Sizes, len(a.Payload))
		r.full = false
		return nil
	})
	if err == nil && asked {
		err = errNoRoom
	}
	return err
}

// Stop ends an operation by the client's wish: nothing is told of it any more. One that isn't under way is
// nobody's fault.
func (b *Book) Stop(ctx context.Context, id, operation string) error {
	err := b.change(ctx, id, func(r *Reservation, c *Change) error {
		i := r.find(operation)
		if i < 0 {
			return errUnchanged
		}
		if o := r.Operations[i]; !o.Once {
			c.Drop = append(c.Drop, requestPart(o.Number))
		}
		r.Operations = append(r.Operations[:i], r.Operations[i+1:]...)
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// Watch calls look, which must return at once, when a reservation may have changed.
func (b *Book) Watch(ctx context.Context, id string, look func()) (stop func(), err error) {
	return b.store.WatchReservation(ctx, id, look)
}

var errUnchanged = errors.New("reservation: nothing to change")

// attempts bounds how often a change is decided anew because another node was faster.
const attempts = 20

// change decides on what a reservation is and makes the change, unless another one came first: then it decides
// again. Decide may fill in the change's parts and TTL.
func (b *Book) change(ctx context.Context, id string, decide func(*Reservation, *Change) error) error {
	turn := b.turns[maphash.String(b.seed, id)%uint64(len(b.turns))]
	select { // one at a time of this node: they would only disturb each other
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for n := range attempts {
		r, err := b.read(ctx, id)
		if err != nil {
			return err
		}
		c := Change{Expect: r.version, Put: map[string][]byte{}}
		if err := decide(r, &c); err != nil {
			return err
		}
		if c.State, err = r.encode(); err != nil {
			return err
		}
		err = b.store.ChangeReservation(ctx, id, c)
		if !errors.Is(err, ErrChanged) {
			return err
		}
		if err := pause(ctx, randv2.N(time.Duration(n+1)*2*time.Millisecond)); err != nil {
			return err
		}
	}
	return fmt.Errorf("reservation: %d changes came first", attempts)
}

func pause(ctx context.Context, d time.Duration) error {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wait.C:
		return nil
	}
}

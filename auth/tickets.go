package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"
)

// TicketOptions say how tickets are kept. The zero value is useful.
type TicketOptions struct {
	// TTL is how long a ticket may wait to be opened first; 0 means one minute.
	TTL time.Duration
	// Most bounds the tickets of one user; 0 means 100.
	Most int
}

// Tickets makes and opens tickets, and ends the streams of this node whose ticket has been opened
// again, here or elsewhere.
type Tickets struct {
	store       TicketStore
	revocations *Revocations
	options     TicketOptions

	wake chan struct{} // holds one: there is something in unsure

	mu      sync.Mutex
	streams map[string]*ticketStream // by the ticket's id
	unsure  map[string]bool          // tickets that may have been opened again
}

// ticketStream is the stream that a ticket serves on this node.
type ticketStream struct {
	opening uint64
	end     func()
}

// NewTickets returns the tickets of a store.
func NewTickets(store TicketStore, revocations *Revocations, options TicketOptions) *Tickets {
	options.TTL = cmp.Or(options.TTL, time.Minute)
	options.Most = cmp.Or(options.Most, 100)
	return &Tickets{
		store: store, revocations: revocations, options: options, wake: make(chan struct{}, 1),
		streams: map[string]*ticketStream{}, unsure: map[string]bool{},
	}
}

// Create makes a ticket for the viewer to open a subscription with. Secret is what opens it, and
// kept nowhere.
func (t *Tickets) Create(ctx context.Context, v *Viewer, document string, variables map[string]any) (secret string, err error) {
	p := ticketPayload{Viewer: *v, Document: document}
	if variables != nil {
		if p.Variables, err = json.Marshal(variables); err != nil {
			return "", err
		}
	}
	payload, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	secret = newTicketSecret()
	id, err := ticketID(secret)
	if err != nil {
		return "", err
	}
	ticket := Ticket{ID: id, User: v.ID, Expires: v.Expires, Payload: payload}
	return secret, t.store.PutTicket(ctx, ticket, t.options.TTL, t.options.Most)
}

// Admission is what a ticket admits to.
type Admission struct {
	// Viewer is who made the ticket, as they were then.
	Viewer *Viewer
	// Document is the subscription, Variables a JSON object or nothing.
	Document  string
	Variables json.RawMessage

	id string
}

// Read returns what a ticket admits to, and leaves it unopened: a stream that is refused, for whatever
// reason, neither uses it up nor ends the one that it serves. Its errors are those of [Verifier].
func (t *Tickets) Read(ctx context.Context, secret string) (*Admission, error) {
	id, err := ticketID(secret)
	if err != nil {
		return nil, err
	}
	ticket, err := t.store.Ticket(ctx, id)
	if err != nil {
		return nil, err
	}
	p, err := decodeTicket(ticket)
	if err != nil {
		return nil, err
	}
	if !time.Now().Before(p.Viewer.Expires) {
		return nil, ErrExpired
	}
	if err := t.revocations.Check(&p.Viewer); err != nil {
		return nil, err
	}
	return &Admission{Viewer: &p.Viewer, Document: p.Document, Variables: p.Variables, id: id}, nil
}

// Serve opens a ticket for a stream of this node, until release: whatever stream it served before is about to
// end, on whichever node. End, which must return at once, is called, perhaps before Serve returns, when
// the ticket has been opened again. With an error, [ErrBadTicket] where the ticket has gone meanwhile, the
// stream must not be served.
func (t *Tickets) Serve(ctx context.Context, a *Admission, end func()) (release func(), err error) {
	stop, err := t.store.WatchTicket(ctx, a.id, func() { t.doubt(a.id) })
	if err != nil {
		return nil, err
	}
	opening, err := t.store.OpenTicket(ctx, a.id)
	if err != nil {
		stop()
		return nil, err
	}
	stream := &ticketStream{opening: opening, end: end}
	if !t.take(a.id, stream) {
		stop()
		end()
		return func() {}, nil
	}
	t.doubt(a.id) // it may have been opened again since
	return func() {
		stop()
		t.give(a.id, stream)
	}, nil
}

// take makes a stream the one that a ticket serves here, unless a later one does already.
func (t *Tickets) take(id string, stream *ticketStream) bool {
	t.mu.Lock()
	before := t.streams[id]
	if before != nil && before.opening > stream.opening {
		t.mu.Unlock()
		return false
	}
	t.streams[id] = stream
	t.mu.Unlock()
	if before != nil {
		before.end()
	}
	return true
}

func (t *Tickets) give(id string, stream *ticketStream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.streams[id] == stream {
		delete(t.streams, id)
		delete(t.unsure, id)
	}
}

func (t *Tickets) doubt(id string) {
	t.mu.Lock()
	if t.streams[id] != nil {
		t.unsure[id] = true
	}
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// ticketsAtOnce bounds the tickets that one question to the store is about.
const ticketsAtOnce = 200

// Run ends streams whose tickets have been opened again, until ctx ends.
func (t *Tickets) Run(ctx context.Context) error {
	again := time.NewTicker(time.Second) // for what couldn't be asked
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.wake:
		case <-again.C:
		}
		for ids := range slices.Chunk(t.doubted(), ticketsAtOnce) {
			openings, err := t.store.TicketOpenings(ctx, ids)
			if err != nil {
				t.redoubt(ids)
				continue
			}
			for i, id := range ids {
				t.compare(id, openings[i])
			}
		}
	}
}

func (t *Tickets) doubted() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := slices.Collect(maps.Keys(t.unsure))
	clear(t.unsure)
	return ids
}

func (t *Tickets) redoubt(ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		if t.streams[id] != nil {
			t.unsure[id] = true
		}
	}
}

func (t *Tickets) compare(id string, opened uint64) {
	t.mu.Lock()
	stream := t.streams[id]
	if stream == nil || stream.opening >= opened {
		t.mu.Unlock()
		return
	}
	delete(t.streams, id)
	t.mu.Unlock()
	stream.end()
}

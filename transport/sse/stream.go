package sse

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"parley/reservation"
	"parley/transport"
)

const (
	retryAfterEnd = 2 * time.Second
	// againAfter is when what couldn't be done is tried again, and maxTries how often a subscription that can't be
	// opened for now is.
	againAfter = 500 * time.Millisecond
	maxTries   = 20
)

// Reasons for which nothing is said to the operations: the client has them elsewhere, or none any more.
var (
	reasonReplaced = transport.Reason{Code: 4409, Text: "Another stream was opened on the reservation"}
	reasonOver     = transport.Reason{Code: 4409, Text: "The reservation has ended", Retry: true}
)

// stream is the owner's side of an open stream: it does what it finds in the reservation.
type stream struct {
	transport.OneWay
	mode    Single
	body    transport.Body
	opened  *reservation.Reservation
	conn    *transport.Conn
	unwatch func()

	mu       sync.Mutex
	progress reservation.Progress // of what has left
	sent     uint64               // the last answer that has left
	crowded  bool                 // answers should go from the reservation when others have left
	scratch  []byte
	carried  map[string]uint64 // ids of the subscriptions that run here, and their numbers
	tries    map[uint64]int    // of subscriptions that can't be opened for now, by number
	failed   []failure
	ends     []reservation.Answer
	// doubt says that the reservation may have changed, syncing that somebody looks.
	doubt, syncing bool

	// The rest is used by who syncs only, as is changing carried.
	taken  uint64 // answers up to this one were put into the outbox
	unsent []reservation.Answer
	viewer string
	outage int         // looks that failed, since one that didn't
	again  *time.Timer // has it looked again; nil before it is needed
}

// failure is a subscription that couldn't be opened for now.
type failure struct {
	id     string
	number uint64
	due    time.Time // when to try again
}

var _ transport.Stamping = (*stream)(nil)

// openStream opens the stream.
func (t Single) openStream(w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor) *transport.Refusal {
	switch {
	case !transport.ParseAccept(r.Header).EventStream():
		return refuse(http.StatusNotAcceptable, transport.CodeBadInput, "a reserved stream is opened with Accept: text/event-stream")
	case events.Unfit(r) != nil:
		return events.Unfit(r)
	case !t.Service.Charge(w, r):
		return nil
	}
	found, holder, refusal := t.find(r)
	if refusal != nil {
		return refusal
	}
	base, refusal := t.base(r, found, holder)
	if refusal != nil {
		return refusal
	}
	from, err := progressOf(r, found.ID)
	if err == nil && from == nil {
		var alive bool
		if alive, err = t.Book.Alive(r.Context(), found); alive {
			err = reservation.ErrOpen
		}
	}
	if err != nil {
		return t.failure(err)
	}
	if !t.Service.Vacant(base, w) {
		return nil
	}
	return t.open(w, r, base, executor, found, holder, from)
}

// base returns the context of the connection. Who shows no token, as EventSource can't, is who reserved the stream.
func (t Single) base(r *http.Request, found *reservation.Reservation, holder reservation.Holder) (context.Context, *transport.Refusal) {
	if holder.User != "" {
		return t.Service.Options().BaseContext(r), nil
	}
	base, err := t.Admit(r, found.Viewer)
	switch {
	case errors.Is(err, transport.ErrTryLater):
		return nil, &transport.Refusal{Status: http.StatusServiceUnavailable, Code: transport.CodeUnavailable,
			Message: "the reservation can't be checked now, try again", RetryAfter: 1}
	case err != nil:
		return nil, refuse(http.StatusUnauthorized, transport.CodeUnauthenticated, err.Error())
	}
	return base, nil
}

// progressOf returns what the client has got, nil if it doesn't say.
func progressOf(r *http.Request, id string) (*reservation.Progress, error) {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		return nil, nil
	}
	from, err := reservation.ParseProgress(last, id)
	return &from, err
}

// open claims the reservation and takes the socket over.
func (t Single) open(w http.ResponseWriter, r *http.Request, base context.Context, executor graphql.GraphExecutor,
	found *reservation.Reservation, holder reservation.Holder, from *reservation.Progress) *transport.Refusal {
	s := &stream{mode: t, body: transport.BodyOf(r), carried: map[string]uint64{}, tries: map[uint64]int{}, syncing: true}
	s.viewer = cmp.Or(string(holder.Viewer), string(found.Viewer)) // base's
	var err error
	if s.unwatch, err = t.Book.Watch(r.Context(), found.ID, s.look); err != nil {
		return t.failure(err)
	}
	if s.opened, err = t.Book.Claim(r.Context(), found, holder, from); err != nil {
		s.unwatch()
		return t.failure(err)
	}
	s.progress, s.taken = s.opened.Progress(from), s.opened.First-1
	socket, greeting, refusal := events.TakeOver(w, r)
	if socket == nil {
		s.ended(reasonOver)
		return refusal
	}
	s.mu.Lock()
	greeting = s.appendBlock(greeting, "", nil, nil)
	s.mu.Unlock()
	conn, ok := t.Service.Connect(transport.Link{
		Protocol: "sse-single", Socket: socket, Greeting: greeting, Context: base, Executor: executor,
		Wire: s, Ended: s.ended,
	})
	if !ok {
		s.ended(reasonOver)
		return nil
	}
	s.conn = conn
	if conn.Identify(conn.Context()) {
		conn.Go(s.sync)
	}
	conn.Attend()
	return nil
}

// ended gives up the reservation when the connection has ended.
func (s *stream) ended(reason transport.Reason) {
	s.unwatch()
	if s.again != nil {
		s.again.Stop()
	}
	if reason == reasonReplaced {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	giveUp := s.mode.Book.Release
	if reason.AsErrors() != nil && reason != transport.ReasonTooMany { // its operations were told that they are over
		giveUp = s.mode.Book.Drop
	}
	if err := giveUp(ctx, s.opened); err != nil && !isOver(err) {
		s.log().Warn("a stream's end can't be noted", "error", err)
	}
}

// isOver reports whether an error says that a stream has nothing to do with the reservation any more.
func isOver(err error) bool {
	return errors.Is(err, reservation.ErrNone) || errors.Is(err, reservation.ErrOpen)
}

func (s *stream) log() *slog.Logger { return s.mode.Service.Options().Log }

// request is how a subscription's request is kept.
type request struct {
	Query         string         `json:"query,omitempty"`
	OperationName string         `json:"operationName,omitempty"`
	Variables     map[string]any `json:"variables,omitempty"`
	Extensions    map[string]any `json:"extensions,omitempty"`
}

func encodeRequest(p *graphql.RawParams) ([]byte, error) {
	return json.Marshal(request{p.Query, p.OperationName, p.Variables, p.Extensions})
}

func decodeRequest(body []byte) (*graphql.RawParams, error) { return transport.ParseParams(body) }

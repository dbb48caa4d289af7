package chat

import (
	"context"
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"parley/eventlog"
	"parley/ratelimit"
)

// Service holds all rules of who may do what. It decides on a [View] that carries versions and
// appends with what it expects of them: where one moved in between it reads and decides again, a
// few times, and then answers CONFLICT. So what it remembers may be out of date, and any number may share
// a store.
//
// The actor of a change and the viewer of a read are whoever the token names, never an input.
// Every error is an *[Error]; those of the store that carry no code become INTERNAL, and whatever
// keeps the store from answering, a context's end included, UNAVAILABLE.
//
// A room that a viewer may not know of answers exactly like one that isn't there.
type Service struct {
	store  Store
	log    eventlog.Log
	limits Limits
	rates  rates
	known  known
	sent   prometheus.Counter
}

// NewService returns a service over a store and the logs it appends to; zero limits take their
// defaults.
func NewService(store Store, log eventlog.Log, limits Limits) *Service {
	return &Service{
		store: store, log: log, limits: limits.WithDefaults(), rates: newRates(limits.Rates), known: newKnown(), sent: newSent(),
	}
}

// maxTries bounds how often one request decides because what it rested on moved. Each time another one has
// succeeded: so many at once, about the same thing, are all served.
const maxTries = 25

// maxReads is the same for a page, which nobody else's haste should cost a reader.
const maxReads = 50

// retry calls try until it no longer ends in ErrMoved, at most so many times.
func retry[T any](times int, try func() (T, error)) (T, error) {
	var none T
	for range times {
		result, err := try()
		if err == nil {
			return result, nil
		}
		if !errors.Is(err, ErrMoved) {
			return none, public(err)
		}
	}
	return none, Errorf(Conflict, "%s", ErrMoved.Message)
}

// outcome is a change of a room, or the finding that none was needed.
type outcome struct {
	view View
	// written is nil where there was nothing to write.
	written *Appended
}

func (o outcome) room() Room {
	if o.written != nil {
		return o.written.Room
	}
	return o.view.Room
}

func (o outcome) member(user string) Member {
	if o.written != nil {
		return *o.written.Event.Member
	}
	return *o.view.Members[user]
}

// change reads a room with the rows of the actor and the users asked for, and appends the entry
// that decide makes of it. decide returns nil where all is as it should be already.
func (s *Service) change(ctx context.Context, actor User, q ViewQuery, decide func(View) (*Append, error)) (outcome, error) {
	c := change{Service: s, actor: actor, decide: decide}
	return c.settle(c.byReading(ctx, q))
}

// changeAsKnown is change for what rests on the actor's membership alone, which is read only if it isn't
// known, or what is known doesn't lead there.
func (s *Service) changeAsKnown(ctx context.Context, actor User, q ViewQuery, decide func(View) (*Append, error)) (outcome, error) {
	c := change{Service: s, actor: actor, decide: decide}
	if view, ok := s.known.recall(q.RoomID, actor.ID); ok {
		o, err := c.by(ctx, view)
		if err == nil || CodeOf(public(err)) == Unavailable { // then it may have been written
			return c.settle(o, public(err))
		}
		s.known.forget(q.RoomID, actor.ID)
	}
	o, err := c.byReading(ctx, q)
	if err == nil && o.written != nil {
		s.known.keep(actor.ID, o.view)
	}
	return c.settle(o, err)
}

// change is one under way.
type change struct {
	*Service
	actor  User
	decide func(View) (*Append, error)
	paid   bool
}

// byReading changes a room by what is read of it.
func (c *change) byReading(ctx context.Context, q ViewQuery) (outcome, error) {
	if !IsUserID(c.actor.ID) {
		return outcome{}, Errorf(Unauthenticated, "sign in first")
	}
	q.Users = append(q.Users, c.actor.ID)
	return retry(maxTries, func() (outcome, error) {
		view, err := c.view(ctx, q)
		if err != nil {
			return outcome{}, err
		}
		return c.by(ctx, view)
	})
}

// by changes a room by a view of it.
func (c *change) by(ctx context.Context, view View) (outcome, error) {
	entry, err := c.decide(view)
	if err != nil || entry == nil {
		return outcome{view: view}, err
	}
	if !c.paid { // once, however often it is tried
		if err := c.rates.people.Take(c.actor.ID); err != nil {
			return outcome{}, err
		}
		c.paid = true
	}
	entry.RoomID, entry.Actor = view.Room.ID, c.actor
	entry.Costs = c.rates.costs(entry)
	written, err := c.store.Append(ctx, *entry)
	return outcome{view: view, written: &written}, err
}

// settle ends it.
func (c *change) settle(o outcome, err error) (outcome, error) {
	_ = c.rates.Refusals.Count(err)
	if c.paid {
		c.rates.settle(c.actor.ID, o, err)
	}
	return o, err
}

// view reads a room; whatever isn't a room of ours is not found.
func (s *Service) view(ctx context.Context, q ViewQuery) (View, error) {
	if !IsRoomID(q.RoomID) {
		return View{}, noRoom()
	}
	q.Users = slices.Compact(slices.Sorted(slices.Values(q.Users)))
	view, err := s.store.View(ctx, q)
	if CodeOf(err) == NotFound {
		return View{}, noRoom()
	}
	return view, public(err)
}

// public returns err as one that may leave the service.
func public(err error) error {
	if err == nil {
		return nil
	}
	if exceeded, ok := errors.AsType[*ratelimit.Exceeded](err); ok {
		return limited(exceeded)
	}
	if own, ok := errors.AsType[*Error](err); ok {
		if error(own) == err {
			return err
		}
		return &Error{Code: own.Code, Message: own.Message, Field: own.Field, Cause: err}
	}
	switch {
	case errors.Is(err, eventlog.ErrNoLog):
		return noRoom()
	case errors.Is(err, eventlog.ErrUnavailable),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: Unavailable, Message: "the store can't answer now; try again later", Cause: err}
	default:
		return &Error{Code: Internal, Message: "something went wrong on our side", Cause: err}
	}
}

// The answers for what isn't there and for what may not be known of are the same.
func noRoom() *Error    { return Errorf(NotFound, "no such room") }
func noMessage() *Error { return Errorf(NotFound, "no such message") }

package delivery

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"parley/eventlog"
)

// Subscription is a consumer to be served.
type Subscription struct {
	Spec Spec
	// Group is the key of those who share the rendering, within the topic.
	Group    string
	Renderer Renderer
	// Personal renders for this subscription's viewer alone, should Renderer turn out to
	// depend on the viewer.
	Personal Renderer
	// Lane takes the frames.
	Lane *Lane
	// Done is called once, when the hub ends the subscription: nil for a plain end, else why:
	// ErrAccessRevoked, *ResetError, or an error of the store or of Authorize. It must not
	// block. It isn't called after Close, nor by the hub's own end.
	Done func(error)
}

// Subscriber is one consumer in the hub: first it replays the log from where it starts, then it is
// live.
type Subscriber struct {
	hub      *Hub
	spec     Spec
	key      string
	renderer Renderer
	personal Renderer
	lane     *Lane // nil for a guard
	done     func(error)
	topic    *topic      // nil for state
	state    *stateTopic // nil for a log
	guard    *Subscriber // whose end is this one's; nil for none

	ctx    context.Context
	cancel context.CancelFunc
	ended  atomic.Bool
	once   sync.Once

	// at is where the replay stands. It belongs to whoever carries the subscriber forward: the
	// replay, or the mailbox while a joining is under way.
	at       eventlog.Cursor
	replayed atomic.Pointer[eventlog.Cursor] // at, for others to read
	live     atomic.Bool

	// The mailbox's own.
	group *group
	index int
	floor uint64 // offsets up to here it has seen
}

// Subscribe begins to serve a subscription. It returns at once: events come through the lane, the
// end through Done.
func (h *Hub) Subscribe(sub Subscription) (*Subscriber, error) {
	s := h.newSubscriber(sub)
	if s.spec.State == nil {
		return s, s.beginLog()
	}
	if s.spec.Guard != "" {
		guard := sub
		guard.Spec.Topic, guard.Spec.State, guard.Spec.Guard, guard.Spec.Filter = sub.Spec.Guard, nil, "", 0
		guard.Lane, guard.Done = nil, s.finish
		s.guard = h.newSubscriber(guard)
	}
	s.state = h.stateTopicFor(s.spec)
	if s.guard != nil {
		if err := s.guard.beginLog(); err != nil {
			return nil, err
		}
	}
	s.state.mail.post(stateLetter{join: s})
	return s, nil
}

func (h *Hub) newSubscriber(sub Subscription) *Subscriber {
	s := &Subscriber{
		hub: h, spec: sub.Spec, key: sub.Group, renderer: sub.Renderer, personal: sub.Personal, lane: sub.Lane, done: sub.Done,
		at: sub.Spec.Start,
	}
	s.replayed.Store(&sub.Spec.Start)
	s.ctx, s.cancel = context.WithCancel(h.ctx)
	if s.spec.State == nil {
		s.topic = h.topicFor(s.spec.Topic)
	}
	return s
}

func (s *Subscriber) beginLog() error {
	if !s.hub.spawn(s.start) {
		return ErrClosed
	}
	return nil
}

// Close ends the subscription by the client's wish. Nothing is put into its lane any more.
func (s *Subscriber) Close() {
	s.lane.Close()
	s.end()
}

// finish ends the subscription by the hub's.
func (s *Subscriber) finish(err error) {
	if s.end() {
		s.done(err)
	}
}

// end gives up everything the subscriber holds; false if that was done before.
func (s *Subscriber) end() (first bool) {
	s.once.Do(func() {
		first = true
		s.ended.Store(true)
		s.cancel()
		if s.guard != nil {
			s.guard.end()
		}
		if s.topic != nil {
			s.topic.mail.post(letter{leave: s})
			s.hub.release(s.topic)
		} else {
			s.state.leave(s)
		}
	})
	return first
}

// Moved returns the cursor of a subscription to a log, if it is past what the lane has told: a
// position of which only a message of its own can tell, by Lane.Advance.
func (s *Subscriber) Moved() (eventlog.Cursor, bool) {
	if s.topic == nil || s.ended.Load() {
		return eventlog.Cursor{}, false
	}
	c := *s.replayed.Load()
	if s.live.Load() {
		if settled := s.topic.settled.Load(); settled != nil && settled.Position.Offset > c.Position.Offset {
			c = *settled
		}
	}
	return c, c.Position.Offset > s.lane.Last()
}

// put gives rendered events to the lane, without those already seen.
func (s *Subscriber) put(events []*Event) (kick bool) {
	for len(events) > 0 && events[0].Offset <= s.floor && s.state == nil {
		events = events[1:]
	}
	return len(events) > 0 && s.lane != nil && s.lane.Put(events...)
}

// start waits for the topic and begins the replay.
func (s *Subscriber) start() {
	select {
	case <-s.topic.ready:
	case <-s.ctx.Done():
		return
	}
	if s.topic.err != nil {
		s.finish(asReset(s.topic.err))
		return
	}
	s.follow()
}

// asReset turns the absence of a log into what subscribers are told.
func asReset(err error) error {
	if errors.Is(err, eventlog.ErrNoLog) {
		return &ResetError{Reason: eventlog.HistoryLost}
	}
	return err
}

// follow replays from where the subscriber stands until it is live.
func (s *Subscriber) follow() {
	if s.join(false) {
		return
	}
	for s.ctx.Err() == nil {
		page, err := s.hub.read(s.ctx, s.topic.name, s.at.Position)
		if gap, ok := errors.AsType[*eventlog.GapError](err); ok {
			if !s.cross(gap) {
				return
			}
			continue
		}
		if err != nil {
			if s.ctx.Err() == nil {
				s.finish(asReset(err))
			}
			return
		}
		if !s.replay(page.Publications) {
			return
		}
		if s.at.Position.Offset == page.Tail.Offset && s.join(true) {
			return
		}
	}
}

// join asks the topic to make the subscriber live.
func (s *Subscriber) join(verified bool) bool {
	j := &joining{s: s, verified: verified, done: make(chan bool, 1)}
	s.topic.mail.post(letter{join: j})
	select {
	case live := <-j.done:
		return live
	case <-s.topic.ctx.Done():
		return true
	}
}

// replay gives the subscriber a run of the log, at the reader's pace; false means that the
// subscription has ended.
func (s *Subscriber) replay(pubs []eventlog.Publication) bool {
	from, _ := s.spec.Readable.Open()
	for i := range pubs {
		p := &pubs[i]
		if s.spec.Filter.Has(p.Kind) && s.spec.Readable.Contains(p.Offset) && !s.show(p) {
			return false
		}
		s.moveTo(p.Position, p.Seq)
		if change, ends := p.Ends(s.spec.Principal); ends && p.Offset >= from {
			s.finish(endOf(change))
			return false
		}
	}
	return true
}

func (s *Subscriber) moveTo(position eventlog.Position, seq uint64) {
	s.at = eventlog.Cursor{Kind: eventlog.CursorLog, Log: s.topic.name, Position: position, Seq: seq}
	at := s.at
	s.replayed.Store(&at)
}

// show renders one publication for this subscriber and waits until its outbox has room for more.
func (s *Subscriber) show(p *eventlog.Publication) bool {
	e, err := s.hub.renderPublication(s.ctx, s.renderer, s.topic.name, p)
	if errors.Is(err, ErrNotShareable) {
		s.renderer = s.personal
		e, err = s.hub.renderPublication(s.ctx, s.renderer, s.topic.name, p)
	}
	if err != nil {
		return false
	}
	if s.lane.Put(e) {
		s.lane.Flush()
	}
	s.hub.metrics.replayed.Inc()
	return s.lane.WaitForRoom(s.ctx) == nil
}

// cross brings the subscriber over a gap in the log: by a reset shown, by reading the shown
// publications from elsewhere, or not at all (false).
func (s *Subscriber) cross(gap *eventlog.GapError) bool {
	switch {
	case s.lane == nil: // a guard only cares for access, which was judged
	case s.spec.ShowReset:
		reset := eventlog.Publication{
			Position: gap.Tail, Seq: gap.TailSeq, Kind: eventlog.KindReset,
			Payload: eventlog.Reset{Log: s.topic.name, Reason: gap.Reason},
		}
		if !s.show(&reset) {
			return false
		}
	case gap.Reason == eventlog.Trimmed && s.spec.Backfill != nil:
		if !s.backfill(gap) {
			return false
		}
	default:
		tail := eventlog.Cursor{Kind: eventlog.CursorLog, Log: s.topic.name, Position: gap.Tail, Seq: gap.TailSeq}
		s.finish(&ResetError{Reason: gap.Reason, Tail: tail})
		return false
	}
	s.moveTo(gap.Tail, gap.TailSeq)
	return true
}

// backfill shows what the trimmed log no longer has, up to the tail at which it goes on.
func (s *Subscriber) backfill(gap *eventlog.GapError) bool {
	seq := s.at.Seq
	for {
		var pubs []eventlog.Publication
		err := s.hub.retry(s.ctx, "reading messages", func() (err error) {
			pubs, err = s.spec.Backfill(s.ctx, seq, s.hub.options.PageSize)
			return err
		})
		if err != nil {
			if s.ctx.Err() == nil {
				s.finish(err)
			}
			return false
		}
		for i := range pubs {
			p := &pubs[i]
			if p.Offset > gap.Tail.Offset {
				return true
			}
			if s.spec.Readable.Contains(p.Offset) && !s.show(p) {
				return false
			}
			seq = p.Seq
		}
		if len(pubs) < s.hub.options.PageSize {
			return true
		}
	}
}

// resume brings a subscriber back that was live in a history now lost.
func (s *Subscriber) resume(gap *eventlog.GapError) {
	err := s.hub.retry(s.ctx, "authorizing", func() (err error) {
		s.spec.Readable, err = s.spec.Authorize(s.ctx)
		return err
	})
	if err != nil {
		if s.ctx.Err() == nil {
			s.finish(err)
		}
		return
	}
	if settled := s.topic.settled.Load(); settled != nil {
		s.at = *settled
	}
	if s.cross(gap) {
		s.follow()
	}
}

func isUnavailable(err error) bool { return errors.Is(err, eventlog.ErrUnavailable) }

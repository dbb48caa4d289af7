package delivery

import (
	"context"
	"sync/atomic"

	"parley/eventlog"
)

// Subscription is a consumer to be served.
type Subscription struct {
	Spec Spec
	// Sharing is with whom the renderings are shared, by the access of Spec.
	Sharing
	// Share says with whom they are, once access has been judged anew; nil: with the same. It may
	// be set for a log only.
	Share func(Access) Sharing
	// Personal renders for this subscription's viewer alone, should Renderer turn out to
	// depend on the viewer; nil means Renderer.
	Personal Renderer
	// Lane takes the frames.
	Lane *Lane
	// Done is called once, when the hub ends the subscription: nil for a plain end, else why:
	// ErrAccessRevoked, *ResetError, or an error of the store or of Authorize. By then the lane
	// takes no more events, only control items. It must not block. It isn't called once Close
	// has ended the subscription, nor by the hub's own end; a call may be under way when Close
	// comes second.
	Done func(error)
}

// Subscriber is one consumer in the hub: first it replays the log from where it starts, then it is
// live.
type Subscriber struct {
	hub      *Hub
	spec     Spec
	share    func(Access) Sharing // nil: sharing never changes
	personal Renderer
	lane     *Lane // nil for a guard
	done     func(error)
	topic    *topic      // nil for state
	state    *stateTopic // nil for a log
	guard    *Subscriber // whose end is this one's; nil for none
	guards   *Subscriber // of whom it is the guard: shown something while this one is live; nil for nobody

	// carried ends the context of who carries the subscriber forward; nil while nobody does.
	carried atomic.Pointer[context.CancelFunc]

	// at is where the replay stands, nil while the subscriber is live, and ours whether that was read from
	// the log; from is where the viewer's latest access begins; alone says that the replay has found the
	// rendering to depend on the viewer. They, sharing and the access in spec belong to whoever carries the
	// subscriber forward: the replay, or the mailboxes while a joining is under way and once it is live.
	at      *eventlog.Cursor
	from    uint64
	ours    bool
	alone   bool
	ended   atomic.Bool
	place   int32 // in members, from 1; its mailbox's own
	sharing Sharing

	// Where it stands, for others to read: live in a group, or else at the position replayed; neither
	// while it crosses a gap.
	group    atomic.Pointer[group]
	replayed atomic.Pointer[eventlog.Cursor]

	joined *group // the topic's mailbox's own
}

// Subscribe begins to serve a subscription. It returns at once: events come through the lane, the
// end through Done. It fails with ErrClosed when the hub is closing.
func (h *Hub) Subscribe(sub Subscription) (*Subscriber, error) {
	if sub.Spec.State != nil {
		return h.subscribeState(sub)
	}
	s, err := h.newLogSubscriber(sub)
	if err != nil {
		return nil, err
	}
	if !s.carry(s.start) {
		s.end()
		return nil, ErrClosed
	}
	return s, nil
}

// carry has f carry the subscriber forward, in a goroutine of the hub's and a context that ends with the
// subscriber; false means that the hub is closing.
func (s *Subscriber) carry(f func(context.Context)) bool {
	return s.hub.spawn(func() {
		ctx, cancel := context.WithCancel(s.hub.ctx)
		defer cancel()
		s.carried.Store(&cancel)
		defer s.carried.CompareAndSwap(&cancel, nil) // the next one may have begun
		if s.ended.Load() {                          // or its end finds us
			cancel()
		}
		f(ctx)
	})
}

func (h *Hub) newSubscriber(sub Subscription) *Subscriber {
	s := &Subscriber{
		hub: h, spec: sub.Spec, share: sub.Share, personal: sub.Personal, lane: sub.Lane, done: sub.Done,
		sharing: sub.Sharing,
	}
	s.at = &s.spec.Start
	if s.personal == nil {
		s.personal = sub.Renderer
	}
	if s.lane != nil {
		s.lane.serve(s.lagged)
	}
	return s
}

func (h *Hub) newLogSubscriber(sub Subscription) (s *Subscriber, err error) {
	s = h.newSubscriber(sub)
	s.replayed.Store(s.at)
	s.from = latestAccess(s.spec.Readable)
	s.topic, err = h.topicFor(s.spec.Topic)
	return s, err
}

// latestAccess is the offset at which the last of the intervals begins: only an end after that is
// the end of the access by which a subscription reads.
func latestAccess(readable eventlog.Intervals) uint64 {
	if n := len(readable); n > 0 {
		return readable[n-1].From
	}
	return 0
}

// subscribeState begins to serve a subscription to a state topic. Where there is a guard, nothing is
// shown before it stands watch, nor while the history in which it stood is lost.
func (h *Hub) subscribeState(sub Subscription) (s *Subscriber, err error) {
	s = h.newSubscriber(sub)
	if s.spec.Guard != "" {
		guard := sub
		guard.Spec.Topic, guard.Spec.State, guard.Spec.Guard, guard.Spec.Filter = sub.Spec.Guard, nil, "", 0
		guard.Lane, guard.Done = nil, s.finish
		guard.Sharing, guard.Share, guard.Personal = Sharing{}, nil, nil // it renders nothing
		if s.guard, err = h.newLogSubscriber(guard); err != nil {
			return nil, err
		}
		s.guard.guards = s
	}
	if s.state, err = h.stateTopicFor(s.spec); err != nil {
		if s.guard != nil {
			s.guard.end()
		}
		return nil, err
	}
	if s.guard == nil {
		s.state.mail.post(stateLetter{join: s})
	} else if !s.guard.carry(s.guard.start) {
		s.end()
		return nil, ErrClosed
	}
	return s, nil
}

// Close ends the subscription by the client's wish. Nothing is put into its lane any more.
func (s *Subscriber) Close() {
	s.lane.Close()
	s.end()
}

// finish ends the subscription by the hub's. Nothing more is shown by the time anybody can know of the
// end: who waits for the guards to be read does (readAgain), when the last of them leaves the topic.
func (s *Subscriber) finish(err error) {
	if s.guards != nil {
		s.guards.lane.end()
	} else {
		s.lane.end()
	}
	if s.end() && !s.hub.closing() {
		s.done(err)
	}
}

// end gives up everything the subscriber holds; false if that was, or is being, done before.
func (s *Subscriber) end() (first bool) {
	if !s.ended.CompareAndSwap(false, true) {
		return false
	}
	if cancel := s.carried.Load(); cancel != nil {
		(*cancel)()
	}
	if s.guard != nil {
		s.guard.end()
	}
	if s.topic != nil {
		s.topic.mail.post(letter{leave: s})
		s.hub.release(s.topic)
	} else {
		s.state.mail.post(stateLetter{leave: s})
		s.hub.releaseState(s.state)
	}
	return true
}

// Moved returns the cursor of a subscription to a log, if it is past what the lane has told: a
// position of which only a message of its own can tell, by Lane.Advance, to be called next for this
// lane. Every event up to there is in the lane.
func (s *Subscriber) Moved() (eventlog.Cursor, bool) {
	if s.topic == nil || s.ended.Load() {
		return eventlog.Cursor{}, false
	}
	history, lags := s.lane.currentHistory()
	at := s.replayed.Load()
	switch g := s.group.Load(); {
	case g != nil && lags: // of which the group hasn't heard yet
		return eventlog.Cursor{}, false
	case g != nil:
		at = g.settled.Load()
	}
	if at == nil || !s.lane.offer(at.Position.Offset, history) {
		return eventlog.Cursor{}, false
	}
	return *at, true
}

// groupKey names the group a subscriber belongs to, within its topic.
func (s *Subscriber) groupKey() groupKey {
	if s.lane == nil {
		return groupKey{guards: true}
	}
	return groupKey{key: s.sharing.Group, filter: s.spec.Filter}
}

// nowLive notes that the subscriber is a member of a group, at the position of which it stands.
func (s *Subscriber) nowLive(g *group) {
	s.group.Store(g)
	s.at = nil
	s.replayed.Store(nil)
	if s.guards != nil {
		s.guards.state.mail.post(stateLetter{join: s.guards})
	}
}

// lose is told by the group that the subscriber, live up to a position, can't go on there.
func (s *Subscriber) lose(l *loss, at *eventlog.Cursor) {
	lagging := s.leaves(at)
	switch {
	case l.moved:
		s.regroup()
		return
	case lagging && l.err == nil:
		s.catchUp()
		return
	}
	s.hub.metrics.resets.Inc()
	if s.guards != nil {
		s.guards.state.mail.post(stateLetter{leave: s.guards})
	}
	if l.err != nil {
		s.finish(l.err)
		return
	}
	s.carry(func(ctx context.Context) {
		s.ours = true
		if s.cross(ctx, l.gap) {
			s.follow(ctx)
		}
	})
}

// leaves notes that the subscriber, live up to a position, is no more, and where it stands: earlier than that if it lags.
func (s *Subscriber) leaves(at *eventlog.Cursor) (lagging bool) {
	if s.lane != nil {
		at, lagging = s.lane.standing(at)
	}
	if at != s.at {
		s.at, s.ours = at, *at != s.spec.Start // any position but the one that the client came with was read from the log
	}
	s.replayed.Store(at)
	s.group.Store(nil)
	return lagging
}

// lagged is told by the lane that the reader doesn't keep up.
func (s *Subscriber) lagged() {
	s.hub.metrics.lags.Inc()
	if g := s.group.Load(); g != nil { // else the group has sent it away, and will have seen it
		g.mail.post(groupLetter{lags: s})
	}
}

// catchUp serves the subscriber from the log until it is live again.
func (s *Subscriber) catchUp() {
	s.hub.metrics.lagging.Inc()
	started := s.carry(func(ctx context.Context) {
		defer s.hub.metrics.lagging.Dec()
		s.follow(ctx)
	})
	if !started {
		s.hub.metrics.lagging.Dec()
	}
}

// regroup has the subscriber judged anew and go on from where it stands, in the group in which it
// belongs now.
func (s *Subscriber) regroup() {
	s.hub.metrics.regroups.Inc()
	s.carry(func(ctx context.Context) {
		if s.authorize(ctx) {
			s.follow(ctx)
		}
	})
}

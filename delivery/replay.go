package delivery

import (
	"context"
	"errors"
	"slices"
	"time"

	"parley/eventlog"
)

// start waits for the topic and begins the replay.
func (s *Subscriber) start(ctx context.Context) {
	select {
	case <-s.topic.ready:
	case <-ctx.Done():
		return
	}
	if s.topic.err != nil {
		s.finish(asReset(s.topic.err))
		return
	}
	s.follow(ctx)
}

// follow replays from where the subscriber stands until it is live, or ended.
func (s *Subscriber) follow(ctx context.Context) {
	for verified := false; s.hasRoom(ctx); {
		if s.readsOn() {
			v, ok := s.join(ctx, verified)
			if !ok || v.live {
				return
			}
			if len(v.missing) > 0 {
				if _, ok = s.replay(ctx, v.missing); !ok {
					return
				}
				verified = false
				continue
			}
		}
		if !s.readToTail(ctx) || !s.mayReadOn(ctx) {
			return
		}
		verified = true
	}
}

// readsOn reports whether everything that comes after the subscriber's position may be read.
func (s *Subscriber) readsOn() bool {
	_, open := s.spec.Readable.Open()
	return open && s.at.Position.Offset >= s.from
}

// mayReadOn is asked at the log's tail; false means that the subscription has ended.
func (s *Subscriber) mayReadOn(ctx context.Context) bool {
	if _, open := s.spec.Readable.Open(); !open {
		s.finish(ErrAccessRevoked) // nothing to come may be read
		return false
	}
	// The entry by which access began, if it is beyond the tail, is lost.
	return s.readsOn() || s.authorize(ctx)
}

// join asks the topic to make the subscriber live; false when the subscription has ended.
func (s *Subscriber) join(ctx context.Context, verified bool) (verdict, bool) {
	j := &joining{s: s, verified: verified, done: make(chan verdict, 1)}
	s.topic.mail.post(letter{join: j})
	select {
	case v := <-j.done:
		return v, true
	case <-ctx.Done():
		return verdict{}, false
	}
}

// readToTail replays the log up to its tail; false means that the subscription has ended.
func (s *Subscriber) readToTail(ctx context.Context) bool {
	for s.hasRoom(ctx) {
		page, err := s.hub.read(ctx, s.topic.name, s.at.Position)
		if gap, ok := errors.AsType[*eventlog.GapError](err); ok {
			if !s.crossIf(ctx, gap) {
				return false
			}
			continue
		}
		if err != nil {
			s.fail(ctx, err)
			return false
		}
		all, ok := s.replay(ctx, page.Publications)
		if !ok {
			return false
		}
		if all && s.at.Position.Offset == page.Tail.Offset {
			s.moveTo(page.Tail, page.TailSeq) // what a client gave may lack epoch or seq
			return true
		}
	}
	return false
}

// fail ends the subscription by an error, unless it is only that it has ended.
func (s *Subscriber) fail(ctx context.Context, err error) {
	if ctx.Err() == nil {
		s.finish(asReset(err))
	}
}

// hasRoom waits until the reader has taken enough for more to be put; false means that the subscription
// has ended. Nothing is read from the log, and kept, before that.
func (s *Subscriber) hasRoom(ctx context.Context) bool {
	return ctx.Err() == nil && (s.lane == nil || s.lane.WaitForRoom(ctx) == nil)
}

// replay gives the subscriber a run of the log, up to where there is no room for more of it (not all).
// Not ok means that the subscription has ended.
func (s *Subscriber) replay(ctx context.Context, pubs []eventlog.Publication) (all, ok bool) {
	for i := range pubs {
		p := &pubs[i]
		if p.Offset == s.from && !beginsAccess(p, s.spec.Principal) && !s.authorize(ctx) {
			return false, false
		}
		if s.spec.Filter.Has(p.Kind) && s.spec.Readable.Contains(p.Offset) {
			if !s.lane.isRoomy() {
				return false, true
			}
			if !s.show(ctx, p, *s.at, false) {
				return false, false
			}
		}
		s.moveTo(p.Position, p.Seq)
		if change, ends := p.Ends(s.spec.Principal); ends && p.Offset >= s.from {
			s.finish(endOf(change))
			return false, false
		}
	}
	return true, ctx.Err() == nil
}

// beginsAccess reports whether a publication is the one by which a principal's access begins. An
// interval that begins elsewhere was read from a history that is no more.
func beginsAccess(p *eventlog.Publication, principal string) bool {
	return slices.Contains(p.Access, eventlog.AccessChange{Principal: principal, Change: eventlog.AccessBegins})
}

// moveTo moves the subscriber to a position read from the log.
func (s *Subscriber) moveTo(position eventlog.Position, seq uint64) {
	at := logCursor(s.topic.name, position, seq)
	s.at, s.ours = &at, true
	s.replayed.Store(s.at)
}

// show renders one publication for this subscriber and puts it into its outbox once there is room. Before
// is where a reader stands who has seen all but it.
func (s *Subscriber) show(ctx context.Context, p *eventlog.Publication, before eventlog.Cursor, reset bool) bool {
	e, err := s.rendered(ctx, p, before, reset)
	for isAudienceMoved(err) {
		if !s.authorize(ctx) {
			return false
		}
		if !reset && !s.spec.Readable.Contains(p.Offset) {
			return true // it is hidden now
		}
		e, err = s.rendered(ctx, p, before, reset)
	}
	if err != nil {
		return false
	}
	if s.lane.putWithRoom(ctx, e) != nil {
		return false
	}
	s.hub.metrics.replayed.Inc()
	return true
}

// rendered renders as the group would.
func (s *Subscriber) rendered(ctx context.Context, p *eventlog.Publication, before eventlog.Cursor, reset bool) (*Event, error) {
	render := func(r Renderer, shared bool) (*Event, error) {
		e, err := s.hub.renderPublication(ctx, r, shared, s.topic.name, p)
		if err == nil {
			e.reset, e.before = reset, before
		}
		return e, err
	}
	if !s.alone {
		shared := func() (*Event, error) { return render(s.sharing.Renderer, true) }
		e, err := (*Event)(nil), error(nil)
		if reset || !s.ours || p.Offset != before.Position.Offset+1 { // others come from elsewhere
			e, err = shared()
		} else {
			key := replayKey{log: s.topic.name, group: s.sharing.Group, at: p.Position}
			e, err = s.hub.replays.get(ctx, key, p.Payload, shared)
		}
		if !isNotShareable(err) {
			return e, err
		}
		s.alone = true
	}
	return render(s.personal, false)
}

// crossIf crosses a gap in the log, if asking again confirms it.
func (s *Subscriber) crossIf(ctx context.Context, gap *eventlog.GapError) bool {
	gap, err := s.hub.confirm(ctx, s.topic.name, s.at.Position, s.ours, gap)
	if err != nil {
		s.fail(ctx, err)
		return false
	}
	return gap == nil || s.cross(ctx, gap)
}

// cross brings the subscriber over a gap in the log: by a reset shown, by reading the shown
// publications from elsewhere, or not at all (false). What is in the gap may have ended the viewer's
// access, so that is judged anew.
func (s *Subscriber) cross(ctx context.Context, gap *eventlog.GapError) bool {
	if !s.authorize(ctx) {
		return false
	}
	switch {
	case s.lane == nil: // a guard only cares for access
	case s.spec.ShowReset:
		if !s.showReset(ctx, gap) {
			return false
		}
	case gap.Reason == eventlog.Trimmed && s.spec.Backfill != nil:
		if !s.backfill(ctx, gap) {
			return false
		}
	default:
		s.finish(&ResetError{Reason: gap.Reason, Tail: logCursor(s.topic.name, gap.Tail, gap.TailSeq)})
		return false
	}
	s.moveTo(gap.Tail, gap.TailSeq)
	return true
}

// authorize judges access anew, in its turn, and so with whom renderings are shared; false means that
// the subscription has ended.
func (s *Subscriber) authorize(ctx context.Context) bool {
	err := s.hub.retry(ctx, forever, "authorizing", func() error {
		return s.hub.judging.take(ctx, func() (err error) {
			s.spec.Access, err = s.spec.Authorize(ctx)
			return err
		})
	})
	if err != nil {
		s.fail(ctx, err)
		return false
	}
	s.from = latestAccess(s.spec.Readable)
	if s.share != nil {
		s.sharing = s.share(s.spec.Access)
	}
	return true
}

// showReset tells of the gap. Meanwhile there is no position to tell: the old one is of a history
// that the client leaves, the new one is past what it knows.
func (s *Subscriber) showReset(ctx context.Context, gap *eventlog.GapError) bool {
	s.replayed.Store(nil)
	return s.show(ctx, &eventlog.Publication{
		Position: gap.Tail, Seq: gap.TailSeq, Kind: eventlog.KindReset,
		Payload: eventlog.Reset{Log: s.topic.name, Reason: gap.Reason, At: time.Now().UTC().Truncate(time.Millisecond)},
	}, *s.at, true)
}

// backfill shows what the trimmed log no longer has, up to the tail at which it goes on.
func (s *Subscriber) backfill(ctx context.Context, gap *eventlog.GapError) bool {
	for seq := s.at.Seq; s.hasRoom(ctx); {
		var pubs []eventlog.Publication
		err := s.hub.retry(ctx, forever, "reading messages", func() (err error) {
			pubs, err = s.spec.Backfill(ctx, seq, s.hub.options.PageSize)
			return err
		})
		if err != nil {
			s.fail(ctx, err)
			return false
		}
		if len(pubs) == 0 {
			return true
		}
		for i := range pubs {
			p := &pubs[i]
			if p.Offset > gap.Tail.Offset {
				return true
			}
			if s.spec.Readable.Contains(p.Offset) {
				if !s.lane.isRoomy() {
					break
				}
				if !s.show(ctx, p, logCursor(s.topic.name, s.at.Position, seq), false) {
					return false
				}
			}
			seq = p.Seq
		}
	}
	return false
}

package delivery

import (
	"slices"

	"parley/eventlog"
)

// A reader that doesn't keep up costs itself only. Once more waits for its connection than may, the
// live subscriptions of the connection that have something waiting lag: what waits of them and of no
// other is dropped, unwritten, and each goes back to where its reader stands. From there it is served
// like one that has just come (replay.go), from the log, at the pace at which the outbox drains, until
// it is live again.

// laneStage is how a lane's subscription is served.
type laneStage uint8

const (
	// laneReads: from the log, or it is of state.
	laneReads laneStage = iota
	// laneJoins: about to be live, it is given the little that it lacks, whatever waits.
	laneJoins
	// laneLives: with the news, of which the log can tell later.
	laneLives
	// laneLags: it was live; there is no news for it, until it joins again.
	laneLags
)

// lag makes laggards of the live lanes of which anything waits, and of the one that an event is for. It
// returns them, to be told. The caller holds o.mu.
func (o *Outbox) lag(by *Lane, next *Event) (laggards []*Lane) {
	o.bytes -= o.queue.drop(func(i *item) bool {
		l := i.lane
		if l == nil || !i.droppable() {
			return false
		}
		if l.mayLag() {
			l.fallBack(*i.before, i.kind == positionItem)
			laggards = append(laggards, l)
		}
		falls := slices.Contains(laggards, l)
		if falls {
			l.waiting--
		}
		return falls
	})
	if by.mayLag() {
		by.fallBack(next.before, false)
		laggards = append(laggards, by)
	}
	o.signal()
	return laggards
}

// mayLag reports whether the log can serve the lane instead. What an ended one has to say still is said.
func (l *Lane) mayLag() bool { return l.stage == laneLives && !l.closed && !l.ended }

// fallBack makes the lane one whose reader stands at a position, of which it hasn't been told if untold.
func (l *Lane) fallBack(to eventlog.Cursor, untold bool) {
	l.stage, l.base = laneLags, &to
	l.last = to.Position.Offset
	if untold && l.last > 0 {
		l.last--
	}
	l.history++ // positions given out are no longer behind everything that was put
}

// serve says who is told when the lane lags.
func (l *Lane) serve(lagged func()) { l.lagged = lagged }

func (l *Lane) enter(stage laneStage) {
	l.outbox.mu.Lock()
	l.stage, l.base = stage, nil
	l.outbox.mu.Unlock()
}

// standing returns where the reader stands who has been given all up to a position, no news being put any
// more: earlier than that if it lags.
func (l *Lane) standing(at *eventlog.Cursor) (stands *eventlog.Cursor, lagging bool) {
	l.outbox.mu.Lock()
	defer l.outbox.mu.Unlock()
	if l.stage == laneLags {
		return l.base, true
	}
	l.stage = laneReads
	return at, false
}

func (l *Lane) lags() bool {
	l.outbox.mu.Lock()
	defer l.outbox.mu.Unlock()
	return l.stage == laneLags
}

// endUnlessLagging is end, but for a reader that has to be told something first.
func (l *Lane) endUnlessLagging() bool {
	l.outbox.mu.Lock()
	defer l.outbox.mu.Unlock()
	ends := l.stage != laneLags
	l.ended = l.ended || ends
	return ends
}

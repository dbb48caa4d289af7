package delivery

import (
	"context"

	"parley/eventlog"
)

// Lane is one subscription's way through its connection's outbox.
type Lane struct {
	outbox  *Outbox
	framing Framing
	suffix  []byte
	// stamp makes what leaves of an item's bytes; nil for the bytes as they are.
	stamp func(dst, frame []byte) []byte

	// The rest is guarded by outbox.mu.

	closed bool
	ended  bool   // only control items are taken any more
	last   uint64 // offset of the last event put, or position told
	// history counts the resets put: offsets of different histories don't compare.
	history uint32
	// offered: a position of history offeredIn was given out to be told.
	offered   bool
	offeredIn uint32

	stage laneStage
	// base is where the reader of a lagging lane stands; lagged is told that it lags, under no lock.
	base   *eventlog.Cursor
	lagged func()

	waiting int                      // items in the outbox
	values  map[string]*waitingValue // the state items among them, by key
}

// NewLane returns a lane whose frames are the framing's shared bytes, followed by suffix.
func (o *Outbox) NewLane(framing Framing, suffix []byte) *Lane {
	return &Lane{outbox: o, framing: framing, suffix: suffix}
}

// Stamp has every item of the lane written by stamp, which appends to dst what an item's bytes become. It is called as the
// items leave, in order, under the outbox's lock: it must not block. Call it before anything is put.
func (l *Lane) Stamp(stamp func(dst, frame []byte) []byte) { l.stamp = stamp }

// Put puts events, in order, and reports whether the caller must call Flush.
func (l *Lane) Put(events ...*Event) (kick bool) {
	o := l.outbox
	o.mu.Lock()
	overflows, laggards := false, []*Lane(nil)
	for _, e := range events {
		if o.bytes > o.highWater && !l.deaf() && !l.replaces(e) && l.stage != laneJoins {
			laggards = append(laggards, o.lag(l, e)...)
			overflows = l.stage != laneLags && o.bytes > o.highWater
			o.over = o.over || overflows
		}
		if l.deaf() || l.stage == laneLags {
			break
		}
		kick = l.put(e) || kick
	}
	o.mu.Unlock()
	for _, laggard := range laggards {
		laggard.lagged()
	}
	if overflows {
		o.outlet.Overflow()
	}
	return kick
}

// deaf reports whether the lane takes no events (any more).
func (l *Lane) deaf() bool { return l.closed || l.ended || l.outbox.closed || l.outbox.over }

// replaces reports whether an event is a value whose predecessor still waits.
func (l *Lane) replaces(e *Event) bool { return e.Offset == 0 && l.values[e.Key] != nil }

func (l *Lane) put(e *Event) (kick bool) {
	o := l.outbox
	shared := e.Frame(l.framing)
	if e.Offset > 0 {
		l.last = e.Offset
		if e.reset {
			l.history++
		}
		return o.put(item{shared: shared, lane: l, kind: eventItem, before: &e.before})
	}
	if w := l.values[e.Key]; w != nil { // it takes the place of the older one
		o.bytes += len(shared) - len(w.shared)
		w.shared = shared
		return false
	}
	if l.values == nil {
		l.values = map[string]*waitingValue{}
	}
	w := &waitingValue{key: e.Key, shared: shared}
	l.values[e.Key] = w
	return o.put(item{lane: l, kind: stateItem, value: w})
}

// putWithRoom puts an event once the outbox is at most half full, and has it flushed. It fails when
// ctx is done or the lane takes no events any more.
func (l *Lane) putWithRoom(ctx context.Context, e *Event) error {
	kick, deaf := false, false
	err := l.outbox.when(ctx, l.outbox.roomy, func() {
		if deaf = l.deaf(); !deaf {
			kick = l.put(e)
		}
	})
	if kick {
		l.Flush()
	}
	if err == nil && deaf {
		err = ErrOutboxClosed
	}
	return err
}

// Flush starts the flushing that Put asked for.
func (l *Lane) Flush() { l.outbox.outlet.Flush() }

// Control puts a control item of the subscription and has it flushed: it is never dropped, but
// vanishes when the lane is closed.
func (l *Lane) Control(frame []byte) {
	if l.PutControl(frame) {
		l.Flush()
	}
}

// PutControl is Control for a caller that holds locks, and calls Flush later if it reports true.
func (l *Lane) PutControl(frame []byte) (kick bool) {
	o := l.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	return !l.closed && !o.closed && o.put(item{shared: frame, lane: l})
}

// Advance puts an item that tells of a position without an event, and has it flushed. It does
// nothing when an event at or past the position has been put, or a reset since Subscriber.Moved gave
// out the position: positions never go back.
func (l *Lane) Advance(to eventlog.Cursor, frame []byte) {
	o := l.outbox
	o.mu.Lock()
	forward := !l.deaf() && to.Position.Offset > l.last && (!l.offered || l.offeredIn == l.history)
	l.offered = false
	if forward {
		l.last = to.Position.Offset
	}
	kick := forward && o.put(item{shared: frame, lane: l, kind: positionItem, before: &to})
	o.mu.Unlock()
	if kick {
		o.outlet.Flush()
	}
}

// currentHistory names the history of which the lane tells, and says whether it lags.
func (l *Lane) currentHistory() (history uint32, lags bool) {
	l.outbox.mu.Lock()
	defer l.outbox.mu.Unlock()
	return l.history, l.stage == laneLags
}

// offer reports whether a position, found since the history was asked for, may be told. Advance
// makes sure that it still may be then.
func (l *Lane) offer(offset uint64, history uint32) bool {
	l.outbox.mu.Lock()
	defer l.outbox.mu.Unlock()
	if l.deaf() || history != l.history || offset <= l.last {
		return false
	}
	l.offered, l.offeredIn = true, history
	return true
}

// WaitForRoom blocks until the outbox is at most half full. It fails when ctx is done, or with
// ErrOutboxClosed.
func (l *Lane) WaitForRoom(ctx context.Context) error {
	return l.outbox.when(ctx, l.outbox.roomy, func() {})
}

// isRoomy reports whether the outbox is at most half full, or closed.
func (l *Lane) isRoomy() bool {
	l.outbox.mu.Lock()
	defer l.outbox.mu.Unlock()
	return l.outbox.closed || l.outbox.roomy()
}

// end takes no more events and no more positions; what waits goes out still.
func (l *Lane) end() {
	l.outbox.mu.Lock()
	l.ended = true
	l.outbox.mu.Unlock()
}

// Close makes what still waits in the lane, and everything put later, vanish: no frame of the
// subscription is taken after Close returns.
func (l *Lane) Close() {
	o := l.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	l.closed = true
	if l.waiting == 0 || o.closed {
		return
	}
	o.bytes -= o.queue.drop(func(i *item) bool {
		if i.lane == l && i.kind == controlItem {
			o.control -= i.size()
		}
		return i.lane == l
	})
	l.waiting, l.values = 0, nil
	o.signal()
}

// Last is the offset of the last event put, or of the last position told.
func (l *Lane) Last() uint64 {
	l.outbox.mu.Lock()
	defer l.outbox.mu.Unlock()
	return l.last
}

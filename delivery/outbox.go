package delivery

import (
	"context"
	"sync"
)

// Outbox is what waits to be written to one connection, in order. Items are control (never
// dropped), state (one per subscription and key) or event. Whoever puts something into an idle
// outbox has to have it flushed: the putting methods say so.
type Outbox struct {
	highWater int
	// flush starts the connection's flushing; it must not block.
	flush func()
	// overflow is told, once, that events wait beyond the high-water mark.
	overflow func()

	mu      sync.Mutex
	items   []item
	bytes   int
	busy    bool // somebody flushes, or is about to
	closed  bool
	over    bool
	drained chan struct{} // closed when there is room again; nil while nobody waits
}

type item struct {
	shared []byte
	suffix []byte
	lane   *Lane // nil for control items of the connection
	key    string
	state  bool
}

func (i *item) size() int { return len(i.shared) + len(i.suffix) }

// NewOutbox returns an empty outbox. flush must start something that calls Take until that
// reports that nothing is left; overflow is called at most once, from a putting method, under no
// lock.
func NewOutbox(highWater int, flush, overflow func()) *Outbox {
	return &Outbox{highWater: highWater, flush: flush, overflow: overflow}
}

// Control puts a control item and has it flushed.
func (o *Outbox) Control(frame []byte) {
	o.mu.Lock()
	kick := o.put(item{shared: frame})
	o.mu.Unlock()
	if kick {
		o.flush()
	}
}

// put appends an item and reports whether the caller must flush.
func (o *Outbox) put(i item) (kick bool) {
	if o.closed {
		return false
	}
	o.items = append(o.items, i)
	o.bytes += i.size()
	kick = !o.busy
	o.busy = true
	return kick
}

// Take moves waiting bytes behind dst, whole items, stopping once max bytes are there. It reports
// false when nothing was left: the outbox is idle then, and the next item calls flush again.
func (o *Outbox) Take(dst []byte, max int) ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := 0
	for taken < len(o.items) && len(dst) < max {
		i := &o.items[taken]
		o.bytes -= i.size()
		if i.lane == nil || !i.lane.closed {
			dst = append(append(dst, i.shared...), i.suffix...)
		}
		*i = item{}
		taken++
	}
	o.items = o.items[taken:]
	if len(o.items) == 0 {
		o.items = nil
	}
	o.signal()
	if len(dst) == 0 {
		o.busy = false
		return dst, false
	}
	return dst, true
}

func (o *Outbox) signal() {
	if o.drained != nil && o.bytes <= o.highWater/2 {
		close(o.drained)
		o.drained = nil
	}
}

// Close drops what waits; nothing is taken any more.
func (o *Outbox) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.items, o.bytes = true, nil, 0
	o.signal()
}

// waitForRoom blocks while more than half of the high-water mark waits.
func (o *Outbox) waitForRoom(ctx context.Context) error {
	for {
		o.mu.Lock()
		if o.closed || o.bytes <= o.highWater/2 {
			o.mu.Unlock()
			return ctx.Err()
		}
		if o.drained == nil {
			o.drained = make(chan struct{})
		}
		drained := o.drained
		o.mu.Unlock()
		select {
		case <-drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Lane is one subscription's way through its connection's outbox.
type Lane struct {
	outbox  *Outbox
	framing Framing
	suffix  []byte

	// guarded by outbox.mu
	closed bool
	last   uint64 // offset of the last event put, or position told
}

// NewLane returns a lane whose frames are the framing's shared bytes, followed by suffix.
func (o *Outbox) NewLane(framing Framing, suffix []byte) *Lane {
	return &Lane{outbox: o, framing: framing, suffix: suffix}
}

// Put puts events, in order, and reports whether the caller must call Flush.
func (l *Lane) Put(events ...*Event) (kick bool) {
	o := l.outbox
	o.mu.Lock()
	if l.closed || o.closed {
		o.mu.Unlock()
		return false
	}
	for _, e := range events {
		i := item{shared: e.Frame(l.framing), suffix: l.suffix, lane: l, key: e.Key, state: e.Offset == 0}
		if i.state && o.replaceState(i) {
			continue
		}
		kick = o.put(i) || kick
		if !i.state {
			l.last = e.Offset
		}
	}
	over := o.bytes > o.highWater && !o.over
	o.over = o.over || over
	o.mu.Unlock()
	if over {
		o.overflow()
	}
	return kick
}

// Control puts a control item of the subscription and has it flushed: it is never dropped, but
// vanishes when the lane is closed.
func (l *Lane) Control(frame []byte) {
	o := l.outbox
	o.mu.Lock()
	kick := !l.closed && o.put(item{shared: frame, lane: l})
	o.mu.Unlock()
	if kick {
		o.flush()
	}
}

// Advance puts a control item that tells of a position without an event, and has it flushed. It
// does nothing when an event at or past offset has been put: positions never go back.
func (l *Lane) Advance(offset uint64, frame []byte) {
	o := l.outbox
	o.mu.Lock()
	forward := !l.closed && offset > l.last
	if forward {
		l.last = offset
	}
	kick := forward && o.put(item{shared: frame, lane: l})
	o.mu.Unlock()
	if kick {
		o.flush()
	}
}

// replaceState puts a newer value in the place of a waiting one of the same lane and key.
func (o *Outbox) replaceState(i item) bool {
	for n := range o.items {
		if w := &o.items[n]; w.state && w.lane == i.lane && w.key == i.key {
			o.bytes += i.size() - w.size()
			*w = i
			return true
		}
	}
	return false
}

// Flush starts the flushing that Put asked for.
func (l *Lane) Flush() { l.outbox.flush() }

// WaitForRoom blocks until the outbox is at most half full, or ctx is done.
func (l *Lane) WaitForRoom(ctx context.Context) error { return l.outbox.waitForRoom(ctx) }

// Close makes what still waits in the lane, and everything put later, vanish: no frame of the
// subscription is begun after Close returns.
func (l *Lane) Close() {
	l.outbox.mu.Lock()
	l.closed = true
	l.outbox.mu.Unlock()
}

// Last is the offset of the last event put, or of the last position told.
func (l *Lane) Last() uint64 {
	l.outbox.mu.Lock()
	defer l.outbox.mu.Unlock()
	return l.last
}

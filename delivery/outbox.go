package delivery

import (
	"context"
	"sync"
)

// Outbox is what waits to be written to one connection, in order. Items are control (never
// dropped), state (one per subscription and key) or event. Whoever puts something into an idle
// outbox has to have it flushed: the putting methods say so. A connection contains its outbox, so
// that what an event touches lies together; Open comes before everything else.
type Outbox struct {
	outlet    Outlet
	highWater int

	mu      sync.Mutex
	queue   queue
	bytes   int
	control int  // of bytes, those of control items
	busy    bool // somebody flushes, or is about to
	closed  bool
	over    bool          // no events are taken any more
	drained chan struct{} // closed when somebody who waits may have waited enough; nil while nobody does
}

// Outlet is the connection's side of its outbox.
type Outlet interface {
	// Flush starts something that calls Take until that reports that nothing is left. It must not block.
	Flush()
	// Overflow is told, once, that more came than may wait, and no log can tell it later.
	Overflow()
}

// Open makes the outbox a connection's.
//
// An event that comes while more than highWater bytes wait makes the live subscriptions lag (lag.go).
// If it has no log to be read from, or that doesn't help, it is refused, and so is every later one:
// Overflow is told, at most once, from a putting method, under no lock. Control items are taken
// still, so that the connection can be closed with a reason. What waits for a slow reader is
// therefore never more than highWater bytes, the little that each subscription lacks when it becomes
// live, and the control items.
func (o *Outbox) Open(highWater int, outlet Outlet) { o.highWater, o.outlet = highWater, outlet }

// Control puts a control item and has it flushed.
func (o *Outbox) Control(frame []byte) {
	o.mu.Lock()
	kick := !o.closed && o.put(item{shared: frame})
	o.mu.Unlock()
	if kick {
		o.outlet.Flush()
	}
}

// Waiting returns how many bytes wait.
func (o *Outbox) Waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

// put appends an item and reports whether the caller must flush.
func (o *Outbox) put(i item) (kick bool) {
	o.queue.push(i)
	o.bytes += i.size()
	if i.kind == controlItem {
		o.control += i.size()
	}
	if i.lane != nil {
		i.lane.waiting++
	}
	kick = !o.busy
	o.busy = true
	return kick
}

// Take moves waiting bytes behind dst, whole items, stopping once max bytes are there. It reports
// false when dst is empty and nothing was left: the outbox is idle then, and the next item calls
// flush again.
func (o *Outbox) Take(dst []byte, max int) ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(dst) < max {
		i, ok := o.queue.pop()
		if !ok {
			break
		}
		o.bytes -= i.size()
		if i.kind == controlItem {
			o.control -= i.size()
		}
		dst = i.appendTo(dst)
		i.forget()
	}
	o.signal()
	if len(dst) == 0 {
		o.busy = false
		return dst, false
	}
	return dst, true
}

// signal wakes those who wait, if they have waited enough or will never have.
func (o *Outbox) signal() {
	if o.drained != nil && (o.roomy() || o.calm() || o.closed) {
		close(o.drained)
		o.drained = nil
	}
}

// roomy reports whether the outbox is at most half full.
func (o *Outbox) roomy() bool { return o.bytes <= o.highWater/2 }

// calm reports whether control items alone are at most half of what may wait.
func (o *Outbox) calm() bool { return o.control <= o.highWater/2 }

// Close drops what waits; nothing is taken any more.
func (o *Outbox) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.queue, o.bytes, o.control = true, queue{}, 0, 0
	o.signal()
}

// WaitUntilCalm blocks while control items alone are more than half of what may wait: answers to a client
// that doesn't read them, of which no more should be asked for. It fails when ctx is done, or with
// ErrOutboxClosed.
func (o *Outbox) WaitUntilCalm(ctx context.Context) error { return o.when(ctx, o.calm, func() {}) }

// when calls f under the lock as soon as the outbox is so. It fails when the outbox is closed or ctx done
// before that.
func (o *Outbox) when(ctx context.Context, so func() bool, f func()) error {
	for {
		o.mu.Lock()
		switch {
		case o.closed:
			o.mu.Unlock()
			return ErrOutboxClosed
		case ctx.Err() != nil:
			o.mu.Unlock()
			return ctx.Err()
		case so():
			f()
			o.mu.Unlock()
			return nil
		}
		if o.drained == nil {
			o.drained = make(chan struct{})
		}
		drained := o.drained
		o.mu.Unlock()
		select {
		case <-drained:
		case <-ctx.Done():
		}
	}
}

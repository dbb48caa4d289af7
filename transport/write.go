package transport

import (
	"errors"
	"os"
	"sync"
	"time"
)

// Whoever puts something into an idle outbox writes it, too, as far as the kernel takes it at once: so
// an event costs each connection one write, and nobody waits. What the kernel doesn't take is left to a
// goroutine, which only readers that lag behind have; meanwhile others only put.

const (
	// maxWrite is how much one write to a socket takes from the outbox, give or take a frame.
	maxWrite = 64 << 10
	// maxPiece is how much is written, or sealed, at a time where it isn't seen how much of it has gone.
	maxPiece = 16 << 10
	// maxPooled bounds the buffers kept for the next flush; only laggards need more.
	maxPooled = 16 << 10
)

var writers = sync.Pool{New: func() any { return newWriter() }}

// writer is what writing needs while it goes on.
type writer struct {
	buf []byte
	rawWrite
}

func newWriter() *writer {
	w := &writer{buf: make([]byte, 0, 4<<10)}
	w.rawWrite.prepare()
	return w
}

func (w *writer) release() {
	w.rawWrite.forget()
	if cap(w.buf) <= maxPooled {
		writers.Put(w)
	}
}

// flush writes what waits in the outbox (its flush callback). It doesn't block.
func (c *Conn) flush() {
	c.flushes.Add(1)
	if c.raw.usable() && c.writing.TryLock() { // else somebody says farewell
		done, err := c.writeAtOnce()
		c.broken = c.broken || err != nil
		c.writing.Unlock()
		if done || err != nil {
			c.flushed(err)
			return
		}
	}
	if s, ok := c.socket.(*response); ok {
		s.ask()
		return
	}
	if !c.crew.Go(c.flushPatiently) {
		c.flushes.Add(-1)
	}
}

func (c *Conn) flushPatiently() {
	c.writing.Lock()
	err := c.writeWaiting()
	c.broken = c.broken || err != nil
	c.writing.Unlock()
	c.flushed(err)
}

// flushing reports whether bytes wait for the peer to read.
func (c *Conn) flushing() bool { return c.flushes.Load() > 0 }

// flushed notes that a flush is done, or has failed. After the last one all ends of operations have been
// written.
func (c *Conn) flushed(err error) {
	if err != nil {
		c.outbox.Close()
		reason := ReasonGone
		if errors.Is(err, os.ErrDeadlineExceeded) { // it is there, and reads nothing at all
			reason = ReasonOverload
		}
		c.Close(reason)
	}
	if c.flushes.Add(-1) > 0 || c.answered.Load() == 0 { // who answered flushes, too, and finds it later than that
		return
	}
	c.mu.Lock()
	settled := c.answered.Swap(0) > 0
	if settled {
		for o := range c.operations.all() {
			if o.state == operationAnswered {
				c.operations.remove(o)
			}
		}
	}
	c.mu.Unlock()
	if settled && c.single {
		c.Close(ReasonDone)
	}
}

// writeAtOnce writes until the outbox is idle, or the kernel's buffer is full: then it is not done, and
// keeps the rest.
func (c *Conn) writeAtOnce() (done bool, err error) {
	w := writers.Get().(*writer)
	defer w.release()
	for len(c.rest) == 0 {
		more := false
		if w.buf, more = c.outbox.Take(w.buf[:0], maxWrite); !more {
			return true, nil
		}
		n, whole, err := c.now(w, w.buf)
		if err != nil {
			return false, err
		}
		if !whole {
			c.rest = append(c.rest, w.buf[n:]...)
			break
		}
	}
	return false, nil
}

// now writes as much as the kernel takes at once. What of the bytes it counts isn't to be written again; if it was whole,
// nothing waits.
func (c *Conn) now(w *writer, bytes []byte) (n int, whole bool, err error) {
	if s, ok := securedOf(c.socket); ok {
		return s.now(w, bytes)
	}
	n, err = w.now(c.raw, bytes)
	return n, n == len(bytes), err
}

// some writes at least one byte, waiting until the kernel takes it or the socket's deadline. What of the bytes it counts
// isn't to be written again.
func (c *Conn) some(w *writer, bytes []byte) (n int, err error) {
	if s, ok := securedOf(c.socket); ok {
		return s.some(w, bytes)
	}
	if !c.raw.usable() {
		bytes = bytes[:min(len(bytes), maxPiece)]
	}
	return w.some(c.raw, c.socket, bytes)
}

// clear reports whether nothing waits that was written and hasn't left.
func (c *Conn) clear() bool {
	s, ok := securedOf(c.socket)
	return !ok || s.below.clear()
}

// writeWaiting writes until the outbox is idle, at the peer's pace.
func (c *Conn) writeWaiting() error {
	w := writers.Get().(*writer)
	defer w.release()
	rest := c.rest
	c.rest = nil
	if err := c.write(w, rest); err != nil {
		return err
	}
	for {
		more := false
		if w.buf, more = c.outbox.Take(w.buf[:0], maxWrite); !more {
			return c.unlimitWrite()
		}
		if err := c.write(w, w.buf); err != nil {
			return err
		}
	}
}

// write writes bytes, as long as the peer takes any in the time that a write may take.
func (c *Conn) write(w *writer, bytes []byte) error {
	for len(bytes) > 0 || !c.clear() {
		if err := c.limitWrite(); err != nil {
			return err
		}
		n, err := c.some(w, bytes)
		if err != nil {
			w.buf = nil // HTTP/2 may read it still
			return err
		}
		bytes = bytes[n:]
	}
	return nil
}

// limitWrite sets the deadline of the next write.
func (c *Conn) limitWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := time.Now().Add(c.service.options.WriteTimeout)
	if c.closing && c.closeBy.Before(by) {
		by = c.closeBy
	}
	return c.socket.SetWriteDeadline(by)
}

// unlimitWrite takes the deadline back: tls.Conn writes while it reads, too.
func (c *Conn) unlimitWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil
	}
	return c.socket.SetWriteDeadline(time.Time{})
}

// sayFarewell writes what operations have left to say, and the last frame. It reports whether the
// peer may have got it.
func (c *Conn) sayFarewell(reason Reason) bool {
	if c.limitWrite() != nil { // of a write under way
		return false
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.broken || c.writeWaiting() != nil {
		return false
	}
	c.outbox.Close()
	if frame := c.wire.Farewell(reason); frame != nil {
		w := writers.Get().(*writer)
		defer w.release()
		if c.write(w, frame) != nil {
			return false
		}
	}
	if s, ok := c.socket.(*response); ok {
		s.finish()
	}
	return c.limitRead(0) == nil // of the read under way
}

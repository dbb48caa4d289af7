package transport

import (
	"maps"
	"sync"
	"time"
)

const (
	// maxWrite is how much one write to a socket takes from the outbox, give or take a frame.
	maxWrite = 64 << 10
	// maxPooled bounds the buffers kept for the next flush; only laggards need more.
	maxPooled = 16 << 10
)

var writeBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// flush starts writing what waits in the outbox (its flush callback).
func (c *Conn) flush() {
	c.flushes.Add(1)
	started := c.crew.Go(func() {
		defer c.flushed()
		c.writing.Lock()
		defer c.writing.Unlock()
		if err := c.writeWaiting(); err != nil {
			c.outbox.Close()
			c.Close(ReasonGone)
		}
	})
	if !started {
		c.flushes.Add(-1)
	}
}

// flushing reports whether bytes wait for the peer to read.
func (c *Conn) flushing() bool { return c.flushes.Load() > 0 }

// flushed notes that a flush is done. After the last one all ends of operations have been written.
func (c *Conn) flushed() {
	c.mu.Lock()
	settled := c.flushes.Add(-1) == 0 && c.answered > 0
	if settled {
		maps.DeleteFunc(c.operations, func(_ string, o *operation) bool { return o.state == operationAnswered })
		c.answered = 0
	}
	c.mu.Unlock()
	if settled && c.link.Single {
		c.Close(ReasonDone)
	}
}

// writeWaiting writes until the outbox is idle.
func (c *Conn) writeWaiting() error {
	pooled := writeBuffers.Get().(*[]byte)
	defer func() {
		if cap(*pooled) <= maxPooled {
			writeBuffers.Put(pooled)
		}
	}()
	for {
		bytes, more := c.outbox.Take((*pooled)[:0], maxWrite)
		*pooled = bytes
		if !more {
			return c.unlimitWrite()
		}
		if err := c.write(bytes); err != nil {
			return err
		}
	}
}

func (c *Conn) write(bytes []byte) error {
	if err := c.limitWrite(); err != nil {
		return err
	}
	_, err := c.link.Socket.Write(bytes)
	return err
}

// limitWrite sets the deadline of the next write.
func (c *Conn) limitWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := time.Now().Add(c.service.options.WriteTimeout)
	if c.closing && c.closeBy.Before(by) {
		by = c.closeBy
	}
	return c.link.Socket.SetWriteDeadline(by)
}

// unlimitWrite takes the deadline back: tls.Conn writes while it reads, too.
func (c *Conn) unlimitWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil
	}
	return c.link.Socket.SetWriteDeadline(time.Time{})
}

// sayFarewell writes what operations have left to say, and the last frame. It reports whether the
// peer may have got it.
func (c *Conn) sayFarewell(reason Reason) bool {
	if c.limitWrite() != nil { // of a write under way
		return false
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.writeWaiting() != nil {
		return false
	}
	c.outbox.Close()
	if frame := c.link.Wire.Farewell(reason); frame != nil && c.write(frame) != nil {
		return false
	}
	return c.limitRead() == nil // of the read under way
}

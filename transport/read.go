package transport

import (
	"bufio"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// Reading alternates between two goroutines, one at a time: park waits for a byte on a small stack
// and without a buffer; burst borrows a buffer and receives messages until none is left.

var readBuffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}

// park waits for the peer's next byte.
func (c *Conn) park() {
	for {
		n, err := c.readFirst()
		switch {
		case n > 0:
			c.early = c.first[:1]
			c.crew.Work(&c.service.workers, c.burst)
			return
		case errors.Is(err, os.ErrDeadlineExceeded) && c.mayBeAlive():
		case err != nil:
			c.endReading(err)
			return
		}
	}
}

func (c *Conn) readFirst() (int, error) {
	if err := c.limitRead(); err != nil {
		return 0, err
	}
	return c.link.Socket.Read(c.first[:])
}

// limitRead sets the deadline of the next read.
func (c *Conn) limitRead() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var by time.Time
	interval := c.service.options.Heartbeat
	switch {
	case c.closing:
		by = c.closeBy
	case c.link.Silence > 0 && c.asked.IsZero():
		by = time.Now().Add(c.link.Silence)
	case c.link.Silence > 0:
		by = time.Now().Add(max(interval/2, time.Until(c.asked.Add(interval))))
	}
	return c.link.Socket.SetReadDeadline(by)
}

// heard notes a sign of life.
func (c *Conn) heard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = time.Time{}
}

// mayBeAlive reports whether a peer that is silent for too long has an excuse: while bytes wait it
// can't have seen our latest heartbeat, and after this process was held up there may be none that
// it has had an interval's time to answer.
func (c *Conn) mayBeAlive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closing && (c.flushing() || c.asked.IsZero() || time.Since(c.asked) < c.service.options.Heartbeat)
}

// burst receives until the socket holds no more.
func (c *Conn) burst() {
	in := readBuffers.Get().(*bufio.Reader)
	in.Reset((*resumed)(c))
	err := c.receive(in)
	in.Reset(nil)
	readBuffers.Put(in)
	if err != nil {
		c.endReading(err)
		return
	}
	c.crew.Go(c.park)
}

func (c *Conn) receive(in *bufio.Reader) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			c.service.logFault("", fault)
			err = ReasonInternal
		}
	}()
	for {
		if c.outbox.WaitUntilCalm(c.Context()) != nil && !c.Closing() {
			return net.ErrClosed
		}
		c.heard()
		if err := c.limitRead(); err != nil {
			return err
		}
		if err := c.link.Wire.Receive(c, in); err != nil {
			return err
		}
		if in.Buffered() == 0 && len(c.early) == 0 {
			return nil
		}
	}
}

// endReading is the end of the last reading goroutine.
func (c *Conn) endReading(err error) {
	defer c.reading.Done()
	reason, understood := errors.AsType[Reason](err)
	switch {
	case understood:
		c.Close(reason)
		c.discard()
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.Close(ReasonSilent)
	default:
		c.Close(ReasonGone)
	}
}

// discard reads what can't be understood any more until the peer goes, or closing takes too long:
// closing a socket with unread bytes would take the farewell back.
func (c *Conn) discard() {
	bytes := make([]byte, 512)
	for c.limitRead() == nil {
		if _, err := c.link.Socket.Read(bytes); err != nil {
			return
		}
	}
}

// resumed reads what a parked read, or the HTTP server, has read already, then the socket.
type resumed Conn

// Read implements io.Reader.
func (r *resumed) Read(p []byte) (int, error) {
	if len(r.early) > 0 {
		n := copy(p, r.early)
		r.early = r.early[n:]
		return n, nil
	}
	return r.link.Socket.Read(p)
}

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
			c.crew.Go(c.burst)
			return
		case errors.Is(err, os.ErrDeadlineExceeded) && c.flushing() && !c.Closing():
			// The peer can't have seen our latest heartbeat: that it reads is its sign of life.
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
	switch {
	case c.closing:
		by = c.closeBy
	case c.link.Silence > 0:
		by = time.Now().Add(c.link.Silence)
	}
	return c.link.Socket.SetReadDeadline(by)
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
	// The lane stands for the connection itself: it is only waited with.
	room := c.outbox.NewLane(nil, nil)
	for {
		if room.WaitForRoom(c.Context()) != nil && !c.Closing() {
			return net.ErrClosed
		}
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
	defer close(c.read)
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

package transport

import (
	"bufio"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Who says nothing costs nothing: nobody waits at a socket that is watched (watch_linux.go). When it has something to read, a
// burst borrows a goroutine and a buffer, and receives messages until none is left. At other sockets a goroutine with a small
// stack and without a buffer waits for the first byte.

// reader is the state of a connection's reading.
type reader struct {
	state   atomic.Int32 // a readState
	watched bool
	fd      int32   // what it is watched by
	first   [1]byte // what a parked read reads into
}

type readState = int32

const (
	// reads: a goroutine has the reading.
	reads readState = iota
	// readsOn: it has, and there may be more since it last looked.
	readsOn
	// parked: nobody has, it is watched.
	parked
)

// startReading begins to read, first what came early.
func (c *Conn) startReading(early []byte) {
	if _, attended := c.socket.(*response); attended { // by the handler, which hears of the client's end
		c.reading.Done()
		return
	}
	_, secured := securedOf(c.socket) // which may have read already what isn't taken from it yet
	waits := len(early) == 0 && !secured
	if waits {
		c.reader.state.Store(parked)
	}
	c.reader.watched = true // before the first event
	if !c.service.watcher.watch(c) {
		c.reader.watched = false
		c.reader.state.Store(reads)
	}
	switch {
	case !waits:
		c.crew.Work(&c.service.workers, func() { c.burst(early) })
	case !c.reader.watched:
		c.crew.Go(c.park)
	}
}

// readable is called by the watcher when there is something to read.
func (c *Conn) readable() {
	if c.reader.state.CompareAndSwap(parked, reads) {
		c.crew.Work(&c.service.workers, func() { c.burst(nil) })
		return
	}
	// It is parked again at the earliest after another look.
	c.reader.state.CompareAndSwap(reads, readsOn)
}

// finishReading waits for the end of reading, which comes with the peer's farewell or end, or when closing takes too long.
func (c *Conn) finishReading() {
	if c.reader.state.CompareAndSwap(parked, reads) {
		c.crew.Go(c.park)
	}
	c.reading.Wait()
	c.service.watcher.forget(c)
}

// park waits for the peer's next byte.
func (c *Conn) park() {
	err := c.limitRead(0)
	if err == nil {
		var n int
		if n, err = c.socket.Read(c.reader.first[:]); n > 0 {
			c.crew.Work(&c.service.workers, func() { c.burst(c.reader.first[:1]) })
			return
		}
	}
	c.endReading(err)
}

// limitRead sets the deadline of the next read: so long for what isn't the last, 0 for ever.
func (c *Conn) limitRead(limit time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var by time.Time
	switch {
	case c.closing:
		by = c.closeBy
	case limit > 0:
		by = time.Now().Add(limit)
	}
	return c.socket.SetReadDeadline(by)
}

// burst receives until the socket holds no more.
func (c *Conn) burst(early []byte) {
	in := intakes.Get().(*intake)
	in.conn, in.early = c, early
	for {
		if err := c.receive(in); err != nil {
			in.release()
			c.endReading(err)
			return
		}
		if c.pause() {
			in.release()
			return
		}
	}
}

// pause leaves the reading to whoever waits for more; false means that there may be more already.
func (c *Conn) pause() bool {
	if c.reader.watched {
		if !c.reader.state.CompareAndSwap(reads, parked) {
			c.reader.state.Store(reads)
			return false
		}
		if !c.Closing() || !c.reader.state.CompareAndSwap(parked, reads) { // else finishReading has found us reading
			return true
		}
	}
	c.crew.Go(c.park)
	return true
}

func (c *Conn) receive(in *intake) (err error) {
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
		if more, err := in.more(); !more {
			return err
		}
		c.heard()
		if err := c.wire.Receive(c, in.buffer); err != nil {
			return err
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
	for c.limitRead(0) == nil {
		if _, err := c.socket.Read(bytes); err != nil {
			return
		}
	}
}

// intake is what a burst reads by: first what a parked read, or the HTTP server, has read already, then the socket.
type intake struct {
	buffer *bufio.Reader
	conn   *Conn
	early  []byte
	// eager: only what is there is read.
	eager bool
	// limited: the socket has a deadline for the rest of a message.
	limited bool
	rawRead
}

var intakes = sync.Pool{New: func() any {
	in := &intake{}
	in.buffer = bufio.NewReaderSize(in, 4<<10)
	in.prepare()
	return in
}}

func (in *intake) release() {
	in.buffer.Reset(in)
	in.conn, in.early, in.limited = nil, nil, false
	intakes.Put(in)
}

// errNothing says that there is nothing to read now. A tls.Conn takes it for what it is by being temporary.
var errNothing net.Error = nothing{}

type nothing struct{}

func (nothing) Error() string   { return "transport: nothing to read" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

// more reports whether another message has begun, as far as that is known without waiting.
func (in *intake) more() (more bool, err error) {
	if in.limited {
		in.limited = false
		if err := in.conn.limitRead(0); err != nil {
			return false, err
		}
	}
	if in.buffer.Buffered() > 0 || len(in.early) > 0 {
		return true, nil
	}
	if !in.conn.reader.watched {
		return false, nil
	}
	in.eager = true
	_, err = in.buffer.Peek(1)
	in.eager = false
	if errors.Is(err, errNothing) {
		return false, nil
	}
	return err == nil, err
}

// there reads what is there.
func (in *intake) there(p []byte) (int, error) {
	s, ok := securedOf(in.conn.socket)
	if !ok {
		return in.now(in.conn.raw, p)
	}
	s.below.eager = &in.rawRead
	defer func() { s.below.eager = nil }()
	return s.Read(p)
}

// Read implements io.Reader.
func (in *intake) Read(p []byte) (int, error) {
	if len(in.early) > 0 {
		n := copy(p, in.early)
		in.early = in.early[n:]
		return n, nil
	}
	if in.conn.reader.watched {
		n, err := in.there(p)
		if in.eager || !errors.Is(err, errNothing) {
			return n, err
		}
	}
	if !in.limited { // once for all of a message
		in.limited = true
		if err := in.conn.limitRead(in.conn.silence); err != nil {
			return 0, err
		}
	}
	return in.conn.socket.Read(p)
}

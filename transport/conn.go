package transport

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"parley/delivery"
	"parley/ratelimit"
)

// Conn is the server's side of one socket or stream. While nothing happens it has no goroutine (read.go; where the
// system knows no epoll, one that is parked); operations (operation.go), closing, and writing to who doesn't read (write.go)
// have goroutines of their own that end with their work.
type Conn struct {
	service *Service
	link
	outbox delivery.Outbox
	crew   crew

	base     context.Context // what it was opened with
	ended    scopeEnd        // of its context
	renewing sync.Mutex      // held while its viewer changes

	mu         sync.Mutex
	ctx        context.Context
	operations operations
	active     int32 // operations that run
	// answered counts operations whose end waits in the outbox, perhaps; it changes under mu.
	answered atomic.Int32
	closeBy  time.Time
	pulse    pulse
	starts   ratelimit.Meter // of operations
	closing  bool            // the last that mu guards

	broken  bool         // a write failed, perhaps within a frame: nothing can follow; guarded by writing
	flushes atomic.Int32 // flushes asked for and not yet done
	writing sync.Mutex   // held by whoever writes to the socket
	raw     rawSocket
	rest    []byte // of what was begun to be written; guarded by writing

	release func() // what Identify got; read after the crew's end
	ofUser  bool   // it is counted for its user; read after the crew's end

	reader  reader
	reading sync.WaitGroup  // until nobody reads any more
	frames  ratelimit.Meter // who reads has it
}

// link is what a connection keeps of a [Link].
type link struct {
	protocol string
	socket   net.Conn
	executor graphql.GraphExecutor
	wire     Wire
	silence  time.Duration
	single   bool
	farewell func(Reason)
}

// Connect makes a connection of a link and starts it. While the node stops it closes the socket
// and reports false.
func (s *Service) Connect(l Link) (*Conn, bool) {
	c := &Conn{service: s, link: link{l.Protocol, l.Socket, l.Executor, l.Wire, l.Silence, l.Single, l.Ended}}
	c.reading.Add(1)
	c.base = l.Context
	c.ctx = (*scope)(c)
	c.raw = takeOver(l.Socket)
	c.outbox.Open(s.options.HighWater, (*outlet)(c))
	full := c.enter(l.Context)
	c.startPulse()
	if !s.add(c) {
		s.agenda.remove(c)
		c.leaveCounts()
		_ = l.Socket.Close() // there is nothing to lose yet
		return nil, false
	}
	tune(l.Socket, s.options.WriteTimeout)
	if l.Greeting != nil {
		c.Send(l.Greeting)
	}
	if full != nil {
		c.Close(ReasonTooMany)
	}
	c.startReading(l.Early)
	return c, true
}

// Service returns the service that the connection belongs to.
func (c *Conn) Service() *Service { return c.service }

// Context returns what operations of the connection run in. It ends with the connection.
func (c *Conn) Context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ctx
}

// Go runs f in a goroutine that the connection waits for when it ends; f should return soon after
// the connection's context is done.
func (c *Conn) Go(f func()) {
	c.crew.Go(func() {
		defer c.recoverFault()
		f()
	})
}

// Send puts a message of the protocol itself, which is never dropped, into the outbox.
func (c *Conn) Send(frame []byte) { c.outbox.Control(frame) }

// Identify makes ctx, derived from the connection's, the one that operations run in. The connection
// ends when its viewer's right does, and whoever cares is told that it is there. It is false, and the
// connection closes, where the viewer has too many, or it was refused before.
func (c *Conn) Identify(ctx context.Context) (welcome bool) {
	c.crew.Do(func() {
		if welcome = !c.Closing() && c.enterUser(ctx); !welcome {
			return
		}
		c.identified(ctx)
		if connected := c.service.options.Connected; connected != nil {
			c.release = connected(ctx)
		}
	})
	return welcome
}

// identified makes ctx the one that later operations run in, for as long as its viewer's right lasts.
func (c *Conn) identified(ctx context.Context) {
	c.mu.Lock()
	c.ctx = ctx
	c.mu.Unlock()
	if expires := c.service.options.Expires; expires != nil {
		if at, ok := expires(ctx); ok {
			c.CloseAt(at, ReasonExpired)
		}
	}
}

// Renew makes identify's result, which it derives from what the connection was opened with, the
// context of later operations; the connection now ends when that one's viewer's right does.
// Operations under way go on as they are. While the connection ends it does nothing.
func (c *Conn) Renew(identify func(base context.Context) context.Context) {
	c.crew.Do(func() {
		c.renewing.Lock() // whose token it is, and what that entitles to, change as one
		defer c.renewing.Unlock()
		c.identified(identify((*scope)(c)))
	})
}

// outlet is what the outbox may do with the connection.
type outlet Conn

// Flush implements delivery.Outlet.
func (o *outlet) Flush() { (*Conn)(o).flush() }

// Overflow implements delivery.Outlet: it ends a connection for which more waits than may, of what no log
// can tell later.
func (o *outlet) Overflow() { (*Conn)(o).Close(ReasonOverload) }

// Close ends the connection. It returns at once; only the first reason counts, but any ends what a drain waits for.
func (c *Conn) Close(reason Reason) {
	if c.beginClosing(c.service.options.CloseTimeout) {
		go c.shutDown(reason) // Service.open waits for it
		return
	}
	c.stopOperations()
}

// drain is Close for a node that stops in good order: what was asked for is answered before, if that takes no longer than
// closing may.
func (c *Conn) drain() {
	if c.beginClosing(2 * c.service.options.CloseTimeout) { // the deadline of what is read and written meanwhile
		go func() {
			c.finishOperations()
			c.shutDown(ReasonDrain)
		}()
	}
}

// beginClosing notes that the connection closes, for which it has so long; false if it does already.
func (c *Conn) beginClosing(within time.Duration) (begun bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	c.closing = true
	c.closeBy = time.Now().Add(within)
	c.service.agenda.remove(c)
	return true
}

// Closing reports whether the connection is ending.
func (c *Conn) Closing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// shutDown ends operations, says farewell, waits a while for the peer's, and gives up everything.
func (c *Conn) shutDown(reason Reason) {
	defer c.service.remove(c, reason)
	c.endScope()
	c.stopOperations()
	if reason.Code == ReasonGone.Code || !c.sayFarewell(reason) {
		c.outbox.Close()
		_ = c.socket.Close() // whatever it says, the peer has gone
	}
	c.finishReading()
	_ = c.socket.Close() // all that matters has been said
	c.crew.Wait()
	if c.release != nil {
		c.release()
	}
	if c.farewell != nil {
		c.farewell(reason)
	}
	c.leaveCounts()
}

// recoverFault, deferred, ends the connection after a panic of ours.
func (c *Conn) recoverFault() {
	if fault := recover(); fault != nil {
		c.service.logFault("", fault)
		c.Close(ReasonInternal)
	}
}

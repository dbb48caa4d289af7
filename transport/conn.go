package transport

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"parley/delivery"
	"parley/ratelimit"
)

// Conn is the server's side of one socket or stream. While nothing happens it is one parked
// goroutine (read.go); operations (operation.go), closing, and writing to who doesn't read (write.go) have
// goroutines of their own that end with their work.
type Conn struct {
	service *Service
	link    Link
	outbox  delivery.Outbox
	crew    crew

	base     context.Context // what it was opened with
	renewing sync.Mutex      // held while its viewer changes

	mu         sync.Mutex
	ctx        context.Context
	cancel     context.CancelFunc
	operations operations
	active     int // operations that run
	// answered counts operations whose end waits in the outbox, perhaps; it changes under mu.
	answered atomic.Int64
	closing  bool
	closeBy  time.Time

	timer    *time.Timer
	nextBeat time.Time
	deadline time.Time // zero for none
	overdue  *Reason   // what the deadline means
	asked    time.Time // when the first heartbeat was sent that the peer hasn't answered; zero for none

	raw     rawSocket
	writing sync.Mutex   // held by whoever writes to the socket
	rest    []byte       // of what was begun to be written; guarded by writing
	broken  bool         // a write failed, perhaps within a frame: nothing can follow; guarded by writing
	flushes atomic.Int64 // flushes asked for and not yet done

	release          func() // what Identify got; read after the crew's end
	leave, leaveUser func() // of Options.Counts; read after the crew's end

	starts ratelimit.Meter // of operations; guarded by mu
	frames ratelimit.Meter // the reading goroutine's

	first   [1]byte        // what a parked read reads into
	early   []byte         // read, but not yet received
	reading sync.WaitGroup // until nobody reads any more
}

// Connect makes a connection of a link and starts it. While the node stops it closes the socket
// and reports false.
func (s *Service) Connect(link Link) (*Conn, bool) {
	c := &Conn{service: s, link: link, early: link.Early}
	c.reading.Add(1)
	c.link.Early, c.link.Greeting, c.link.Context = nil, nil, nil
	c.base, c.cancel = context.WithCancel(context.WithValue(link.Context, connKey{}, c))
	c.ctx = c.base
	c.raw = takeOver(link.Socket)
	c.outbox.Open(s.options.HighWater, (*outlet)(c))
	full := c.enter(link.Context)
	c.startTimer()
	if !s.add(c) {
		c.timer.Stop()
		c.cancel()
		c.leaveCounts()
		_ = link.Socket.Close() // there is nothing to lose yet
		return nil, false
	}
	tune(link.Socket, s.options.WriteTimeout)
	if link.Greeting != nil {
		c.Send(link.Greeting)
	}
	if full != nil {
		c.Close(ReasonTooMany)
	}
	switch _, attended := link.Socket.(*response); {
	case attended: // by the handler, which hears of the client's end
		c.reading.Done()
	case len(c.early) > 0:
		c.crew.Work(&s.workers, c.burst)
	default:
		c.crew.Go(c.park)
	}
	return c, true
}

func (c *Conn) startTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	interval := c.service.options.Heartbeat
	c.nextBeat = time.Now().Add(interval/2 + rand.N(interval/2+1))
	c.timer = time.AfterFunc(c.untilNext(), c.tick)
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
		c.identified(identify(c.base))
	})
}

type connKey struct{}

// ConnFrom returns the connection that an operation runs on, nil if that isn't one that lasts.
func ConnFrom(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// CloseAt closes the connection for a reason at an instant, the zero Time meaning never. It
// replaces what an earlier call said.
func (c *Conn) CloseAt(at time.Time, reason Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline, c.overdue = at, nil
	if !at.IsZero() {
		overdue := reason // only this one lasts
		c.overdue = &overdue
	}
	if !c.closing {
		c.timer.Reset(c.untilNext())
	}
}

// untilNext is how long the timer sleeps.
func (c *Conn) untilNext() time.Duration {
	next := c.nextBeat
	if !c.deadline.IsZero() && c.deadline.Before(next) {
		next = c.deadline
	}
	return max(0, time.Until(next))
}

func (c *Conn) tick() {
	c.crew.Do(func() {
		defer c.recoverFault()
		c.mu.Lock()
		now := time.Now()
		overdue := !c.deadline.IsZero() && !now.Before(c.deadline)
		reason := c.overdue
		beat := !now.Before(c.nextBeat)
		if beat {
			c.nextBeat = now.Add(c.service.options.Heartbeat)
		}
		if !c.closing && !overdue {
			c.timer.Reset(c.untilNext())
		}
		c.mu.Unlock()
		switch {
		case overdue:
			c.Close(*reason)
		case beat:
			c.beat()
		}
	})
}

// beat gives a sign of life. While bytes wait they are one, and the peer's reading is its.
func (c *Conn) beat() {
	if c.flushing() {
		return
	}
	for _, o := range c.running() {
		o.tellPosition()
	}
	c.mu.Lock()
	if c.asked.IsZero() {
		c.asked = time.Now()
	}
	c.mu.Unlock()
	c.Send(c.link.Wire.Heartbeat())
}

// outlet is what the outbox may do with the connection.
type outlet Conn

// Flush implements delivery.Outlet.
func (o *outlet) Flush() { (*Conn)(o).flush() }

// Overflow implements delivery.Outlet: it ends a connection for which more waits than may, of what no log
// can tell later.
func (o *outlet) Overflow() { (*Conn)(o).Close(ReasonOverload) }

// Close ends the connection. It returns at once; only the first reason counts.
func (c *Conn) Close(reason Reason) {
	if c.beginClosing() {
		go c.shutDown(reason) // Service.open waits for it
	}
}

// drain is Close for a node that stops in good order: what was asked for is answered before, if that takes no longer than
// closing may.
func (c *Conn) drain() {
	if c.beginClosing() {
		go func() {
			c.finishOperations()
			c.shutDown(ReasonDrain)
		}()
	}
}

func (c *Conn) beginClosing() (begun bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	c.closing = true
	c.closeBy = time.Now().Add(c.service.options.CloseTimeout)
	c.timer.Stop()
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
	c.cancel()
	c.stopOperations()
	if reason.Code == ReasonGone.Code || !c.sayFarewell(reason) {
		c.outbox.Close()
		_ = c.link.Socket.Close() // whatever it says, the peer has gone
	}
	c.reading.Wait()
	_ = c.link.Socket.Close() // all that matters has been said
	c.crew.Wait()
	if c.release != nil {
		c.release()
	}
	if c.link.Ended != nil {
		c.link.Ended(reason)
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

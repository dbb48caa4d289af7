package transport

import (
	"math/rand/v2"
	"time"
)

// pulse is a connection's signs of life, its own and the peer's, and when it is to end. It is guarded by the connection's
// mu; points in time are the agenda's.
type pulse struct {
	beat  time.Duration // when the next heartbeat is due
	heard time.Duration // the peer's last sign of life
	asked time.Duration // when the first heartbeat was sent that the peer hasn't answered; 0 for none
	// overdue is what it means when the deadline has come; nil while there is none. It is a date, as a token's end is: what
	// a clock that was set, or a machine that slept, makes of it is found out by the next heartbeat.
	overdue  *Reason
	deadline int64 // Unix time, ms: a token may be good for a thousand years
	place    int32 // in the agenda, from 1; its own
}

// startPulse begins with a heartbeat at some moment, lest all that come together be seen to together ever after.
func (c *Conn) startPulse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	interval := c.service.options.Heartbeat
	c.pulse.heard = c.service.agenda.now()
	c.pulse.beat = c.pulse.heard + interval/2 + rand.N(interval/2+1)
	c.schedule()
}

// CloseAt closes the connection for a reason at an instant, the zero Time meaning never. It
// replaces what an earlier call said.
func (c *Conn) CloseAt(at time.Time, reason Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulse.overdue = nil
	if !at.IsZero() {
		c.pulse.overdue, c.pulse.deadline = kept(reason), at.UnixMilli()
	}
	if !c.closing {
		c.schedule()
	}
}

// kept returns a reason that lasts, without a copy for most of those who have a token.
func kept(reason Reason) *Reason {
	if reason == ReasonExpired {
		return &ReasonExpired
	}
	return &reason
}

// schedule has the connection seen to when something is due next.
func (c *Conn) schedule() {
	now := c.service.agenda.now()
	next := c.pulse.beat
	if c.pulse.overdue != nil {
		next = now + min(next-now, time.Until(time.UnixMilli(c.pulse.deadline)))
	}
	if silent, ok := c.silent(); ok {
		next = min(next, silent)
	}
	c.service.agenda.set(c, next)
}

// silent returns when the peer will have been silent for too long: it may be so long without a sign of life, and has an
// interval's time for the answer to a heartbeat, even when this process was held up.
func (c *Conn) silent() (at time.Duration, ok bool) {
	if c.silence == 0 || c.pulse.asked == 0 {
		return 0, false
	}
	return max(c.pulse.heard+c.silence, c.pulse.asked+c.service.options.Heartbeat), true
}

// heard notes a sign of life.
func (c *Conn) heard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulse.heard, c.pulse.asked = c.service.agenda.now(), 0
}

// tick is called by the agenda when something is due, and perhaps when not.
func (c *Conn) tick() {
	if !c.crew.enter() {
		return
	}
	defer c.crew.count.Done()
	defer c.recoverFault()
	reason, beat := c.due()
	switch {
	case reason != nil:
		c.Close(*reason)
	case beat:
		c.beat()
	}
}

// due returns for what reason the connection is to end, or else whether a heartbeat is due.
func (c *Conn) due() (reason *Reason, beat bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil, false
	}
	now, flushing := c.service.agenda.now(), c.flushing()
	silent, asked := c.silent()
	switch {
	case c.pulse.overdue != nil && time.Now().UnixMilli() >= c.pulse.deadline:
		return c.pulse.overdue, false
	case asked && now >= silent && flushing: // so it can't have seen the heartbeat
		c.pulse.asked = now
	case asked && now >= silent:
		return &ReasonSilent, false
	}
	if beat = now >= c.pulse.beat; beat {
		c.pulse.beat = now + c.service.options.Heartbeat
		if beat = !flushing; beat && c.pulse.asked == 0 { // bytes that wait are a sign of life themselves
			c.pulse.asked = now
		}
	}
	c.schedule()
	return nil, beat
}

// beat gives a sign of life.
func (c *Conn) beat() {
	for _, o := range c.running() {
		o.tellPosition()
	}
	c.Send(c.wire.Heartbeat())
}

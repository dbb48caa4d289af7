package transport

import "parley/delivery"

// NewLane returns a lane of the connection's outbox.
func (c *Conn) NewLane(framing delivery.Framing, suffix []byte) *delivery.Lane {
	return c.outbox.NewLane(framing, suffix)
}

// Locked calls f under the lock that most of the connection is guarded by.
func (c *Conn) Locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// Reading is the state of a connection's reading.
type Reading struct{ reader }

func (r *Reading) Wake() bool { return r.wake() }
func (r *Reading) Rest() bool { return r.rest() }

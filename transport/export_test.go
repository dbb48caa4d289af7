package transport

import "parley/delivery"

// NewLane returns a lane of the connection's outbox.
func (c *Conn) NewLane(framing delivery.Framing, suffix []byte) *delivery.Lane {
	return c.outbox.NewLane(framing, suffix)
}

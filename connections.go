package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"parley/auth"
	"parley/ratelimit"
	"parley/transport"
)

// connections counts what is open at a time (transport.Counts).
type connections struct {
	refusals *ratelimit.Refusals

	node, sockets              *ratelimit.Counts[struct{}]
	addresses, socketAddresses *ratelimit.Counts[netip.Prefix]
	users                      *ratelimit.Counts[string]
	// requests are those of HTTP/2, many of which share a socket: as many as there may be sockets, beside the streams.
	requests *ratelimit.Counts[netip.Prefix]
}

func newConnections(s rateSettings, refusals *ratelimit.Refusals) *connections {
	return &connections{
		refusals:        refusals,
		node:            ratelimit.NewCounts[struct{}](s.MaxConnections),
		sockets:         ratelimit.NewCounts[struct{}](s.MaxConnections),
		addresses:       ratelimit.NewCounts[netip.Prefix](s.MaxConnectionsAddress),
		socketAddresses: ratelimit.NewCounts[netip.Prefix](s.MaxConnectionsAddress),
		users:           ratelimit.NewCounts[string](s.MaxConnectionsUser),
		requests:        ratelimit.NewCounts[netip.Prefix](2 * s.MaxConnectionsAddress),
	}
}

var all struct{}

// whenFreed is what those who have too many are told: nobody knows when one of them will end.
const whenFreed = 5 * time.Second

func tooMany(name string) error { return &ratelimit.Exceeded{Name: name, RetryAfter: whenFreed} }

// full says that the node is, which is nobody's fault.
func full(name string) error { return fmt.Errorf("%w: %w", transport.ErrTryLater, tooMany(name)) }

// Full implements transport.Counts.
func (c *connections) Full(ctx context.Context) (err error) {
	viewer := auth.ViewerFrom(ctx)
	switch {
	case c.node.Full(all):
		err = full("connections_node")
	case c.addresses.Full(auth.NetworkFrom(ctx)):
		err = tooMany("connections_address")
	case viewer != nil && c.users.Full(viewer.ID):
		err = tooMany("connections_user")
	}
	return c.refusals.Count(err)
}

// Enter implements transport.Counts.
func (c *connections) Enter(ctx context.Context) (err error) {
	network := auth.NetworkFrom(ctx)
	node, address := c.node.Enter(all), c.addresses.Enter(network)
	switch {
	case !node:
		err = full("connections_node")
	case !address:
		err = tooMany("connections_address")
	}
	return c.refusals.Count(err)
}

// Leave implements transport.Counts.
func (c *connections) Leave(ctx context.Context) {
	c.node.Leave(all)
	c.addresses.Leave(auth.NetworkFrom(ctx))
}

// EnterUser implements transport.Counts. Nobody's connections are their address's.
func (c *connections) EnterUser(ctx context.Context) error {
	viewer := auth.ViewerFrom(ctx)
	if viewer == nil {
		return nil
	}
	if !c.users.Enter(viewer.ID) {
		c.users.Leave(viewer.ID)
		return c.refusals.Count(tooMany("connections_user"))
	}
	return nil
}

// LeaveUser implements transport.Counts.
func (c *connections) LeaveUser(ctx context.Context) {
	if viewer := auth.ViewerFrom(ctx); viewer != nil {
		c.users.Leave(viewer.ID)
	}
}

// enterSocket counts a socket, refused or not, until leaveSocket.
func (c *connections) enterSocket(network netip.Prefix, proxy bool) error {
	node, address := c.sockets.Enter(all), c.socketAddresses.Enter(network)
	switch {
	case !node:
		return tooMany("sockets_node")
	case !address && !proxy:
		return tooMany("sockets_address")
	}
	return nil
}

func (c *connections) leaveSocket(network netip.Prefix) {
	c.sockets.Leave(all)
	c.socketAddresses.Leave(network)
}

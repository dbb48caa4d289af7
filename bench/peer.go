package main

import (
	"bufio"
	"context"
	"net"
)

// peer is a kind of server under measurement.
type peer struct {
	name string
	// start starts one, with a Redis where it uses one, and returns once it answers.
	start func(ctx context.Context, redis string) (*process, protocol, error)
}

// protocol is how the clients of a peer speak. It is safe for concurrent use.
type protocol interface {
	// prepare makes rooms, by number, that everybody may read and write.
	prepare(ctx context.Context, rooms int) error
	// subscribe opens a connection that follows a room, and returns once it does.
	subscribe(ctx context.Context, room int) (stream, error)
	// publisher opens a connection to send messages on.
	publisher(ctx context.Context) (publisher, error)
}

// stream is a connection that follows a room. Next returns the next event's bytes, which hold until
// the call after that, and answers whatever has to be answered on the way.
type stream interface {
	next() ([]byte, error)
	close()
}

// publisher sends messages, one at a time; it returns when the message has been acknowledged, or, where
// the peer doesn't acknowledge, is on its way.
type publisher interface {
	publish(room int, content string) error
	close()
}

// dial connects over loopback, with buffers as the system has them.
func dial(ctx context.Context, addr string) (net.Conn, *bufio.Reader, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	return conn, bufio.NewReaderSize(conn, 4<<10), nil
}

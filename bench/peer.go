package main

import (
	"context"
	"net"
	"syscall"
	"time"

	"parley/bench/wire"
)

// heartbeat is how often every server pings its connections. It is the default of centrifuge and Socket.IO.
const heartbeat = 25 * time.Second

// peer is a kind of server under measurement.
type peer struct {
	name string
	// start starts one and returns once it answers.
	start func(ctx context.Context, env environment) (*server, error)
}

// environment is what a server is started in.
type environment struct {
	// folder has the binaries, and servers the sources of the Node peers.
	folder, servers string
	// redis is host:port of a Redis for this server alone.
	redis string
	plan  plan
	// more are settings for Parley.
	more []string
	// frame is how long the bare server's frames are beyond the content.
	frame int
}

// server is a running peer.
type server struct {
	*process
	protocol
	// admin is where Parley tells its metrics.
	admin string
	close func()
}

// protocol is how a peer's clients speak. Implementations are safe for concurrent use.
type protocol interface {
	// follow opens a connection, the so-manyeth, that follows rooms, and returns it once that has been asked for,
	// with what was read beyond.
	follow(ctx context.Context, d net.Dialer, connection int, rooms []int) (*net.TCPConn, []byte, error)
	// decoder decodes what follows.
	decoder() wire.Decoder
	// publisher opens a connection to send messages on.
	publisher(ctx context.Context) (publisher, error)
}

// publisher sends messages, one at a time. It returns when the message has been acknowledged, or, where
// the peer doesn't acknowledge, is on its way.
type publisher interface {
	publish(room int, content string) error
	close()
}

// dialer dials with a receive buffer of so many bytes. It is set before connecting, so that the window is never larger.
func dialer(receive int) net.Dialer {
	d := net.Dialer{Timeout: 10 * time.Second}
	if receive > 0 {
		d.Control = func(_, _ string, raw syscall.RawConn) (failed error) {
			err := raw.Control(func(fd uintptr) {
				failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receive)
			})
			if err != nil {
				return err
			}
			return failed
		}
	}
	return d
}

// peers are all there are, in the order in which they take turns.
func peers() []peer {
	return []peer{
		parley("parley", overSocket), parley("parley deflate", deflated), parley("parley http", overHTTP), parley("parley sse", overEvents),
		bare(1), bare(16), centrifugePeer(), gqlgenPeer(), nodeGraphQLWS(), socketIO(),
		parley("polling", overEvents), parley("stream + polling", overEvents), parley("stream", overEvents),
	}
}

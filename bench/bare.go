package main

import (
	"context"
	"fmt"
	"net"
	"strings"

	"parley/bench/wire"
)

// bare is the limit: a server that writes ready frames, as long as Parley's, up to so many in one write.
func bare(once int) peer {
	name := "bare"
	if once > 1 {
		name = fmt.Sprintf("bare ×%d", once)
	}
	return peer{name: name, start: func(ctx context.Context, env environment) (*server, error) {
		return startServer(ctx, func(addr string) ([]string, protocol) {
			return []string{env.folder + "/bare", addr, fmt.Sprint(once)}, bareProtocol{addr, env.frame}
		})
	}}
}

type bareProtocol struct {
	addr string
	// envelope is how much longer than the content a frame is.
	envelope int
}

func (bareProtocol) decoder() wire.Decoder { return wire.Lines{} }

func (b bareProtocol) follow(ctx context.Context, d net.Dialer, _ int, rooms []int) (*net.TCPConn, []byte, error) {
	s, err := dial(ctx, d, b.addr, wire.Lines{})
	if err != nil {
		return nil, nil, err
	}
	if err = s.write("follow " + strings.Trim(fmt.Sprint(rooms), "[]") + "\n"); err == nil {
		_, err = s.until("ok")
	}
	if err != nil {
		s.close()
		return nil, nil, err
	}
	conn, rest := s.handOver()
	return conn, rest, nil
}

type barePublisher struct {
	*session
	envelope int
}

func (b bareProtocol) publisher(ctx context.Context) (publisher, error) {
	s, err := dial(ctx, dialer(0), b.addr, wire.Lines{})
	if err != nil {
		return nil, err
	}
	return barePublisher{s, b.envelope}, s.write("publish\n")
}

func (p barePublisher) publish(room int, content string) error {
	message := content + strings.Repeat(".", max(0, p.envelope-1)) + "\n"
	return p.write(fmt.Sprintf("%d %d\n%s", room, len(message), message))
}

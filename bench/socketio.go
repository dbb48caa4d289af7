package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"

	"parley/bench/wire"
)

// socketIO is Socket.IO with its Redis adapter.
func socketIO() peer {
	return peer{name: "socket.io", start: func(ctx context.Context, env environment) (*server, error) {
		return startServer(ctx, func(addr string) ([]string, protocol) {
			return []string{"node", env.servers + "/node/socketio.mjs", port(addr), "redis://" + env.redis}, socketIOProtocol{addr}
		})
	}}
}

// socketIOProtocol is Socket.IO 5 (https://socket.io/docs/v4/socket-io-protocol/) in Engine.IO 4. The first digit is
// Engine.IO's: 0 open, 2 ping, 3 pong, 4 message; the second Socket.IO's: 0 connect, 2 event, 3 acknowledgement,
// followed by its number.
type socketIOProtocol struct{ addr string }

func (socketIOProtocol) decoder() wire.Decoder {
	return wire.WebSocket{Reply: func(text []byte) []byte {
		if bytes.Equal(text, []byte("2")) {
			return []byte("3")
		}
		return nil
	}}
}

func (p socketIOProtocol) open(ctx context.Context, d net.Dialer) (*session, error) {
	s, err := dialWebSocket(ctx, d, p.addr, "/socket.io/?EIO=4&transport=websocket", "", p.decoder())
	if err != nil {
		return nil, err
	}
	if err = s.send(`40{"user":"` + sender + `"}`); err == nil {
		_, err = s.until(`40{"sid"`)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// call emits an event and waits until it is acknowledged.
func (s *session) call(number int, arguments ...string) error {
	list, err := json.Marshal(arguments)
	if err != nil {
		return err
	}
	if err := s.send(fmt.Sprintf("42%d%s", number, list)); err != nil {
		return err
	}
	_, err = s.until(fmt.Sprintf("43%d[", number))
	return err
}

func (p socketIOProtocol) follow(ctx context.Context, d net.Dialer, _ int, rooms []int) (*net.TCPConn, []byte, error) {
	s, err := p.open(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	for i, room := range rooms {
		if err := s.call(i, "join", roomName(room)); err != nil {
			s.close()
			return nil, nil, err
		}
	}
	conn, rest := s.handOver()
	return conn, rest, nil
}

type socketIOPublisher struct {
	*session
	sent int
}

func (p socketIOProtocol) publisher(ctx context.Context) (publisher, error) {
	s, err := p.open(ctx, dialer(0))
	return &socketIOPublisher{session: s}, err
}

func (p *socketIOPublisher) publish(room int, content string) error {
	p.sent++
	return p.call(p.sent, "send", roomName(room), content)
}

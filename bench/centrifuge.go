package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"

	"parley/bench/wire"
)

// centrifugePeer is the centrifuge library, over its JSON protocol.
func centrifugePeer() peer {
	return peer{name: "centrifuge", start: func(ctx context.Context, env environment) (*server, error) {
		return startServer(ctx, func(addr string) ([]string, protocol) {
			return []string{env.folder + "/centrifuge", addr, env.redis}, centrifuge{addr}
		})
	}}
}

// centrifuge is its client protocol, in JSON: https://centrifugal.dev/docs/transports/client_protocol. Frames hold
// replies and pushes, one a line; an empty object is a ping, and its answer.
type centrifuge struct{ addr string }

func (centrifuge) decoder() wire.Decoder {
	return wire.WebSocket{Reply: func(text []byte) []byte {
		if bytes.Equal(text, []byte("{}")) {
			return text
		}
		return nil
	}}
}

func (c centrifuge) open(ctx context.Context, d net.Dialer) (*session, error) {
	s, err := dialWebSocket(ctx, d, c.addr, "/connection/websocket", "", c.decoder())
	if err != nil {
		return nil, err
	}
	if err = s.send(`{"id":1,"connect":{"token":"` + sender + `"}}`); err == nil {
		_, err = s.until(`"connect"`)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (c centrifuge) follow(ctx context.Context, d net.Dialer, _ int, rooms []int) (*net.TCPConn, []byte, error) {
	s, err := c.open(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	for i, room := range rooms {
		if err = s.send(fmt.Sprintf(`{"id":%d,"subscribe":{"channel":%q}}`, i+2, roomName(room))); err == nil {
			_, err = s.until(fmt.Sprintf(`"id":%d,`, i+2))
		}
		if err != nil {
			s.close()
			return nil, nil, err
		}
	}
	conn, rest := s.handOver()
	return conn, rest, nil
}

type centrifugePublisher struct {
	*session
	sent int
}

func (c centrifuge) publisher(ctx context.Context) (publisher, error) {
	s, err := c.open(ctx, dialer(0))
	return &centrifugePublisher{session: s, sent: 1}, err
}

// publish has the server make the message and publish it.
func (p *centrifugePublisher) publish(room int, content string) error {
	p.sent++
	data, err := json.Marshal(map[string]string{"room": roomName(room), "content": content})
	if err != nil {
		return err
	}
	if err := p.send(fmt.Sprintf(`{"id":%d,"rpc":{"method":"send","data":%s}}`, p.sent, data)); err != nil {
		return err
	}
	_, err = p.until(fmt.Sprintf(`"id":%d,"rpc"`, p.sent))
	return err
}

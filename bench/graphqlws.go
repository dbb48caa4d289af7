package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/gobwas/ws"
)

// graphqlWS is graphql-transport-ws against one endpoint.
type graphqlWS struct {
	addr string
	// init is the payload of connection_init, a JSON object.
	init string
	// roomID names a room in variables.
	roomID func(room int) string
	// subscription and mutation are documents with the variable room; the mutation has content, too.
	subscription, mutation string
	make                   func(ctx context.Context, rooms int) error
}

func (p *graphqlWS) prepare(ctx context.Context, rooms int) error { return p.make(ctx, rooms) }

type socket struct {
	conn net.Conn
	in   *bufio.Reader
	buf  []byte
	out  sync.Mutex
}

// open upgrades a connection and has it acknowledged.
func (p *graphqlWS) open(ctx context.Context) (*socket, error) {
	conn, in, err := dial(ctx, p.addr)
	if err != nil {
		return nil, err
	}
	s := &socket{conn: conn, in: in}
	_, err = fmt.Fprintf(conn, "GET /graphql HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n", p.addr)
	for line := ""; err == nil && line != "\r\n"; {
		line, err = in.ReadString('\n')
	}
	if err == nil {
		err = s.send(`{"type":"connection_init","payload":` + p.init + `}`)
	}
	if err == nil {
		_, err = s.until(`"connection_ack"`)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *socket) close() { _ = s.conn.Close() }

func (s *socket) send(text string) error {
	s.out.Lock()
	defer s.out.Unlock()
	return ws.WriteFrame(s.conn, ws.MaskFrameInPlace(ws.NewTextFrame([]byte(text))))
}

// frame reads one frame; its payload holds until the next.
func (s *socket) frame() (ws.OpCode, []byte, error) {
	h, err := ws.ReadHeader(s.in)
	if err != nil {
		return 0, nil, err
	}
	if int64(cap(s.buf)) < h.Length {
		s.buf = make([]byte, h.Length)
	}
	s.buf = s.buf[:h.Length]
	_, err = io.ReadFull(s.in, s.buf)
	return h.OpCode, s.buf, err
}

// message reads up to the next message, answering pings of either kind.
func (s *socket) message() ([]byte, error) {
	for {
		op, payload, err := s.frame()
		switch {
		case err != nil:
			return nil, err
		case op == ws.OpPing:
			s.out.Lock()
			err = ws.WriteFrame(s.conn, ws.MaskFrame(ws.NewPongFrame(payload)))
			s.out.Unlock()
			if err != nil {
				return nil, err
			}
		case op == ws.OpClose:
			return nil, fmt.Errorf("closed: %q", payload)
		case bytes.HasPrefix(payload, []byte(`{"type":"ping"`)):
			if err := s.send(`{"type":"pong"}`); err != nil {
				return nil, err
			}
		default:
			return payload, nil
		}
	}
}

// until reads up to a message that has a text in it.
func (s *socket) until(text string) ([]byte, error) {
	for {
		m, err := s.message()
		if err != nil || bytes.Contains(m, []byte(text)) {
			return m, err
		}
		if bytes.Contains(m, []byte(`"error"`)) {
			return nil, fmt.Errorf("refused: %s", m)
		}
	}
}

// next returns the next event.
func (s *socket) next() ([]byte, error) { return s.until(`"next"`) }

type request struct {
	Type    string `json:"type"`
	ID      string `json:"id"`
	Payload struct {
		Query     string            `json:"query"`
		Variables map[string]string `json:"variables"`
	} `json:"payload"`
}

func started(id, query string, variables map[string]string) string {
	r := request{Type: "subscribe", ID: id}
	r.Payload.Query, r.Payload.Variables = query, variables
	text, _ := json.Marshal(r) // strings can be marshalled
	return string(text)
}

func (p *graphqlWS) subscribe(ctx context.Context, room int) (stream, error) {
	s, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	return s, s.send(started("1", p.subscription, map[string]string{"room": p.roomID(room)}))
}

type graphqlPublisher struct {
	*socket
	peer *graphqlWS
	sent int
}

func (p *graphqlWS) publisher(ctx context.Context) (publisher, error) {
	s, err := p.open(ctx)
	return &graphqlPublisher{socket: s, peer: p}, err
}

var errNotSent = errors.New("the message wasn't taken")

func (p *graphqlPublisher) publish(room int, content string) error {
	p.sent++
	id := fmt.Sprint("m", p.sent)
	if err := p.send(started(id, p.peer.mutation, map[string]string{"room": p.peer.roomID(room), "content": content})); err != nil {
		return err
	}
	got, err := p.until(`"id":"` + id + `"`)
	if err != nil {
		return err
	}
	if bytes.Contains(got, []byte(`"errors"`)) {
		return fmt.Errorf("%w: %s", errNotSent, got)
	}
	if bytes.Contains(got, []byte(`"next"`)) {
		_, err = p.until(`"complete"`)
	}
	return err
}

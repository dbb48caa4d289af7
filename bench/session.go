package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"time"

	"parley/bench/wire"
)

// patience is how long a server may take for an answer.
const patience = 30 * time.Second

// session is a connection read message by message: followers' while it is set up, and publishers'.
type session struct {
	conn    *net.TCPConn
	decoder wire.Decoder
	buf     []byte
	// rest is the part of buf that hasn't been looked at.
	rest []byte
}

func dial(ctx context.Context, d net.Dialer, addr string, decoder wire.Decoder) (*session, error) {
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &session{conn: conn.(*net.TCPConn), decoder: decoder}, nil
}

// dialWebSocket opens a WebSocket. Header are more lines of the request's head.
func dialWebSocket(ctx context.Context, d net.Dialer, addr, path, header string, decoder wire.Decoder) (*session, error) {
	s, err := dial(ctx, d, addr, decoder)
	if err != nil {
		return nil, err
	}
	err = s.request("GET "+path+" HTTP/1.1\r\nHost: "+addr+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"+header+"\r\n", "101")
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) close() {
	_ = s.conn.SetLinger(0) // its port is free again at once
	_ = s.conn.Close()
}

func (s *session) write(text string) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := s.conn.Write([]byte(text))
	return err
}

// send sends a text on a WebSocket.
func (s *session) send(text string) error { return s.write(string(wire.Text([]byte(text)))) }

// request sends a request and reads the head of its response, which has to have that status.
func (s *session) request(text, status string) error {
	if err := s.write(text); err != nil {
		return err
	}
	for !bytes.Contains(s.rest, endOfHead) {
		if err := s.fill(); err != nil {
			return err
		}
	}
	head, rest, _ := bytes.Cut(s.rest, endOfHead)
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 "+status)) {
		return fmt.Errorf("asked for %s, answered %q", status, head)
	}
	s.rest = rest
	return nil
}

var endOfHead = []byte("\r\n\r\n")

// fill reads more.
func (s *session) fill() error {
	if cap(s.buf) == 0 {
		s.buf = make([]byte, 0, 4<<10)
	}
	s.buf = append(s.buf[:0], s.rest...)
	if len(s.buf) == cap(s.buf) {
		s.buf = append(s.buf, 0)[:len(s.buf)]
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(patience))
	n, err := s.conn.Read(s.buf[len(s.buf):cap(s.buf)])
	s.buf = s.buf[:len(s.buf)+n]
	s.rest = s.buf
	return err
}

// next returns the next text, which holds until the call after that.
func (s *session) next() ([]byte, error) {
	for {
		size, m, err := s.decoder.Next(s.rest)
		if err != nil {
			return nil, err
		}
		if size == 0 {
			if err := s.fill(); err != nil {
				return nil, err
			}
			continue
		}
		s.rest = s.rest[size:]
		if m.Reply != nil {
			if err := s.write(string(m.Reply)); err != nil {
				return nil, err
			}
		}
		if m.Text != nil {
			return m.Text, nil
		}
	}
}

// until reads up to a text that has one of the parts in it; one with "error" is an error.
func (s *session) until(parts ...string) ([]byte, error) {
	for {
		text, err := s.next()
		if err != nil {
			return nil, err
		}
		for _, part := range parts {
			if bytes.Contains(text, []byte(part)) {
				return text, nil
			}
		}
		if bytes.Contains(text, []byte(`"error`)) {
			return nil, fmt.Errorf("refused: %s", text)
		}
	}
}

// handOver gives the connection away, with what was read of what comes next.
func (s *session) handOver() (*net.TCPConn, []byte) {
	_ = s.conn.SetDeadline(time.Time{})
	return s.conn, s.rest
}

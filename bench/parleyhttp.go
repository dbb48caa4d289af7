package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"parley/bench/wire"
)

// how says by which transports Parley's clients follow and publish.
type how func(p *parleyServer) protocol

func overSocket(p *parleyServer) protocol { return p.socket() }

// deflated is overSocket with compression.
func deflated(p *parleyServer) protocol {
	socket := p.socket()
	socket.inflater = wire.NewInflater()
	return socket
}

// overHTTP publishes by POST.
func overHTTP(p *parleyServer) protocol { return parleyHTTP{p.socket(), p} }

// overEvents follows by server-sent events.
func overEvents(p *parleyServer) protocol { return parleyEvents{p.socket(), p} }

// head is that of a POST by a user, up to the length of its body.
func (p *parleyServer) head(user, accept string) string {
	return "POST /graphql HTTP/1.1\r\nHost: " + p.addr + "\r\nContent-Type: application/json\r\nAccept: " + accept +
		"\r\nAuthorization: Bearer " + p.token(user) + "\r\nContent-Length: "
}

// post is a whole request.
func post(head, body string) string { return fmt.Sprintf("%s%d\r\n\r\n%s", head, len(body), body) }

// httpSession is a connection that is kept for one request after the other.
type httpSession struct {
	*session
	in *bufio.Reader
	// bytes went over the connection, both ways.
	bytes int64
}

func dialHTTP(ctx context.Context, addr string) (*httpSession, error) {
	s, err := dial(ctx, dialer(0), addr, nil)
	if err != nil {
		return nil, err
	}
	h := &httpSession{session: s}
	h.in = bufio.NewReader(h)
	return h, nil
}

// Read reads from the connection, and counts.
func (s *httpSession) Read(p []byte) (int, error) {
	n, err := s.conn.Read(p)
	s.bytes += int64(n)
	return n, err
}

// exchange posts a body and returns that of the answer.
func (s *httpSession) exchange(head, body string) ([]byte, error) {
	question := post(head, body)
	if err := s.write(question); err != nil {
		return nil, err
	}
	s.bytes += int64(len(question))
	_ = s.conn.SetReadDeadline(time.Now().Add(patience))
	response, err := http.ReadResponse(s.in, nil)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", response.Status, answer)
	}
	return answer, err
}

// parleyHTTP publishes by POST on a connection that is kept.
type parleyHTTP struct {
	*graphqlWS
	server *parleyServer
}

type httpPublisher struct {
	*httpSession
	peer parleyHTTP
	head string
}

func (p parleyHTTP) publisher(ctx context.Context) (publisher, error) {
	s, err := dialHTTP(ctx, p.addr)
	return httpPublisher{s, p, p.server.head(sender, "application/json")}, err
}

func (p httpPublisher) publish(room int, content string) error {
	body := request{p.peer.mutation, map[string]string{"room": p.peer.roomID(room), "content": content}}.String()
	answer, err := p.exchange(p.head, body)
	if err == nil && !bytes.HasPrefix(answer, []byte(`{"data":{"sendMessage":{"message":{"id"`)) {
		return fmt.Errorf("not sent: %s", answer)
	}
	return err
}

// parleyEvents follows by server-sent events over HTTP/1.1.
type parleyEvents struct {
	*graphqlWS
	server *parleyServer
}

func (parleyEvents) decoder() wire.Decoder { return wire.Chunks{} }

func (p parleyEvents) follow(ctx context.Context, d net.Dialer, connection int, rooms []int) (*net.TCPConn, []byte, error) {
	if len(rooms) != 1 {
		return nil, nil, fmt.Errorf("an event stream for %d rooms", len(rooms))
	}
	s, err := dial(ctx, d, p.addr, wire.Chunks{})
	if err != nil {
		return nil, nil, err
	}
	body := request{p.subscription, map[string]string{"room": p.roomID(rooms[0])}}.String()
	if err := s.request(post(p.server.head(user(connection), "text/event-stream"), body), "200"); err != nil {
		s.close()
		return nil, nil, err
	}
	conn, rest := s.handOver()
	return conn, rest, nil
}

package graphqlws

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"parley/transport"
)

// session is the state of one connection, and speaks graphql-transport-ws on it.
type session struct {
	options *transport.Options
	// deflates: both sides may compress messages.
	deflates bool

	mu    sync.Mutex
	state state
	// pong is a payload that waits to be judged, while an earlier one is.
	judging bool
	pong    json.RawMessage
}

type state uint8

const (
	stateNew state = iota
	// stateAuthenticating: connection_init is being judged.
	stateAuthenticating
	// stateReady: connection_ack is sent, or about to be.
	stateReady
)

// Receive implements transport.Wire.
func (s *session) Receive(c *transport.Conn, in *bufio.Reader) error { return s.receive(c, in, s.take) }

// receive has messages taken by the protocol, and looks itself after what RFC 6455 asks for.
func (s *session) receive(c *transport.Conn, in *bufio.Reader, take func(*transport.Conn, []byte)) error {
	messages := reader{limit: s.options.MaxFrame, deflates: s.deflates}
	return messages.message(in, func(m message) error {
		if err := c.Frame(); err != nil {
			return err
		}
		switch {
		case m.op == ws.OpClose:
			return s.takeClose(c, m.payload)
		case c.Closing():
		case m.op == ws.OpPing:
			c.Send(frame(ws.OpPong, m.payload))
		case m.op == ws.OpText:
			take(c, m.payload)
		}
		return nil
	})
}

// takeClose answers the peer's close frame with its own code (RFC 6455 §5.5.1). Nothing is read
// after it.
func (s *session) takeClose(c *transport.Conn, payload []byte) error {
	code, text := ws.StatusNoStatusRcvd, ""
	if len(payload) > 0 {
		if len(payload) == 1 {
			return transport.ReasonBadFrame
		}
		code, text = ws.StatusCode(binary.BigEndian.Uint16(payload)), string(payload[2:])
		if err := ws.CheckCloseFrameData(code, text); err != nil {
			return transport.ReasonBadFrame.Because(err.Error())
		}
	}
	c.Close(transport.Reason{Code: int(code), Retry: true})
	return io.EOF
}

// take handles a message of the protocol. What is wrong with it closes the connection, but the
// frames after it can still be read.
func (s *session) take(c *transport.Conn, text []byte) {
	m, err := decode(text, clientKinds)
	if err != nil {
		c.Close(transport.ReasonBadMessage.Because(err.Error()))
		return
	}
	switch m.kind {
	case kindInit:
		s.init(c, m.payload)
	case kindPing:
		c.Send(s.text(kindPong, m.payload, ""))
	case kindPong: // a sign of life like any other, and perhaps a new token
		s.refresh(c, m.payload)
	case kindSubscribe:
		if !s.is(stateReady) {
			c.Close(transport.ReasonUnacknowledged)
			return
		}
		c.Start(m.id, m.params)
	case kindComplete:
		c.Stop(m.id)
	}
}

func (s *session) is(state state) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == state
}

// move goes from one state to the next, if the session is in it.
func (s *session) move(from, to state) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != from {
		return false
	}
	s.state = to
	return true
}

// init judges connection_init while the connection reads on.
func (s *session) init(c *transport.Conn, payload json.RawMessage) {
	if !s.begin(c) {
		return
	}
	c.Go(func() {
		if s.authenticate(c, payload) {
			c.Send(s.acknowledgement())
		}
	})
}

// begin takes the first connection_init, whose judging may take its time, and refuses others.
func (s *session) begin(c *transport.Conn) bool {
	if !s.move(stateNew, stateAuthenticating) {
		c.Close(transport.ReasonTooManyInits)
		return false
	}
	c.CloseAt(time.Now().Add(s.options.InitTimeout), transport.ReasonOverload.Because("Authentication takes too long, please reconnect"))
	return true
}

// authenticate judges connection_init, and reports whether its sender is welcome.
func (s *session) authenticate(c *transport.Conn, payload json.RawMessage) (welcome bool) {
	ctx, err := s.viewerContext(c.Context(), payload)
	switch {
	case errors.Is(err, transport.ErrTryLater):
		c.Close(transport.ReasonOverload.Because("The token can't be checked now, please reconnect"))
	case err != nil:
		c.Close(transport.ReasonForbidden.Because(err.Error()))
	default:
		c.CloseAt(time.Time{}, transport.ReasonDone)
		if welcome = c.Identify(ctx); welcome {
			s.move(stateAuthenticating, stateReady)
		}
	}
	return welcome
}

func (s *session) viewerContext(ctx context.Context, payload json.RawMessage) (context.Context, error) {
	if s.options.Authenticate == nil {
		return ctx, nil
	}
	var object map[string]any
	if payload != nil {
		if err := json.Unmarshal(payload, &object); err != nil {
			return nil, err
		}
	}
	return s.options.Authenticate(ctx, object)
}

// acknowledgement tells how often the server gives a sign of life.
func (s *session) acknowledgement() []byte {
	payload, _ := json.Marshal(map[string]int64{"heartbeatMillis": s.options.Heartbeat.Milliseconds()}) // numbers always marshal
	return s.text(kindAck, payload, "")
}

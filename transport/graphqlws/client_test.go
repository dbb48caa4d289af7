package graphqlws_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"parley/transport"
	"parley/transport/graphqlws"
	"parley/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func construct(s *transport.Service) graphql.Transport { return graphqlws.Transport{Service: s} }

func newRig(t testing.TB, options transport.Options) *transporttest.Rig {
	t.Helper()
	return transporttest.NewRig(t, options, construct)
}

// client is an independent implementation of WebSocket that speaks the protocol as it is told.
type client struct {
	t    testing.TB
	conn *websocket.Conn
	// positions are the cursors told by pings, by operation.
	positions map[string]string
	pings     atomic.Int64
}

type message struct {
	Type    string          `json:"type"`
	ID      string          `json:"id,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

func dial(t testing.TB, rig *transporttest.Rig, subprotocols ...string) *client {
	t.Helper()
	c, err := tryDial(t, rig, websocket.CompressionDisabled, subprotocols...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryDial(t testing.TB, rig *transporttest.Rig, compression websocket.CompressionMode, subprotocols ...string) (*client, error) {
	t.Helper()
	c := &client{t: t, positions: map[string]string{}}
	options := &websocket.DialOptions{HTTPClient: rig.Server.Client(), Subprotocols: subprotocols, CompressionMode: compression, CompressionThreshold: 1, OnPingReceived: func(context.Context, []byte) bool {
		c.pings.Add(1)
		return true
	}}
	conn, response, err := websocket.Dial(t.Context(), strings.Replace(rig.Server.URL, "http", "ws", 1), options)
	if err != nil {
		return nil, err
	}
	if response.Body != nil {
		_ = response.Body.Close()
	}
	if agreed := response.Header.Get("Sec-WebSocket-Extensions") != ""; agreed != (compression != websocket.CompressionDisabled) {
		t.Fatalf("compression: %v", agreed)
	}
	conn.SetReadLimit(4 << 20)
	c.conn = conn
	t.Cleanup(func() { _ = conn.CloseNow() })
	return c, nil
}

// connect dials and initialises with a payload, unless it is "".
func connect(t testing.TB, rig *transporttest.Rig, payload string) *client {
	t.Helper()
	c := dial(t, rig, graphqlws.Subprotocol)
	c.initialise(payload)
	return c
}

func (c *client) initialise(payload string) {
	c.t.Helper()
	c.send(initMessage(payload))
	if m := c.next(); m.Type != "connection_ack" {
		c.t.Fatalf("got %+v, want connection_ack", m)
	}
}

func initMessage(payload string) string {
	if payload == "" {
		return `{"type":"connection_init"}`
	}
	return `{"type":"connection_init","payload":` + payload + `}`
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.trySend(text); err != nil {
		c.t.Fatalf("sending %.100s: %v", text, err)
	}
}

func (c *client) trySend(text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), transporttest.Patience)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, []byte(text))
}

func (c *client) subscribe(id, query string) {
	c.t.Helper()
	payload, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(encode(c.t, message{Type: "subscribe", ID: id, Payload: payload}))
}

func (c *client) complete(id string) {
	c.t.Helper()
	c.send(encode(c.t, message{Type: "complete", ID: id}))
}

func encode(t testing.TB, m message) string {
	t.Helper()
	encoded, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// read reads the next message that isn't a sign of life, with or without positions.
func (c *client) read() (message, error) {
	for {
		m, err := c.readAny()
		if err != nil || m.Type != "ping" && m.Type != "ka" {
			return m, err
		}
	}
}

// readAny reads the next message, and notes the positions that it tells.
func (c *client) readAny() (m message, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), transporttest.Patience)
	defer cancel()
	_, text, err := c.conn.Read(ctx)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, err
	}
	cursors, err := m.cursors()
	maps.Copy(c.positions, cursors)
	return m, err
}

// cursors returns the positions that a sign of life tells, by operation.
func (m message) cursors() (map[string]string, error) {
	if m.Type != "ping" && m.Type != "ka" || m.Payload == nil {
		return nil, nil
	}
	var payload struct{ Cursors map[string]string }
	err := json.Unmarshal(m.Payload, &payload)
	return payload.Cursors, err
}

// next returns the next message that isn't a sign of life.
func (c *client) next() message {
	c.t.Helper()
	m, err := c.read()
	if err != nil {
		c.t.Fatalf("reading: %v", err)
	}
	return m
}

// want reads a message and compares it.
func (c *client) want(want string) {
	c.t.Helper()
	if got := encode(c.t, c.next()); got != want {
		c.t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// wantNothing proves by a ping and its pong that nothing comes before.
func (c *client) wantNothing() {
	c.t.Helper()
	c.send(`{"type":"ping","payload":{"mark":1}}`)
	c.want(`{"type":"pong","payload":{"mark":1}}`)
}

// wantClose reads until the connection ends, compares its close code and returns the reason.
func (c *client) wantClose(code int) (reason string) {
	c.t.Helper()
	for {
		if m, err := c.read(); err != nil {
			closed, ok := errors.AsType[websocket.CloseError](err)
			if !ok || int(closed.Code) != code {
				c.t.Fatalf("got %v, want close code %d", err, code)
			}
			return closed.Reason
		} else if m.Type == "next" || m.Type == "error" {
			c.t.Fatalf("got %+v, want close code %d", m, code)
		}
	}
}

// wantNext reads a next message and returns its first field.
func (c *client) wantNext(id string) (value, cursor string) {
	c.t.Helper()
	m := c.next()
	if m.Type != "next" || m.ID != id {
		c.t.Fatalf("got %s, want next of %q", encode(c.t, m), id)
	}
	return parseNext(c.t, m.Payload)
}

func parseNext(t testing.TB, payload []byte) (value, cursor string) {
	t.Helper()
	var response struct {
		Data       map[string]string
		Extensions struct{ Cursor string }
	}
	if err := json.Unmarshal(payload, &response); err != nil {
		t.Fatal(err)
	}
	for _, value = range response.Data {
	}
	return value, response.Extensions.Cursor
}

// errorCode returns extensions.code of the first error.
func errorCode(t testing.TB, payload []byte) string {
	t.Helper()
	var list []struct {
		Extensions struct{ Code string }
	}
	if err := json.Unmarshal(payload, &list); err != nil || len(list) == 0 {
		t.Fatalf("no errors in %s: %v", payload, err)
	}
	return list[0].Extensions.Code
}

func (c *client) wantError(id, code string) {
	c.t.Helper()
	m := c.next()
	if m.Type != "error" || m.ID != id || errorCode(c.t, m.Payload) != code {
		c.t.Fatalf("got %s, want error %s of %q", encode(c.t, m), code, id)
	}
}

// answerPings says nothing but the pongs of the library, until so many pings have come; then it
// hangs up.
func (c *client) answerPings(pings int64) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() {
		if _, text, err := c.conn.Read(ctx); ctx.Err() == nil {
			c.t.Errorf("got %s, %v", text, err)
		}
	})
	transporttest.Wait(c.t, "enough pings", func() bool { return c.pings.Load() >= pings })
	cancel()
	reading.Wait()
}

// slowJudge judges when it is told to.
func slowJudge(judging chan<- struct{}, verdict <-chan struct{}) func(context.Context, map[string]any) (context.Context, error) {
	return func(ctx context.Context, _ map[string]any) (context.Context, error) {
		judging <- struct{}{}
		select {
		case <-verdict:
			return ctx, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

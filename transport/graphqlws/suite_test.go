package graphqlws_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"

	"parley/transport"
	"parley/transport/graphqlws"
	"parley/transport/transporttest"
)

func TestScenarios(t *testing.T) {
	transporttest.Run(t, suiteClient{subprotocol: graphqlws.Subprotocol, start: "subscribe", stop: "complete"})
}

func TestScenariosOverTLS(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.OverTLS{Client: suiteClient{subprotocol: graphqlws.Subprotocol, start: "subscribe", stop: "complete"}})
}

func TestNotOverHTTP2(t *testing.T) {
	rig := transporttest.NewRigOver(t, transporttest.HTTP2, transport.Options{}, construct)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rig.Server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, body := rig.Do(t, request, http.Header{"Sec-Websocket-Version": {"13"}})
	if response.StatusCode != http.StatusHTTPVersionNotSupported || !strings.Contains(body, "HTTP/1.1") {
		t.Fatalf("got %d %s", response.StatusCode, body)
	}
}

func TestLegacyScenarios(t *testing.T) {
	transporttest.Run(t, suiteClient{subprotocol: graphqlws.LegacySubprotocol, start: "start", stop: "stop"})
}

// TestScenariosCompressed has every message compressed that may be.
func TestScenariosCompressed(t *testing.T) {
	transporttest.Run(t, suiteClient{
		subprotocol: graphqlws.Subprotocol, start: "subscribe", stop: "complete", compression: websocket.CompressionNoContextTakeover,
	})
}

// suiteClient is the suite's client of a subprotocol, in which operations are started and stopped by messages of these
// types.
type suiteClient struct {
	subprotocol, start, stop string
	compression              websocket.CompressionMode
}

func (s suiteClient) Construct(service *transport.Service) graphql.Transport {
	return graphqlws.Transport{Service: service, Legacy: s.subprotocol == graphqlws.LegacySubprotocol, Compress: true}
}

func (s suiteClient) Subscribe(t testing.TB, rig *transporttest.Rig, viewer, query, resume string) transporttest.Stream {
	t.Helper()
	c, err := tryDial(t, rig, s.compression, s.subprotocol)
	if err != nil {
		return &stream{over: true}
	}
	stream := &stream{suiteClient: s, c: c, told: map[string]string{}}
	init, err := json.Marshal(map[string]string{"viewer": viewer})
	if err != nil {
		t.Fatal(err)
	}
	if c.trySend(initMessage(string(init))) != nil {
		stream.over = true
		return stream
	}
	if m, err := c.read(); err != nil || m.Type != "connection_ack" {
		stream.over = true
		return stream
	}
	stream.Start("", query, resume)
	return stream
}

// stream is a connection's. The id of the first operation is "s".
type stream struct {
	suiteClient
	c    *client
	told map[string]string // positions, by operation
	over bool
}

func (s *stream) id(operation string) string {
	if operation == "" {
		return "s"
	}
	return operation
}

func (s *stream) operation(id string) string {
	if id == "s" {
		return ""
	}
	return id
}

func (s *stream) send(kind, operation string, payload any) {
	s.c.t.Helper()
	var encoded json.RawMessage
	if payload != nil {
		var err error
		if encoded, err = json.Marshal(payload); err != nil {
			s.c.t.Fatal(err)
		}
	}
	s.over = s.over || s.c.trySend(encode(s.c.t, message{Type: kind, ID: s.id(operation), Payload: encoded})) != nil
}

func (s *stream) Start(operation, query, resume string) {
	s.c.t.Helper()
	delete(s.told, operation)
	s.send(s.start, operation, map[string]any{"query": query, "extensions": map[string]any{"resume": resume}})
}

func (s *stream) Stop(operation string) {
	s.c.t.Helper()
	s.send(s.stop, operation, nil)
}

func (s *stream) Next() transporttest.Item {
	if s.over {
		return transporttest.Item{Kind: transporttest.End}
	}
	s.c.t.Helper()
	for {
		m, err := s.c.readAny()
		if err != nil {
			return endOf(err)
		}
		if item, ok := s.item(m); ok {
			return item
		}
	}
}

func (s *stream) item(m message) (item transporttest.Item, ok bool) {
	s.c.t.Helper()
	item.Operation = s.operation(m.ID)
	switch m.Type {
	case "ka", "ping":
		return s.position(m)
	case "next", "data":
		item.Kind = transporttest.Event
		item.Value, item.Cursor = parseNext(s.c.t, m.Payload)
	case "complete":
		item.Kind = transporttest.Complete
	case "error", "connection_error":
		item.Kind = transporttest.Errors
		if s.subprotocol == graphqlws.LegacySubprotocol {
			item.Code = legacyCode(s.c.t, m.Payload)
		} else {
			item.Code = errorCode(s.c.t, m.Payload)
		}
	default:
		s.c.t.Errorf("got %+v", m)
	}
	return item, true
}

// position returns what a sign of life tells, which is of one operation, and news; a bare one tells nothing.
func (s *stream) position(m message) (item transporttest.Item, ok bool) {
	s.c.t.Helper()
	told, err := m.cursors()
	if err != nil || len(told) > 1 {
		s.c.t.Errorf("got %s, %v, want one position", m.Payload, err)
	}
	for id, cursor := range told {
		item, ok = transporttest.Item{Kind: transporttest.Position, Operation: s.operation(id), Cursor: cursor}, true
		if s.told[item.Operation] == cursor {
			s.c.t.Errorf("the same position twice: %s", m.Payload)
		}
		s.told[item.Operation] = cursor
	}
	return item, ok
}

func endOf(err error) transporttest.Item {
	item := transporttest.Item{Kind: transporttest.End}
	closed, ok := errors.AsType[websocket.CloseError](err)
	if !ok {
		return item
	}
	switch closed.Code {
	case websocket.StatusServiceRestart, websocket.StatusTryAgainLater:
		item.Retry = true
	case 4403:
		item.Code = "UNAUTHENTICATED"
	}
	return item
}

func (s *stream) Close() {
	if s.c != nil {
		_ = s.c.conn.CloseNow()
	}
}

func (s *stream) Leave() {
	if s.c != nil {
		_ = s.c.conn.Close(websocket.StatusNormalClosure, "")
	}
}

package graphqlws_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"

	"parley/transport"
	"parley/transport/graphqlws"
	"parley/transport/transporttest"
)

func TestScenarios(t *testing.T) { transporttest.Run(t, suiteClient{}) }

// TestScenariosCompressed has every message compressed that may be.
func TestScenariosCompressed(t *testing.T) { transporttest.Run(t, suiteClient{compress: true}) }

type suiteClient struct{ compress bool }

func (s suiteClient) Construct(service *transport.Service) graphql.Transport {
	if s.compress {
		return deflating(service)
	}
	return construct(service)
}

func (s suiteClient) Subscribe(t testing.TB, rig *transporttest.Rig, viewer, query, resume string) transporttest.Stream {
	t.Helper()
	init, err := json.Marshal(map[string]string{"viewer": viewer})
	if err != nil {
		t.Fatal(err)
	}
	c := dialWith(t, rig, s.compression(), graphqlws.Subprotocol)
	c.initialise(string(init))
	payload, err := json.Marshal(map[string]any{"query": query, "extensions": map[string]any{"resume": resume}})
	if err != nil {
		t.Fatal(err)
	}
	c.send(encode(t, message{Type: "subscribe", ID: "s", Payload: payload}))
	return stream{c}
}

func (s suiteClient) compression() websocket.CompressionMode {
	if s.compress {
		return websocket.CompressionNoContextTakeover
	}
	return websocket.CompressionDisabled
}

type stream struct{ c *client }

func (s stream) Next() transporttest.Item {
	s.c.t.Helper()
	before := s.c.positions["s"]
	m, err := s.c.readAny()
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		return endOf(closed)
	}
	if err != nil {
		return transporttest.Item{Kind: transporttest.End}
	}
	switch m.Type {
	case "ping":
		if s.c.positions["s"] == before {
			s.c.t.Errorf("the same position twice: %s", m.Payload)
		}
		return transporttest.Item{Kind: transporttest.Position, Cursor: s.c.positions["s"]}
	case "next":
		value, cursor := parseNext(s.c.t, m.Payload)
		return transporttest.Item{Kind: transporttest.Event, Value: value, Cursor: cursor}
	case "error":
		return transporttest.Item{Kind: transporttest.Errors, Code: errorCode(s.c.t, m.Payload)}
	case "complete":
		return transporttest.Item{Kind: transporttest.Complete}
	}
	s.c.t.Fatalf("got %+v", m)
	return transporttest.Item{}
}

func endOf(closed websocket.CloseError) transporttest.Item {
	item := transporttest.Item{Kind: transporttest.End}
	switch closed.Code {
	case websocket.StatusServiceRestart, websocket.StatusTryAgainLater:
		item.Retry = true
	case 4403:
		item.Code = "UNAUTHENTICATED"
	}
	return item
}

func (s stream) Close() { _ = s.c.conn.CloseNow() }

package graphqlws_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"

	"parley/transport"
	"parley/transport/transporttest"
)

func TestScenarios(t *testing.T) { transporttest.Run(t, suiteClient{}) }

func TestScenariosOverTLS(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, overTLS{suiteClient{}})
}

// overTLS is a client by HTTP/1.1 over TLS.
type overTLS struct{ transporttest.Client }

func (overTLS) Serve(h http.Handler) *httptest.Server { return transporttest.TLS(h) }

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

type suiteClient struct{}

func (suiteClient) Construct(s *transport.Service) graphql.Transport { return construct(s) }

func (suiteClient) Subscribe(t testing.TB, rig *transporttest.Rig, viewer, query, resume string) transporttest.Stream {
	t.Helper()
	init, err := json.Marshal(map[string]string{"viewer": viewer})
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, rig, string(init))
	payload, err := json.Marshal(map[string]any{"query": query, "extensions": map[string]any{"resume": resume}})
	if err != nil {
		t.Fatal(err)
	}
	c.send(encode(t, message{Type: "subscribe", ID: "s", Payload: payload}))
	return stream{c}
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

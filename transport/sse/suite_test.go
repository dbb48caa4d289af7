package sse_test

import (
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"parley/transport"
	"parley/transport/transporttest"
)

func TestScenarios(t *testing.T) { transporttest.Run(t, suiteClient{}) }

func TestScenariosOverTLS(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.OverTLS{Client: suiteClient{}})
}

func TestSingleScenariosOverTLS(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.OverTLS{Client: singleClient{}})
}

func TestScenariosOverHTTP2(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.OverHTTP2{Client: suiteClient{}})
}

func TestSingleScenariosOverHTTP2(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.OverHTTP2{Client: singleClient{}})
}

// TestDrainingOverHTTP2: who comes back by the connection that it has is told to come back by another one.
func TestDrainingOverHTTP2(t *testing.T) {
	rig := transporttest.NewRigOver(t, transporttest.HTTP2, transport.Options{}, construct)
	rig.Service.Close()
	var addresses []string
	transporttest.Wait(t, "another connection", func() bool {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
			addresses = append(addresses, info.Conn.LocalAddr().String())
		}})
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, rig.Server.URL, strings.NewReader(body(t, ticks)))
		if err != nil {
			t.Fatal(err)
		}
		response, text := rig.Do(t, request, http.Header{"Accept": {"text/event-stream"}, "Content-Type": {"application/json"}})
		if response.StatusCode != http.StatusOK || strings.Count(text, "retry: ") != 2 || strings.Contains(text, "event:") {
			t.Fatalf("got %d %q", response.StatusCode, text)
		}
		return addresses[len(addresses)-1] != addresses[0]
	})
}

// suiteClient is the suite's client of distinct connections.
type suiteClient struct{}

func (suiteClient) Construct(s *transport.Service) graphql.Transport { return construct(s) }

func (suiteClient) Subscribe(t testing.TB, rig *transporttest.Rig, viewer, query, resume string) transporttest.Stream {
	t.Helper()
	header := http.Header{"Viewer": {viewer}}
	if resume != "" {
		header.Set("Last-Event-ID", resume)
	}
	s, err := tryPost(t, rig, body(t, query), header)
	return stream{events: s, over: err != nil || s.response.StatusCode != http.StatusOK}
}

type stream struct {
	*events
	over bool
}

// Next makes an error that ends the stream one item of the next that carries it.
func (s stream) Next() transporttest.Item {
	if s.over {
		return transporttest.Item{Kind: transporttest.End}
	}
	s.t.Helper()
	for {
		b, err := s.block()
		switch {
		case err != nil:
			return transporttest.Item{Kind: transporttest.End, Retry: s.retries > 1}
		case b.retry != "":
			s.retries++
		case b.event == "complete":
			return transporttest.Item{Kind: transporttest.Complete}
		case b.event == "next":
			value, cursor, code := parse(s.t, b.data)
			if code != "" {
				return transporttest.Item{Kind: transporttest.Errors, Code: code}
			}
			if cursor != b.id {
				s.t.Errorf("id %q, but extensions.cursor %q", b.id, cursor)
			}
			return transporttest.Item{Kind: transporttest.Event, Value: value, Cursor: cursor}
		case b.id != "":
			return transporttest.Item{Kind: transporttest.Position, Cursor: b.id}
		}
	}
}

func (s stream) Close() {
	if s.events != nil {
		s.events.Close()
	}
}

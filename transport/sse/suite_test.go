package sse_test

import (
	"net/http"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"parley/transport"
	"parley/transport/transporttest"
)

func TestScenarios(t *testing.T) { transporttest.Run(t, suiteClient{}) }

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

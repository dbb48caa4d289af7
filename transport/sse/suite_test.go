package sse_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"parley/transport"
	"parley/transport/transporttest"
)

func TestScenarios(t *testing.T) { transporttest.Run(t, suiteClient{}) }

func TestSingleScenarios(t *testing.T) { transporttest.Run(t, singleClient{}) }

func TestScenariosOverTLS(t *testing.T) { transporttest.Run(t, overTLS{suiteClient{}}) }

func TestSingleScenariosOverTLS(t *testing.T) { transporttest.Run(t, overTLS{singleClient{}}) }

// overTLS is a client by HTTP/1.1 over TLS.
type overTLS struct{ transporttest.Client }

func (overTLS) Serve(h http.Handler) *httptest.Server { return transporttest.TLS(h) }

type suiteClient struct{}

func (suiteClient) Construct(s *transport.Service) graphql.Transport { return construct(s) }

func (suiteClient) Subscribe(t testing.TB, rig *transporttest.Rig, viewer, query, resume string) transporttest.Stream {
	t.Helper()
	header := http.Header{"Viewer": {viewer}}
	if resume != "" {
		header.Set("Last-Event-ID", resume)
	}
	return stream{post(t, rig, body(t, query), header)}
}

type stream struct{ *events }

// Next makes an error that ends the stream one item of the next that carries it.
func (s stream) Next() transporttest.Item {
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

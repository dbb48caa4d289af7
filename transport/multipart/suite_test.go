package multipart_test

import (
	"encoding/json"
	"net/http"
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

func TestScenariosOverHTTP2(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.OverHTTP2{Client: suiteClient{}})
}

type suiteClient struct{}

func (suiteClient) Construct(s *transport.Service) graphql.Transport { return construct(s) }

func (suiteClient) Subscribe(t testing.TB, rig *transporttest.Rig, viewer, query, resume string) transporttest.Stream {
	t.Helper()
	request, err := json.Marshal(map[string]any{"query": query, "extensions": map[string]any{"resume": resume}})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := tryPost(t, rig, string(request), http.Header{
		"Viewer": {viewer}, "Accept": {"multipart/mixed;subscriptionSpec=1.0"},
	})
	return &stream{parts: parts, ended: err != nil || parts.lines == nil}
}

type stream struct {
	*parts
	// ended: the subscription is over, or there is none.
	ended, retry bool
}

func (s *stream) Close() {
	if s.parts != nil {
		s.parts.Close()
	}
}

// Next takes the closing delimiter for completion, unless an error came before it.
func (s *stream) Next() transporttest.Item {
	if s.parts == nil || s.lines == nil {
		return transporttest.Item{Kind: transporttest.End}
	}
	s.t.Helper()
	for {
		part, err := s.part()
		if err != nil {
			return s.end()
		}
		told := parse(s.t, part)
		switch {
		case len(told.Errors) > 0:
			s.ended = true
			if code := told.Errors[0].Extensions.Code; code != transport.CodeUnavailable {
				return transporttest.Item{Kind: transporttest.Errors, Code: code}
			}
			s.retry = true
		case told.Extensions.Cursor != "":
			return transporttest.Item{Kind: transporttest.Position, Cursor: told.Extensions.Cursor}
		case told.Payload != nil:
			value, cursor, code := told.result(s.t)
			if s.ended = code != ""; s.ended {
				return transporttest.Item{Kind: transporttest.Errors, Code: code}
			}
			return transporttest.Item{Kind: transporttest.Event, Value: value, Cursor: cursor}
		case part != "{}":
			s.t.Errorf("got a part %s", part)
		}
	}
}

func (s *stream) end() transporttest.Item {
	if s.over && !s.ended { // else it was cut
		s.ended = true
		return transporttest.Item{Kind: transporttest.Complete}
	}
	return transporttest.Item{Kind: transporttest.End, Retry: s.retry}
}

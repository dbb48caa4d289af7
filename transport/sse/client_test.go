package sse_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"go.uber.org/goleak"

	"parley/transport"
	"parley/transport/graphqlhttp"
	"parley/transport/sse"
	"parley/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func construct(s *transport.Service) graphql.Transport { return sse.Transport{Service: s} }

func newRig(t testing.TB, options transport.Options) *transporttest.Rig {
	t.Helper()
	return transporttest.NewRig(t, options, construct, func(s *transport.Service) graphql.Transport {
		return graphqlhttp.Transport{Service: s}
	})
}

// events is an open event stream.
type events struct {
	t        testing.TB
	response *http.Response
	lines    *bufio.Reader
	cancel   context.CancelFunc
	retries  int
}

// block is what stands between two empty lines.
type block struct {
	id, event, data, retry, comment string
	fields                          []string // names, in order
}

func post(t testing.TB, rig *transporttest.Rig, body string, header http.Header) *events {
	t.Helper()
	s, err := tryPost(t, rig, body, header)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryPost(t testing.TB, rig *transporttest.Rig, body string, header http.Header) (*events, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*transporttest.Patience)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, rig.Server.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	return open(t, rig, request, cancel, header)
}

func get(t testing.TB, rig *transporttest.Rig, query string, header http.Header) *events {
	t.Helper()
	s, err := tryGet(t, rig, query, header)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryGet(t testing.TB, rig *transporttest.Rig, query string, header http.Header) (*events, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*transporttest.Patience)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, rig.Server.URL+"?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, rig, request, cancel, header)
}

func open(t testing.TB, rig *transporttest.Rig, request *http.Request, cancel context.CancelFunc, header http.Header) (*events, error) {
	t.Helper()
	request.Header.Set("Accept", "text/event-stream")
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := rig.Server.Client().Do(request)
	if err != nil {
		cancel()
		return nil, err
	}
	s := &events{t: t, response: response, lines: bufio.NewReader(response.Body), cancel: cancel}
	t.Cleanup(s.Close)
	return s, nil
}

// Close hangs up.
func (s *events) Close() {
	s.cancel()
	_ = s.response.Body.Close()
}

// block reads the next block; ok is false at the stream's proper end.
func (s *events) block() (b block, err error) {
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return b, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			return b, nil
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		b.fields = append(b.fields, name)
		switch name {
		case "id":
			b.id = value
		case "event":
			b.event = value
		case "data":
			b.data += value
		case "retry":
			b.retry = value
		case "":
			b.comment = line
		default:
			s.t.Errorf("a field that nobody knows: %q", line)
		}
	}
}

// next reads the next block that is an event.
func (s *events) next() block {
	s.t.Helper()
	for {
		b, err := s.block()
		if err != nil {
			s.t.Fatalf("reading: %v", err)
		}
		if b.event != "" {
			return b
		}
	}
}

func parse(t testing.TB, data string) (value, cursor, code string) {
	t.Helper()
	var response struct {
		Data       map[string]string
		Errors     []struct{ Extensions struct{ Code string } }
		Extensions struct{ Cursor string }
	}
	if err := json.Unmarshal([]byte(data), &response); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	for _, value = range response.Data {
	}
	if len(response.Errors) > 0 {
		code = response.Errors[0].Extensions.Code
	}
	return value, response.Extensions.Cursor, code
}

func body(t testing.TB, query string) string {
	t.Helper()
	encoded, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

package multipart_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"go.uber.org/goleak"

	"parley/transport"
	"parley/transport/graphqlhttp"
	protocol "parley/transport/multipart"
	"parley/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// accepted is what Apollo Client sends with a subscription.
const accepted = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9"

func construct(s *transport.Service) graphql.Transport { return protocol.Transport{Service: s} }

func newRig(t testing.TB, options transport.Options) *transporttest.Rig {
	t.Helper()
	return transporttest.NewRig(t, options, construct, func(s *transport.Service) graphql.Transport {
		return graphqlhttp.Transport{Service: s}
	})
}

// parts is an open multipart response, taken apart by lines: the payloads of these tests have no more than one.
type parts struct {
	t         testing.TB
	response  *http.Response
	cancel    context.CancelFunc
	lines     *bufio.Reader
	delimiter string
	begun     bool
	over      bool
}

func post(t testing.TB, rig *transporttest.Rig, body string, header http.Header) *parts {
	t.Helper()
	return open(t, rig, http.MethodPost, rig.Server.URL, body, header)
}

func tryPost(t testing.TB, rig *transporttest.Rig, body string, header http.Header) (*parts, error) {
	t.Helper()
	return tryOpen(t, rig, http.MethodPost, rig.Server.URL, body, header)
}

func get(t testing.TB, rig *transporttest.Rig, query string, header http.Header) *parts {
	t.Helper()
	return open(t, rig, http.MethodGet, rig.Server.URL+"?"+query, "", header)
}

func open(t testing.TB, rig *transporttest.Rig, method, url, body string, header http.Header) *parts {
	t.Helper()
	p, err := tryOpen(t, rig, method, url, body, header)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tryOpen(t testing.TB, rig *transporttest.Rig, method, url, body string, header http.Header) (*parts, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*transporttest.Patience)
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", accepted)
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := rig.Server.Client().Do(request)
	if err != nil {
		cancel()
		return nil, err
	}
	p := &parts{t: t, response: response, cancel: cancel}
	t.Cleanup(p.Close)
	media, params, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if media == "multipart/mixed" {
		p.lines, p.delimiter = bufio.NewReader(response.Body), "--"+params["boundary"]
	}
	return p, nil
}

// Close hangs up.
func (p *parts) Close() {
	p.cancel()
	_ = p.response.Body.Close()
}

// part reads the next part; its error is io.EOF behind the closing delimiter.
func (p *parts) part() (string, error) {
	p.t.Helper()
	if p.over {
		return "", io.EOF
	}
	want := []string{"Content-Type: application/json", "", anything}
	if !p.begun {
		p.begun, want = true, append([]string{"", p.delimiter}, want...)
	}
	var text string
	for _, want := range want {
		line, err := p.line()
		if err != nil {
			return "", err
		}
		if line != want && want != anything {
			p.t.Fatalf("the line %q in place of %q", line, want)
		}
		text = line
	}
	line, err := p.line()
	if p.over = line == p.delimiter+"--"; !p.over && line != p.delimiter && err == nil {
		p.t.Fatalf("the line %q in place of a delimiter", line)
	}
	return text, err
}

const anything = "any"

func (p *parts) line() (string, error) {
	line, err := p.lines.ReadString('\n')
	if err == nil && !strings.HasSuffix(line, "\r\n") {
		p.t.Fatalf("the line %q isn't ended by CRLF", line)
	}
	return strings.TrimSuffix(line, "\r\n"), err
}

// next reads the next part.
func (p *parts) next() string {
	p.t.Helper()
	body, err := p.part()
	if err != nil {
		p.t.Fatalf("reading: %v", err)
	}
	return body
}

// want reads the next part, which must be so.
func (p *parts) want(want string) {
	p.t.Helper()
	if got := p.next(); got != want {
		p.t.Fatalf("got %s, want %s", got, want)
	}
}

// wantEnd reads the end of the body, which must be behind the closing delimiter.
func (p *parts) wantEnd() {
	p.t.Helper()
	if body, err := p.part(); err != io.EOF {
		p.t.Fatalf("got %q, %v, want the closing delimiter", body, err)
	}
	if rest, err := io.ReadAll(p.lines); len(rest) > 0 || err != nil {
		p.t.Fatalf("got %q, %v behind the end", rest, err)
	}
}

// follow reads what comes before the first event: that all is well, and the position.
func (p *parts) follow() (cursor string) {
	p.t.Helper()
	p.want("{}")
	told := parse(p.t, p.next())
	if told.Extensions.Cursor == "" {
		p.t.Fatalf("got %+v, want the position", told)
	}
	return told.Extensions.Cursor
}

// told is what a part may hold.
type told struct {
	Payload *struct {
		Data       map[string]string
		Errors     []graphqlError
		Extensions struct{ Cursor string }
	}
	Errors     []graphqlError
	Extensions struct{ Cursor string }
}

type graphqlError struct{ Extensions struct{ Code string } }

func parse(t testing.TB, part string) (told told) {
	t.Helper()
	if err := json.Unmarshal([]byte(part), &told); err != nil {
		t.Fatalf("%v in %s", err, part)
	}
	return told
}

// result is what the payload says.
func (told told) result(t testing.TB) (value, cursor, code string) {
	t.Helper()
	if told.Payload == nil {
		t.Fatalf("%+v has no payload", told)
	}
	for _, value = range told.Payload.Data {
	}
	if len(told.Payload.Errors) > 0 {
		code = told.Payload.Errors[0].Extensions.Code
	}
	return value, told.Payload.Extensions.Cursor, code
}

func body(t testing.TB, query string) string {
	t.Helper()
	encoded, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

package sse_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/transport"
	"parley/transport/transporttest"
)

// The checklist of graphql-sse's distinct connections mode, line by line: each subtest of a
// TestChecklist is one. e2e/conformance asks the same from outside.

const ticks = `subscription { ticks(log: "a") }`

func TestChecklistSubscription(t *testing.T) {
	rig := newRig(t, transport.Options{})
	for name, subscribe := range map[string]func(t *testing.T) *events{
		"by POST": func(t *testing.T) *events { return post(t, rig, body(t, ticks), nil) },
		"by GET":  func(t *testing.T) *events { return get(t, rig, "query="+url.QueryEscape(ticks), nil) },
		"by GET with variables": func(t *testing.T) *events {
			return get(t, rig, url.Values{
				"query":         {`subscription A($log: String!) { ticks(log: $log) } subscription B { panic }`},
				"operationName": {"A"}, "variables": {`{"log":"a"}`}, "extensions": {`{}`},
			}.Encode(), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := subscribe(t)
			cursor := rig.Tick("a", "x\r\ny\u2028")
			b := s.next()
			if value, _, _ := parse(t, b.data); b.event != "next" || b.id != cursor || value != "x\r\ny\u2028" {
				t.Fatalf("got %+v", b)
			}
			if want := []string{"id", "event", "data"}; !slices.Equal(b.fields, want) {
				t.Fatalf("got fields %v", b.fields)
			}
			s.Close() // which unsubscribes
			rig.WaitUntilIdle(t)
		})
	}
}

func TestChecklistHead(t *testing.T) {
	rig := newRig(t, transport.Options{})
	rig.Server.Config.Handler = withHeader(rig.Server.Config.Handler)
	s := post(t, rig, body(t, ticks), nil) // the head is there before any event
	for name, want := range map[string]string{
		"Content-Type":                "text/event-stream; charset=utf-8",
		"Cache-Control":               "no-cache, no-transform",
		"X-Accel-Buffering":           "no",
		"Keep-Alive":                  "timeout=300",
		"Access-Control-Allow-Origin": "https://chat.example",
	} {
		if got := s.response.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if vary := strings.Join(s.response.Header.Values("Vary"), ","); vary != "Origin,Accept" {
		t.Errorf("Vary is %q", vary)
	}
	if s.response.StatusCode != 200 || s.response.Proto != "HTTP/1.1" || !slices.Equal(s.response.TransferEncoding, []string{"chunked"}) {
		t.Errorf("got %+v", s.response)
	}
	if _, err := http.ParseTime(s.response.Header.Get("Date")); err != nil {
		t.Error(err)
	}
	b, err := s.block()
	if millis, bad := strconv.Atoi(b.retry); err != nil || bad != nil || millis < 1000 || millis > 2000 {
		t.Fatalf("got %+v, %v, want retry", b, err)
	}
}

func withHeader(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://chat.example")
		w.Header().Add("Vary", "Origin")
		next.ServeHTTP(w, r)
	})
}

func TestChecklistAnswersAtOnce(t *testing.T) {
	rig := newRig(t, transport.Options{})
	for name, test := range map[string]struct{ query, data string }{
		"query":            {`{ hello }`, `{"data":{"hello":"hello"}}`},
		"mutation":         {`mutation { say(text: "x") }`, `{"data":{"say":"x"}}`},
		"validation error": {`{ nothing }`, ""},
		"syntax error":     {`{`, ""},
	} {
		t.Run(name+": next, then complete, status 200", func(t *testing.T) {
			s := post(t, rig, body(t, test.query), nil)
			b := s.next()
			if got := s.response.Header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" {
				t.Fatalf("got %s", got)
			}
			if s.response.StatusCode != 200 || b.event != "next" || test.data != "" && b.data != test.data {
				t.Fatalf("got %d, %+v", s.response.StatusCode, b)
			}
			if _, _, code := parse(t, b.data); test.data == "" && (code != "BAD_INPUT" || strings.Contains(b.data, `"data"`)) {
				t.Fatalf("got %s", b.data)
			}
			b = s.next()
			if b.event != "complete" || !slices.Equal(b.fields, []string{"event", "data"}) {
				t.Fatalf("got %+v: EventSource needs the data field", b)
			}
			if _, err := s.block(); !errors.Is(err, io.EOF) {
				t.Fatalf("got %v", err)
			}
		})
	}
	for name, query := range map[string]string{
		"query": `{ hello }`, "validation error": `{ nothing }`, "subscription that can't be opened": `subscription { ticks(log: "missing") }`,
	} {
		t.Run(name+" by GET: next, then complete, status 200", func(t *testing.T) {
			s := get(t, rig, "query="+url.QueryEscape(query), nil)
			if first, last := s.next(), s.next(); s.response.StatusCode != 200 || first.event != "next" || last.event != "complete" {
				t.Fatalf("got %d, %+v, %+v", s.response.StatusCode, first, last)
			}
		})
	}
	t.Run("who takes JSON gets JSON", func(t *testing.T) {
		response, text := rig.Post(t, body(t, `{ hello }`), http.Header{"Accept": {"application/json, text/event-stream"}})
		if response.Header.Get("Content-Type") != "application/json; charset=utf-8" || text != `{"data":{"hello":"hello"}}` {
			t.Fatalf("got %v %s", response.Header, text)
		}
	})
	t.Run("who takes JSON gets subscriptions as a stream", func(t *testing.T) {
		s := post(t, rig, body(t, ticks), http.Header{"Accept": {"application/json, text/event-stream"}})
		rig.Tick("a", "x")
		s.next()
	})
}

func TestResume(t *testing.T) {
	rig := newRig(t, transport.Options{})
	cursors := []string{rig.Tick("a", "0"), rig.Tick("a", "1"), rig.Tick("a", "2")}
	request := func(after, resume string) string {
		return `{"query":"subscription($after: String) { ticks(log: \"a\", after: $after) }","variables":{"after":"` + after +
			`"},"extensions":{"resume":"` + resume + `"}}`
	}
	for name, test := range map[string]struct{ last, resume, after, want string }{
		"Last-Event-ID":                           {last: cursors[0], want: "1"},
		"Last-Event-ID before extensions.resume":  {last: cursors[1], resume: cursors[0], want: "2"},
		"extensions.resume before after":          {resume: cursors[1], after: cursors[0], want: "2"},
		"after":                                   {after: cursors[0], want: "1"},
		"an empty Last-Event-ID counts as absent": {resume: cursors[0], want: "1"},
		"Last-Event-ID before everything":         {last: cursors[0], resume: cursors[1], after: cursors[1], want: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := post(t, rig, request(test.after, test.resume), http.Header{"Last-Event-Id": {test.last}})
			if value, _, _ := parse(t, s.next().data); value != test.want {
				t.Fatalf("got %s, want %s", value, test.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	rig := newRig(t, transport.Options{MaxBody: 1000})
	refused := func(t *testing.T, s *events, status int, code string) {
		t.Helper()
		text, err := io.ReadAll(s.response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, got := parse(t, string(text)); s.response.StatusCode != status || got != code {
			t.Fatalf("got %d %s, want %d %s", s.response.StatusCode, text, status, code)
		}
	}
	t.Run("mutation by GET is 405", func(t *testing.T) {
		s := get(t, rig, "query="+url.QueryEscape(`mutation { say(text: "x") }`), nil)
		refused(t, s, 405, "BAD_INPUT")
		if s.response.Header.Get("Allow") != "POST" {
			t.Fatal("no Allow")
		}
	})
	t.Run("malformed JSON is 400", func(t *testing.T) { refused(t, post(t, rig, `{"query":`, nil), 400, "BAD_INPUT") })
	t.Run("malformed variables are 400", func(t *testing.T) {
		refused(t, get(t, rig, "query=%7Bhello%7D&variables=%7B", nil), 400, "BAD_INPUT")
	})
	t.Run("large body is 413", func(t *testing.T) {
		refused(t, post(t, rig, body(t, strings.Repeat(" ", 1000)), nil), 413, "LIMIT_EXCEEDED")
	})
	t.Run("large query string is 414", func(t *testing.T) {
		refused(t, get(t, rig, "query="+strings.Repeat("+", 1000), nil), 414, "LIMIT_EXCEEDED")
	})
	t.Run("another content type is 415", func(t *testing.T) {
		refused(t, post(t, rig, body(t, ticks), http.Header{"Content-Type": {"text/plain"}}), 415, "BAD_INPUT")
	})
	t.Run("a writer that can't be hijacked is 501", func(t *testing.T) {
		recorder := record(rig, 1, 1)
		if recorder.Code != 501 || !strings.Contains(recorder.Body.String(), "UNAVAILABLE") {
			t.Fatalf("got %d %s", recorder.Code, recorder.Body)
		}
	})
	t.Run("a writer of HTTP/2 that knows no time limits is 501", func(t *testing.T) {
		if recorder := record(rig, 2, 0); recorder.Code != 501 {
			t.Fatalf("got %d %s", recorder.Code, recorder.Body)
		}
	})
	t.Run("HTTP/1.0 is 505", func(t *testing.T) {
		if recorder := record(rig, 1, 0); recorder.Code != 505 {
			t.Fatalf("got %d %s", recorder.Code, recorder.Body)
		}
	})
	t.Run("while draining is 503, to be tried again", func(t *testing.T) {
		rig.Service.Close()
		s := post(t, rig, body(t, ticks), nil)
		if s.response.Header.Get("Retry-After") == "" {
			t.Fatal("no Retry-After")
		}
		refused(t, s, 503, "UNAVAILABLE")
	})
}

// record serves a subscription without a socket.
func record(rig *transporttest.Rig, major, minor int) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"query":"subscription { ticks(log: \"a\") }"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	r.ProtoMajor, r.ProtoMinor = major, minor
	w := httptest.NewRecorder()
	rig.Server.Config.Handler.ServeHTTP(w, r)
	return w
}

func TestChecklistHeartbeat(t *testing.T) {
	rig := newRig(t, transport.Options{Heartbeat: 20 * time.Millisecond})
	s := post(t, rig, body(t, ticks), nil)
	for range 3 {
		for {
			if b, err := s.block(); err != nil {
				t.Fatal(err)
			} else if b.comment != "" {
				break
			}
		}
	}
}

// The chunks are looked at as they are: each holds whole blocks, and the last is the empty one.
func TestChunks(t *testing.T) {
	rig := newRig(t, transport.Options{})
	var dialer net.Dialer
	socket, err := dialer.DialContext(t.Context(), "tcp", rig.Server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := socket.SetDeadline(time.Now().Add(transporttest.Patience)); err != nil {
		t.Fatal(err)
	}
	text := body(t, ticks)
	if _, err := io.WriteString(socket, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nContent-Length: "+
		strconv.Itoa(len(text))+"\r\n\r\n"+text+"GET / HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(socket)
	for line := ""; line != "\r\n"; {
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	readChunk := func() string {
		size, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(in, chunk); err != nil || !strings.HasSuffix(string(chunk), "\r\n") {
			t.Fatalf("%q, %v", chunk, err)
		}
		return string(chunk[:n])
	}
	for _, prefix := range []string{"retry: ", "id: "} {
		if got := readChunk(); !strings.HasPrefix(got, prefix) || !strings.HasSuffix(got, "\n\n") {
			t.Fatalf("got %q", got)
		}
	}
	cursor := rig.Tick("a", "x")
	if got, want := readChunk(), "id: "+cursor+"\nevent: next\ndata: {\"data\":{\"ticks\":\"x\"},\"extensions\":{\"cursor\":\""+cursor+"\"}}\n\n"; got != want {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
	rig.Service.Close()
	if got := readChunk(); !strings.HasPrefix(got, "retry: ") {
		t.Fatalf("got %q", got)
	}
	if got := readChunk(); got != "" {
		t.Fatalf("got %q, want the last chunk", got)
	}
	if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
		t.Fatalf("got %q, %v", rest, err)
	}
}

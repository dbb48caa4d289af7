package multipart_test

import (
	"bufio"
	"context"
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

	"parley/eventlog"
	"parley/transport"
	"parley/transport/transporttest"
)

// The checklist of the multipart protocol for subscriptions, line by line: each subtest of a
// TestChecklist is one. e2e/conformance asks the same from outside.

const ticks = `subscription { ticks(log: "a") }`

func TestChecklistSubscription(t *testing.T) {
	rig := newRig(t, transport.Options{})
	for name, subscribe := range map[string]func(t *testing.T) *parts{
		"by POST": func(t *testing.T) *parts { return post(t, rig, body(t, ticks), nil) },
		"by GET":  func(t *testing.T) *parts { return get(t, rig, "query="+url.QueryEscape(ticks), nil) },
		"by one who takes nothing else": func(t *testing.T) *parts {
			return post(t, rig, body(t, ticks), http.Header{"Accept": {`multipart/mixed; subscriptionSpec="1.0"`}})
		},
		"by one who would rather have another boundary": func(t *testing.T) *parts {
			p := post(t, rig, body(t, ticks), http.Header{"Accept": {`multipart/mixed;boundary="-";subscriptionSpec=1.0`}})
			if got := p.response.Header.Get("Content-Type"); got != `multipart/mixed;boundary="-";subscriptionSpec=1.0` {
				t.Errorf("got %s", got)
			}
			return p
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := subscribe(t)
			p.follow()
			cursor := rig.Tick("a", "x\r\n--graphql--\r\n\u2028")
			told := parse(t, p.next())
			if value, got, _ := told.result(t); value != "x\r\n--graphql--\r\n\u2028" || got != cursor || told.Errors != nil {
				t.Fatalf("got %+v", told)
			}
			p.Close() // which unsubscribes
			rig.WaitUntilIdle(t)
		})
	}
}

func TestChecklistHead(t *testing.T) {
	rig := newRig(t, transport.Options{})
	p := post(t, rig, body(t, ticks), nil) // the head is there before any event
	for name, want := range map[string]string{
		"Content-Type":      `multipart/mixed;boundary="graphql";subscriptionSpec=1.0`,
		"Cache-Control":     "no-cache, no-transform",
		"X-Accel-Buffering": "no",
		"Keep-Alive":        "timeout=300",
		"Vary":              "Accept",
	} {
		if got := p.response.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if p.response.StatusCode != 200 || p.response.Proto != "HTTP/1.1" || !slices.Equal(p.response.TransferEncoding, []string{"chunked"}) {
		t.Errorf("got %+v", p.response)
	}
	t.Run("a first part before any event", func(t *testing.T) { p.want("{}") })
	t.Run("the position at the start", func(t *testing.T) {
		p.want(`{"extensions":{"cursor":"` + rig.Logs.Tail("a").String() + `"}}`)
	})
}

func TestChecklistHeartbeat(t *testing.T) {
	rig := newRig(t, transport.Options{Heartbeat: 20 * time.Millisecond})
	p := post(t, rig, body(t, ticks), nil)
	p.follow()
	for range 3 {
		p.want("{}")
	}
}

func TestChecklistAnswersAtOnce(t *testing.T) {
	rig := newRig(t, transport.Options{})
	multipartOnly := http.Header{"Accept": {"multipart/mixed;subscriptionSpec=1.0"}}
	for name, test := range map[string]struct{ query, part, code string }{
		"query":                             {query: `{ hello }`, part: `{"payload":{"data":{"hello":"hello"}}}`},
		"mutation":                          {query: `mutation { say(text: "x") }`, part: `{"payload":{"data":{"say":"x"}}}`},
		"syntax error":                      {query: `{`, code: "BAD_INPUT"},
		"validation error":                  {query: `{ nothing }`, code: "BAD_INPUT"},
		"subscription that can't be opened": {query: `subscription { ticks(log: "missing") }`, code: "NOT_FOUND"},
	} {
		t.Run(name+": a payload, then the end, to who takes nothing else", func(t *testing.T) {
			p := post(t, rig, body(t, test.query), multipartOnly)
			part := p.next()
			if p.response.StatusCode != 200 || test.part != "" && part != test.part {
				t.Fatalf("got %d %s", p.response.StatusCode, part)
			}
			told := parse(t, part)
			if _, _, code := told.result(t); code != test.code || told.Errors != nil {
				t.Fatalf("got %s", part)
			}
			p.wantEnd()
		})
	}
	for name, test := range map[string]struct {
		accept, query string
		status        int
	}{
		"a query of Apollo Client's":           {"application/graphql-response+json,application/json;q=0.9", `{ hello }`, 200},
		"a query by who takes both":            {accepted, `{ hello }`, 200},
		"a bad subscription by who takes both": {accepted, `subscription { nothing }`, 400},
		"a query by who takes @defer":          {"multipart/mixed;deferSpec=20220824,application/json", `{ hello }`, 200},
		"@defer only":                          {"multipart/mixed;deferSpec=20220824", `{ hello }`, 406},
		"a subscription by who takes @defer":   {"multipart/mixed;deferSpec=20220824,application/json", ticks, 406},
		"another version":                      {"multipart/mixed;subscriptionSpec=2.0,application/json", ticks, 406},
	} {
		t.Run(name+" is answered in JSON", func(t *testing.T) {
			response, text := rig.Post(t, body(t, test.query), http.Header{"Accept": {test.accept}})
			if media := response.Header.Get("Content-Type"); !strings.Contains(media, "json") || response.StatusCode != test.status {
				t.Fatalf("got %d %s: %s", response.StatusCode, media, text)
			}
		})
	}
}

func TestChecklistEnds(t *testing.T) {
	t.Run("an error of the operation, when she is removed", func(t *testing.T) {
		rig := newRig(t, transport.Options{})
		p := post(t, rig, body(t, ticks), http.Header{"Viewer": {"ada"}})
		p.follow()
		rig.Logs.Publish("a", transporttest.KindHidden, "", eventlog.AccessChange{Principal: "ada", Change: eventlog.AccessRevoked})
		told := parse(t, p.next())
		if _, _, code := told.result(t); code != "FORBIDDEN" || told.Errors != nil {
			t.Fatalf("got %+v", told)
		}
		p.want("{}")
		p.wantEnd()
	})
	t.Run("nothing but the end, when she has left", func(t *testing.T) {
		rig := newRig(t, transport.Options{})
		p := post(t, rig, body(t, ticks), http.Header{"Viewer": {"ada"}})
		p.follow()
		rig.Logs.Publish("a", transporttest.KindHidden, "", eventlog.AccessChange{Principal: "ada", Change: eventlog.AccessLeft})
		p.want("{}")
		p.wantEnd()
	})
	t.Run("an error of the transport, when the token has expired", func(t *testing.T) {
		rig := newRig(t, transport.Options{Expires: func(context.Context) (time.Time, bool) {
			return time.Now().Add(50 * time.Millisecond), true
		}})
		p := post(t, rig, body(t, ticks), nil)
		p.follow()
		p.want(`{"payload":null,"errors":[{"message":"The token has expired","extensions":{"code":"UNAUTHENTICATED"}}]}`)
		p.wantEnd()
	})
	t.Run("an error of the transport, when the server stops: the end alone would mean that all is told", func(t *testing.T) {
		rig := newRig(t, transport.Options{CloseTimeout: 100 * time.Millisecond})
		p := post(t, rig, body(t, ticks), nil)
		p.follow()
		rig.Service.Close()
		p.want(`{"payload":null,"errors":[{"message":"Server restarts, please reconnect","extensions":{"code":"UNAVAILABLE"}}]}`)
		p.wantEnd()
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
		"Last-Event-ID before everything": {last: cursors[0], resume: cursors[1], after: cursors[1], want: "1"},
		"extensions.resume before after":  {resume: cursors[1], after: cursors[0], want: "2"},
		"after":                           {after: cursors[0], want: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			p := post(t, rig, request(test.after, test.resume), http.Header{"Last-Event-Id": {test.last}})
			p.follow()
			if value, _, _ := parse(t, p.next()).result(t); value != test.want {
				t.Fatalf("got %s, want %s", value, test.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	rig := newRig(t, transport.Options{MaxBody: 1000})
	refused := func(t *testing.T, p *parts, status int, code string) {
		t.Helper()
		text, err := io.ReadAll(p.response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if told := parse(t, string(text)); p.response.StatusCode != status || len(told.Errors) == 0 || told.Errors[0].Extensions.Code != code {
			t.Fatalf("got %d %s, want %d %s", p.response.StatusCode, text, status, code)
		}
	}
	t.Run("mutation by GET is 405", func(t *testing.T) {
		refused(t, get(t, rig, "query="+url.QueryEscape(`mutation { say(text: "x") }`), nil), 405, "BAD_INPUT")
	})
	t.Run("malformed JSON is 400", func(t *testing.T) { refused(t, post(t, rig, `{"query":`, nil), 400, "BAD_INPUT") })
	t.Run("large body is 413", func(t *testing.T) {
		refused(t, post(t, rig, body(t, strings.Repeat(" ", 1000)), nil), 413, "LIMIT_EXCEEDED")
	})
	t.Run("another content type is 415", func(t *testing.T) {
		refused(t, post(t, rig, body(t, ticks), http.Header{"Content-Type": {"text/plain"}}), 415, "BAD_INPUT")
	})
	for name, test := range map[string]struct{ major, minor, status int }{
		"a writer that can't be hijacked is 501":         {1, 1, 501},
		"one of HTTP/2 that knows no time limits is 501": {2, 0, 501},
		"HTTP/1.0 is 505": {1, 0, 505},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body(t, ticks)))
			r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {accepted}}
			r.ProtoMajor, r.ProtoMinor = test.major, test.minor
			w := httptest.NewRecorder()
			rig.Server.Config.Handler.ServeHTTP(w, r)
			if w.Code != test.status || !strings.Contains(w.Body.String(), "multipart responses") {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
		})
	}
	t.Run("while draining is 503, to be tried again", func(t *testing.T) {
		rig.Service.Close()
		p := post(t, rig, body(t, ticks), nil)
		if p.response.Header.Get("Retry-After") == "" {
			t.Fatal("no Retry-After")
		}
		refused(t, p, 503, "UNAVAILABLE")
	})
}

// The chunks are looked at as they are: each holds whole parts, with the delimiter that says so.
func TestChunks(t *testing.T) {
	rig := newRig(t, transport.Options{CloseTimeout: 100 * time.Millisecond})
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
	if _, err := io.WriteString(socket, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: "+accepted+"\r\nContent-Length: "+
		strconv.Itoa(len(text))+"\r\n\r\n"+text+"GET / HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(socket)
	for line := ""; line != "\r\n"; {
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	wantChunk := func(want string) {
		t.Helper()
		got := make([]byte, len(strconv.FormatInt(int64(len(want)), 16))+4+len(want))
		if _, err := io.ReadFull(in, got); err != nil || string(got) != string(transport.Chunked.Part([]byte(want))) {
			t.Fatalf("got  %q, %v\nwant %q", got, err, want)
		}
	}
	const head, delimiter = "Content-Type: application/json\r\n\r\n", "\r\n--graphql\r\n"
	wantChunk(delimiter + head + "{}" + delimiter)
	wantChunk(head + `{"extensions":{"cursor":"` + rig.Logs.Tail("a").String() + `"}}` + delimiter)
	cursor := rig.Tick("a", "x")
	wantChunk(head + `{"payload":{"data":{"ticks":"x"},"extensions":{"cursor":"` + cursor + `"}}}` + delimiter)
	rig.Service.Close()
	wantChunk(head + `{"payload":null,"errors":[{"message":"Server restarts, please reconnect","extensions":{"code":"UNAVAILABLE"}}]}` + "\r\n--graphql--\r\n")
	if rest, err := io.ReadAll(in); string(rest) != transport.Chunked.End() || err != nil {
		t.Fatalf("got %q, %v", rest, err)
	}
}

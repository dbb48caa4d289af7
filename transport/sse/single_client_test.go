package sse_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"parley/reservation"
	"parley/reservation/reservationtest"
	"parley/transport"
	"parley/transport/graphqlhttp"
	"parley/transport/sse"
	"parley/transport/transporttest"
)

// renewed counts the streams that went on with a newer token.
var renewed atomic.Int64

// singleOf makes the transport over a store.
func singleOf(store reservation.Store, o reservation.Options) func(*transport.Service) graphql.Transport {
	return func(s *transport.Service) graphql.Transport {
		if o.Patience == 0 {
			o.Patience = 100 * time.Millisecond
		}
		return sse.Single{
			Service: s, Book: reservation.NewBook(store, o),
			Holder: func(ctx context.Context) (reservation.Holder, bool) {
				viewer := transporttest.ViewerFrom(ctx)
				expires := time.Now().Add(time.Hour)
				text, _ := json.Marshal(held{viewer, expires})
				return reservation.Holder{User: viewer, Viewer: text, Expires: expires}, viewer != ""
			},
			Admit: func(_ *http.Request, text []byte) (context.Context, error) {
				var by held
				if err := json.Unmarshal(text, &by); err != nil || by.Viewer == "mallory" {
					return nil, errors.New("the token has expired")
				}
				return transporttest.WithViewer(context.Background(), by.Viewer), nil
			},
			Renew: func(*transport.Conn, []byte) error {
				renewed.Add(1)
				return nil
			},
		}
	}
}

// held is who holds a reservation, and by which token.
type held struct {
	Viewer  string
	Expires time.Time
}

// node is one of several servers of one store.
type node struct {
	*transporttest.Rig
	store *reservationtest.Memory
}

func newNode(t testing.TB, store *reservationtest.Memory, options transport.Options, o reservation.Options) *node {
	t.Helper()
	rig := transporttest.NewRig(t, options, singleOf(store, o), construct, func(s *transport.Service) graphql.Transport {
		return graphqlhttp.Transport{Service: s}
	})
	return &node{rig, store}
}

func newSingle(t testing.TB, options transport.Options, o reservation.Options) *node {
	t.Helper()
	return newNode(t, reservationtest.NewMemory(), options, o)
}

// member is a client of the single connection mode, and whom it is.
type member struct {
	t      testing.TB
	viewer string
	token  string
}

// ask sends a request, and returns the answer, its body read.
func (m *member) ask(n *node, method, query, body string, header http.Header) (*http.Response, string) {
	m.t.Helper()
	request, err := http.NewRequestWithContext(m.t.Context(), method, n.Server.URL+query, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if m.viewer != "" {
		request.Header.Set("Viewer", m.viewer)
	}
	if m.token != "" {
		request.Header.Set("X-GraphQL-Event-Stream-Token", m.token)
	}
	return n.Do(m.t, request, header)
}

// expect sends a request and fails unless it is answered by a status, and with an error by its code.
func (m *member) expect(n *node, method, query, body string, header http.Header, status int, code string) {
	m.t.Helper()
	response, text := m.ask(n, method, query, body, header)
	got := ""
	if text != "" && response.StatusCode >= 400 {
		_, _, got = parse(m.t, text)
	}
	if response.StatusCode != status || got != code {
		m.t.Fatalf("%s %s: got %d %s, want %d %s", method, query, response.StatusCode, text, status, code)
	}
}

// reserve makes a reservation.
func reserve(t testing.TB, n *node, viewer string) *member {
	t.Helper()
	m := &member{t: t, viewer: viewer}
	response, token := m.ask(n, http.MethodPut, "", "", nil)
	if response.StatusCode != http.StatusCreated || len(token) < 40 {
		t.Fatalf("PUT: %d %s", response.StatusCode, token)
	}
	m.token = token
	return m
}

// open opens the stream, which must be there.
func (m *member) open(n *node, last string) *events {
	m.t.Helper()
	s := m.tryOpen(n, last)
	if s.response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(s.response.Body)
		m.t.Fatalf("GET: %d %s", s.response.StatusCode, text)
	}
	return s
}

func (m *member) tryOpen(n *node, last string) *events {
	m.t.Helper()
	return get(m.t, n.Rig, "", http.Header{
		"Viewer": {m.viewer}, "X-Graphql-Event-Stream-Token": {m.token}, "Last-Event-Id": {last},
	})
}

// post asks for an operation; resume may be "".
func (m *member) post(n *node, id, query, resume string) (*http.Response, string) {
	m.t.Helper()
	extensions := map[string]any{"operationId": id}
	if resume != "" {
		extensions["resume"] = resume
	}
	body, err := json.Marshal(map[string]any{"query": query, "extensions": extensions})
	if err != nil {
		m.t.Fatal(err)
	}
	return m.ask(n, http.MethodPost, "", string(body), nil)
}

// run asks for an operation, which must be accepted.
func (m *member) run(n *node, id, query string) {
	m.t.Helper()
	if response, text := m.post(n, id, query, ""); response.StatusCode != http.StatusAccepted {
		m.t.Fatalf("POST: %d %s", response.StatusCode, text)
	}
}

// told is what an event of the single connection mode says.
type told struct {
	event, id string
	value     string
	code      string
	last      string // the event's id:
}

func readTold(t testing.TB, b block) told {
	t.Helper()
	var data struct {
		ID      string
		Payload json.RawMessage
	}
	if err := json.Unmarshal([]byte(b.data), &data); err != nil {
		t.Fatalf("%v in %q", err, b.data)
	}
	got := told{event: b.event, id: data.ID, last: b.id}
	if data.Payload != nil {
		got.value, _, got.code = parse(t, string(data.Payload))
	}
	return got
}

// hear reads the next event.
func hear(s *events) told {
	s.t.Helper()
	return readTold(s.t, s.next())
}

// hears fails unless the next event is as it should be, and returns its id:.
func hears(s *events, want told) (last string) {
	s.t.Helper()
	got := hear(s)
	last = got.last
	if got.last = ""; got != want {
		s.t.Fatalf("got %+v, want %+v", got, want)
	}
	if last == "" {
		s.t.Fatal("an event without id:")
	}
	return last
}

func next(id, value string) told { return told{event: "next", id: id, value: value} }

func complete(id string) told { return told{event: "complete", id: id} }

// singleClient is the suite's client.
type singleClient struct{}

func (singleClient) Construct(s *transport.Service) graphql.Transport {
	return singleOf(reservationtest.NewMemory(), reservation.Options{Most: 1000})(s)
}

var ticksLog = regexp.MustCompile(`log: "([^"]*)"`)

// Subscribe subscribes on a stream of its own. A viewer of no name is somebody all the same.
func (singleClient) Subscribe(t testing.TB, rig *transporttest.Rig, viewer, query, resume string) transporttest.Stream {
	t.Helper()
	if viewer == "" {
		viewer = "somebody"
	}
	n := &node{Rig: rig}
	m := &member{t: t, viewer: viewer}
	response, token := m.ask(n, http.MethodPut, "", "", nil)
	if response.StatusCode != http.StatusCreated { // the node stops
		return singleStream{over: true}
	}
	m.token = token
	s := m.tryOpen(n, "")
	if s.response.StatusCode != http.StatusOK {
		return singleStream{events: s, over: true}
	}
	m.post(n, "1", query, resume) // what is wrong with it is told on the stream
	id, err := reservation.IDOf(token)
	if err != nil {
		t.Fatal(err)
	}
	log := ""
	if match := ticksLog.FindStringSubmatch(query); match != nil {
		log = match[1]
	}
	return singleStream{events: s, id: id, log: log}
}

type singleStream struct {
	*events
	id, log string
	over    bool
}

// Close hangs up.
func (s singleStream) Close() {
	if s.events != nil {
		s.events.Close()
	}
}

// Next makes an error that ends the subscription one item of the next that carries it.
func (s singleStream) Next() transporttest.Item {
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
			var data struct{ Payload json.RawMessage }
			if err := json.Unmarshal([]byte(b.data), &data); err != nil {
				s.t.Fatal(err)
			}
			value, cursor, code := parse(s.t, string(data.Payload))
			if code != "" {
				return transporttest.Item{Kind: transporttest.Errors, Code: code}
			}
			if reached := s.position(b.id); reached != cursor {
				s.t.Errorf("id %q says %q, but extensions.cursor %q", b.id, reached, cursor)
			}
			return transporttest.Item{Kind: transporttest.Event, Value: value, Cursor: cursor}
		case b.id != "":
			if cursor := s.position(b.id); cursor != "" {
				return transporttest.Item{Kind: transporttest.Position, Cursor: cursor}
			}
		}
	}
}

// position is how far the first operation has come.
func (s singleStream) position(id string) string {
	s.t.Helper()
	p, err := reservation.ParseProgress(id, s.id)
	if err != nil {
		s.t.Fatalf("%v: %q", err, id)
	}
	if at := p.At(1, s.log); at.Kind != 0 {
		return at.String()
	}
	return ""
}

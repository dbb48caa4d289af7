package sse_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
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

// unsure is how many of the next renewals can't be judged yet.
var unsure atomic.Int64

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
				if unsure.Add(-1) >= 0 {
					return transport.ErrTryLater
				}
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
	response, text, err := m.tryAsk(n, method, query, body, header)
	if err != nil {
		m.t.Fatal(err)
	}
	return response, text
}

func (m *member) tryAsk(n *node, method, query, body string, header http.Header) (*http.Response, string, error) {
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
	return n.TryDo(request, header)
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

// tryOpen asks for the stream, which may be refused.
func (m *member) tryOpen(n *node, last string) *events {
	m.t.Helper()
	s, err := m.reach(n, last)
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// reach is tryOpen where the network may fail.
func (m *member) reach(n *node, last string) (*events, error) {
	m.t.Helper()
	return tryGet(m.t, n.Rig, "", http.Header{
		"Viewer": {m.viewer}, "X-Graphql-Event-Stream-Token": {m.token}, "Last-Event-Id": {last},
	})
}

// post asks for an operation; resume may be "".
func (m *member) post(n *node, id, query, resume string) (*http.Response, string) {
	m.t.Helper()
	return m.ask(n, http.MethodPost, "", operation(m.t, id, query, resume), nil)
}

// operation is the body of a request for an operation.
func operation(t testing.TB, id, query, resume string) string {
	t.Helper()
	extensions := map[string]any{"operationId": id}
	if resume != "" {
		extensions["resume"] = resume
	}
	body, err := json.Marshal(map[string]any{"query": query, "extensions": extensions})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
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
	id, payload := readData(t, b)
	got := told{event: b.event, id: id, last: b.id}
	if payload != "" {
		got.value, _, got.code = parse(t, payload)
	}
	return got
}

// readData returns which operation an event is of, and its payload.
func readData(t testing.TB, b block) (operation, payload string) {
	t.Helper()
	var data struct {
		ID      string
		Payload json.RawMessage
	}
	if err := json.Unmarshal([]byte(b.data), &data); err != nil {
		t.Fatalf("%v in %q", err, b.data)
	}
	return data.ID, string(data.Payload)
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

package sse_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"parley/reservation"
	"parley/reservation/reservationtest"
	"parley/transport"
	"parley/transport/transporttest"
)

func TestSingleScenarios(t *testing.T) { transporttest.Run(t, singleClient{}) }

// singleClient is the suite's client of the single connection mode.
type singleClient struct{}

func (singleClient) Construct(s *transport.Service) graphql.Transport {
	return singleOf(reservationtest.NewMemory(), reservation.Options{Most: 1000})(s)
}

// Subscribe subscribes on a stream of its own. A viewer of no name is somebody all the same.
func (singleClient) Subscribe(t testing.TB, rig *transporttest.Rig, viewer, query, resume string) transporttest.Stream {
	t.Helper()
	if viewer == "" {
		viewer = "somebody"
	}
	s := &singleStream{member: &member{t: t, viewer: viewer}, node: &node{Rig: rig}, told: map[uint64]string{}, failed: map[string]bool{}}
	response, token, err := s.tryAsk(s.node, http.MethodPut, "", "", nil)
	if err != nil { // the connection may be one of another stream's requests that was cut: net/http doesn't send a PUT again
		response, token, err = s.tryAsk(s.node, http.MethodPut, "", "", nil)
	}
	if err != nil || response.StatusCode != http.StatusCreated {
		t.Logf("PUT: %v %s", err, token)
		s.over = true
		return s
	}
	s.token = token
	if s.id, err = reservation.IDOf(token); err != nil {
		t.Fatal(err)
	}
	if s.events, err = s.reach(s.node, ""); err != nil || s.response.StatusCode != http.StatusOK {
		t.Logf("GET: %v", err)
		s.over = true
		return s
	}
	s.Start("", query, resume)
	return s
}

// singleStream is a member's. The id of the first operation is "s".
type singleStream struct {
	*member
	*events
	node *node
	id   string // the reservation's
	over bool
	// started are the operations asked for, which have the numbers from 1; told are their positions, by number.
	started []startedOperation
	told    map[uint64]string
	failed  map[string]bool // operations that have ended with errors
}

type startedOperation struct{ operation, log string }

var ticksLog = regexp.MustCompile(`log: "([^"]*)"`)

// Start implements transporttest.Multiplexed. What is wrong with the operation is told on the stream.
func (s *singleStream) Start(id, query, resume string) {
	s.member.t.Helper()
	started := startedOperation{operation: id}
	if match := ticksLog.FindStringSubmatch(query); match != nil {
		started.log = match[1]
	}
	s.started = append(s.started, started)
	response, text, err := s.tryAsk(s.node, http.MethodPost, "", operation(s.member.t, s.idOf(id), query, resume), nil)
	if err != nil {
		s.member.t.Logf("POST: %v", err)
	}
	if s.over = s.over || err != nil; !s.over && response.StatusCode != http.StatusAccepted {
		s.member.t.Errorf("operation %q: %d %s", id, response.StatusCode, text)
	}
}

// Stop implements transporttest.Multiplexed.
func (s *singleStream) Stop(id string) {
	s.member.t.Helper()
	query := "?operationId=" + url.QueryEscape(s.idOf(id))
	response, text, err := s.tryAsk(s.node, http.MethodDelete, query, "", nil)
	if s.over = s.over || err != nil; !s.over && response.StatusCode != http.StatusOK {
		s.member.t.Errorf("stopping %q: %d %s", id, response.StatusCode, text)
	}
}

func (s *singleStream) idOf(operation string) string {
	if operation == "" {
		return "s"
	}
	return operation
}

// Close hangs up.
func (s *singleStream) Close() {
	if s.events != nil {
		s.events.Close()
	}
}

// Next makes an error that ends an operation one item of the next that carries it.
func (s *singleStream) Next() transporttest.Item {
	if s.over {
		return transporttest.Item{Kind: transporttest.End}
	}
	s.member.t.Helper()
	for {
		b, err := s.block()
		switch {
		case err != nil:
			s.member.t.Logf("the stream: %v", err)
			return transporttest.Item{Kind: transporttest.End, Retry: s.retries > 1}
		case b.retry != "":
			s.retries++
		case b.event != "":
			if item := s.item(b); item.Kind != transporttest.Complete || !s.failed[item.Operation] { // the errors said so
				s.failed[item.Operation] = item.Kind == transporttest.Errors
				return item
			}
		case b.id != "":
			if moved := s.positions(b.id); len(moved) > 0 {
				return moved[0] // what others have moved meanwhile was told before, or will be
			}
		}
	}
}

func (s *singleStream) item(b block) transporttest.Item {
	s.member.t.Helper()
	item := transporttest.Item{Kind: transporttest.Complete}
	id, payload := readData(s.member.t, b)
	if item.Operation = id; id == "s" {
		item.Operation = ""
	}
	if b.event == "complete" {
		return item
	}
	item.Kind = transporttest.Event
	if item.Value, item.Cursor, item.Code = parse(s.member.t, payload); item.Code != "" {
		return transporttest.Item{Kind: transporttest.Errors, Operation: item.Operation, Code: item.Code}
	}
	told := item.Cursor == ""
	for _, moved := range s.positions(b.id) {
		told = told || moved.Operation == item.Operation && moved.Cursor == item.Cursor
	}
	if !told {
		s.member.t.Errorf("id %q doesn't say %q, as extensions.cursor does", b.id, item.Cursor)
	}
	return item
}

// positions are those that an id: tells and were another before.
func (s *singleStream) positions(id string) (moved []transporttest.Item) {
	s.member.t.Helper()
	p, err := reservation.ParseProgress(id, s.id)
	if err != nil {
		s.member.t.Errorf("%v: %q", err, id)
		return nil
	}
	for i, started := range s.started {
		number := uint64(i) + 1
		if at := p.At(number, started.log); at.Kind != 0 && s.told[number] != at.String() {
			s.told[number] = at.String()
			moved = append(moved, transporttest.Item{Kind: transporttest.Position, Operation: started.operation, Cursor: at.String()})
		}
	}
	return moved
}

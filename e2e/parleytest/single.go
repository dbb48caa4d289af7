package parleytest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Single is a client of graphql-sse's single connection mode: a reservation, by whichever node a request comes to.
type Single struct {
	*Client
	Token string
}

// SingleEvent is an event of its stream.
type SingleEvent struct {
	// Event is "next" or "complete"; "" for what only tells a position.
	Event string
	// Operation is whose it is, Result what a next brings.
	Operation string
	Result    Result
	// ID is the event's own, by which the stream is resumed.
	ID string
}

// SingleStream is an open stream. Events is closed after its end.
type SingleStream struct {
	Events <-chan SingleEvent
	Close  func()
}

// Do sends a request as the reservation's holder and returns the status, with the body; 0 where nobody answers.
func (s *Single) Do(ctx context.Context, method, query string, body any) (status int, text string) {
	var reader io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return 0, err.Error()
		}
		reader = strings.NewReader(string(encoded))
	}
	response, err := s.send(ctx, method, query, reader, "*/*", "")
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(answer)
}

func (s *Single) send(ctx context.Context, method, query string, body io.Reader, accept, last string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.URL+"/graphql"+query, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", accept)
	if s.Client.Token != "" {
		r.Header.Set("Authorization", "Bearer "+s.Client.Token)
	}
	if s.Token != "" {
		r.Header.Set("X-GraphQL-Event-Stream-Token", s.Token)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	return s.HTTP.Do(r)
}

// Reserve makes a reservation.
func Reserve(t testing.TB, c *Client) *Single {
	t.Helper()
	s := &Single{Client: c}
	status, token := s.Do(t.Context(), http.MethodPut, "", nil)
	if status != http.StatusCreated {
		t.Fatalf("reserving: %d %s", status, token)
	}
	s.Token = token
	return s
}

// Run asks for an operation under an id and returns the status.
func (s *Single) Run(ctx context.Context, id string, op Operation) (status int, text string) {
	op.Extensions = map[string]any{"operationId": id}
	return s.Do(ctx, http.MethodPost, "", op)
}

// MustRun asks for an operation, which must be accepted.
func (s *Single) MustRun(t testing.TB, id string, op Operation) {
	t.Helper()
	if status, text := s.Run(t.Context(), id, op); status != http.StatusAccepted {
		t.Fatalf("operation %s: %d %s", id, status, text)
	}
}

// Open opens the stream, from an event's id if that isn't "".
func (s *Single) Open(ctx context.Context, last string) (*SingleStream, int, error) {
	ctx, cancel := context.WithCancel(ctx)
	response, err := s.send(ctx, http.MethodGet, "", nil, "text/event-stream", last)
	if err != nil {
		cancel()
		return nil, 0, err
	}
	if response.StatusCode != http.StatusOK {
		cancel()
		_ = response.Body.Close()
		return nil, response.StatusCode, fmt.Errorf("status %d", response.StatusCode)
	}
	events := make(chan SingleEvent, frameBuffer)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(events)
		defer response.Body.Close()
		readSingle(bufio.NewReaderSize(response.Body, 1<<16), events)
	})
	return &SingleStream{Events: events, Close: func() { cancel(); reading.Wait() }}, response.StatusCode, nil
}

// readSingle reads blocks until the stream's end; one that was cut is no block.
func readSingle(r *bufio.Reader, events chan<- SingleEvent) {
	var e SingleEvent
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			e.Event = value
		case "id":
			e.ID = value
		case "data":
			var data struct {
				ID      string
				Payload Result
			}
			if json.Unmarshal([]byte(value), &data) != nil {
				return
			}
			e.Operation, e.Result = data.ID, data.Payload
		case "":
			if line != "\n" { // a comment
				continue
			}
			if e.ID != "" || e.Event != "" {
				events <- e
			}
			e = SingleEvent{}
		}
	}
}

package parleytest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// OverSSE runs an operation over an event stream of its own, by POST. A string in the operation's
// extensions under "lastEventId" is sent as the Last-Event-ID header instead.
func OverSSE(ctx context.Context, c *Client, op Operation) (*Stream, error) {
	lastEventID, _ := op.Extensions["lastEventId"].(string)
	if lastEventID != "" {
		op.Extensions = nil
	}
	return overHTTP(ctx, c, op, http.Header{"Accept": {"text/event-stream"}, "Last-Event-Id": {lastEventID}}, func(r *http.Response, frames chan<- Frame) {
		readEvents(bufio.NewReaderSize(r.Body, 1<<16), frames)
	})
}

// overHTTP posts an operation and has the body of the response read.
func overHTTP(ctx context.Context, c *Client, op Operation, header http.Header, read func(*http.Response, chan<- Frame)) (*Stream, error) {
	body, err := json.Marshal(op)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		cancel()
		return nil, err
	}
	r.Header = header
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.Token)
	response, err := c.HTTP.Do(r)
	if err != nil {
		cancel()
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		cancel()
		_ = response.Body.Close()
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	frames := make(chan Frame, frameBuffer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(frames)
		defer response.Body.Close()
		read(response, frames)
	}()
	return &Stream{Frames: frames, Close: func() { cancel(); <-done }}, nil
}

// readEvents parses an event stream (WHATWG HTML, 9.2.6) as far as Parley's goes.
func readEvents(r *bufio.Reader, frames chan<- Frame) {
	var event, id string
	var data []byte
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			frames <- Frame{End: true, Err: err}
			return
		}
		line = strings.TrimRight(line, "\r\n")
		if line != "" {
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch name {
			case "event":
				event = value
			case "id":
				id = value
			case "data":
				data = append(data, value...)
			}
			continue
		}
		f := Frame{Cursor: id, End: event == "complete"}
		if event == "next" {
			if err := json.Unmarshal(data, &f.Result); err != nil {
				frames <- Frame{End: true, Err: err}
				return
			}
		}
		if event != "" || id != "" {
			frames <- f
		}
		if f.End {
			return
		}
		event, id, data = "", "", nil
	}
}

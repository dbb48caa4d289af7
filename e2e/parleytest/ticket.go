package parleytest

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// OverTicket opens the stream of a ticket at a node, as an EventSource does. The status is that of
// the answer; other than 200 it is an error.
func OverTicket(ctx context.Context, node *Node, ticket, lastEventID string) (s *Stream, status int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, node.URL+"/graphql?ticket="+url.QueryEscape(ticket), nil)
	if err != nil {
		cancel()
		return nil, 0, err
	}
	r.Header.Set("Accept", "text/event-stream")
	if lastEventID != "" {
		r.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		cancel()
		return nil, 0, err
	}
	if response.StatusCode != http.StatusOK {
		cancel()
		_ = response.Body.Close()
		return nil, response.StatusCode, fmt.Errorf("status %d", response.StatusCode)
	}
	frames := make(chan Frame, frameBuffer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(frames)
		defer response.Body.Close()
		readEvents(bufio.NewReaderSize(response.Body, 1<<16), frames)
	}()
	return &Stream{Frames: frames, Close: func() { cancel(); <-done }}, response.StatusCode, nil
}

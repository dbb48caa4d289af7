package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// testServer is a server of this process in development mode, with a user's token.
type testServer struct {
	testing.TB
	url, token string
}

func startServer(t testing.TB, args ...string) *testServer {
	t.Helper()
	c, err := settings(t, append([]string{"--addr=127.0.0.1:0", "--admin-addr=off", "--data=" + t.TempDir()}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := build(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.main.Close()
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.listen(); err != nil {
		t.Fatal(err)
	}
	s.serve()
	server := &testServer{TB: t, url: "http://" + s.main.Addr}
	var signed struct{ Token string }
	server.post("/dev/token", map[string]any{"user": "ada"}, &signed)
	server.token = signed.Token
	return server
}

func (s *testServer) post(path string, body, into any) {
	s.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		s.Fatal(err)
	}
	request, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url+path, strings.NewReader(string(encoded)))
	if err != nil {
		s.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil || response.StatusCode != http.StatusOK {
		s.Fatalf("status %d, %v", response.StatusCode, err)
	}
}

// stream opens an event stream with a ticket; it ends with the test.
func (s *testServer) stream(ticket string) (*http.Response, *bufio.Scanner) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	s.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/graphql?ticket="+url.QueryEscape(ticket), nil)
	if err != nil {
		s.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = response.Body.Close() })
	return response, bufio.NewScanner(response.Body)
}

// TestRefusedStreamsLeaveTheirTickets: a stream that is refused for a count doesn't end the one that its
// ticket serves, and doesn't count.
func TestRefusedStreamsLeaveTheirTickets(t *testing.T) {
	s := startServer(t, "--max-connections-user=1", "--heartbeat=1s")
	operate := func(query string) (data map[string]map[string]any) {
		t.Helper()
		var result struct {
			Data   map[string]map[string]any
			Errors []any
		}
		s.post("/graphql", map[string]any{"query": query}, &result)
		if len(result.Errors) > 0 {
			t.Fatal(result.Errors)
		}
		return result.Data
	}
	operate(`mutation { joinRoom(input: {roomId: "r_general"}) { room { id } } }`)
	made := operate(`mutation { createTicket(input: {document: "subscription { messageAdded(roomId: \"r_general\") { content } }"}) { ticket } }`)
	ticket, _ := made["createTicket"]["ticket"].(string)

	served, lines := s.stream(ticket)
	if served.StatusCode != http.StatusOK {
		t.Fatalf("the first stream: status %d", served.StatusCode)
	}
	until := func(field string) string {
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), field) {
				return lines.Text()
			}
		}
		t.Fatalf("the stream ended without %s (%v)", field, lines.Err())
		return ""
	}
	until("id:") // now it is counted
	for range 3 {
		refused, _ := s.stream(ticket)
		if refused.StatusCode != http.StatusTooManyRequests {
			t.Fatalf("one stream too many: status %d", refused.StatusCode)
		}
	}
	operate(`mutation { sendMessage(input: {roomId: "r_general", content: "still here"}) { message { id } } }`)
	if told := until("data:"); !strings.Contains(told, "still here") {
		t.Fatalf("the stream that was served is told %q", told)
	}
	_ = served.Body.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		again, _ := s.stream(ticket)
		if again.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("when it has ended: status %d", again.StatusCode)
		}
	}
}

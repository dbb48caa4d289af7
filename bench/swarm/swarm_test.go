package swarm_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"parley/bench/swarm"
	"parley/bench/wire"
)

// sink keeps what it's told.
type sink struct {
	mu    sync.Mutex
	texts []string
	ended error
}

func (s *sink) Received(text []byte, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts = append(s.texts, string(text))
}

func (s *sink) Ended(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = err
}

func (s *sink) has(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.texts) == n
}

func (s *sink) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended != nil
}

// pair is a connection over loopback: the server's end, and the client's.
func pair(t *testing.T) (net.Conn, *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server, client.(*net.TCPConn)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestSwarmReadsPausesAndEnds(t *testing.T) {
	s, err := swarm.New(2)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const members = 50
	servers, members2, sinks := make([]net.Conn, members), make([]*swarm.Member, members), make([]*sink, members)
	for i := range members {
		server, client := pair(t)
		servers[i], sinks[i] = server, &sink{}
		if members2[i], err = s.Add(client, []byte("before\nbeg"), wire.Lines{}, sinks[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i, server := range servers {
		_, _ = fmt.Fprintf(server, "un %d\nsecond\nthi", i)
		_, _ = fmt.Fprint(server, "rd\n")
	}
	for i, got := range sinks {
		eventually(t, "four lines", func() bool { return got.has(4) })
		if want := fmt.Sprintf("[before begun %d second third]", i); fmt.Sprint(got.texts) != want {
			t.Errorf("member %d: %q, not %s", i, got.texts, want)
		}
	}

	if err := members2[0].Pause(); err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprint(servers[0], "while it hangs\n")
	_, _ = fmt.Fprint(servers[1], "while it doesn't\n")
	_, _ = fmt.Fprint(servers[2], "nor this\n")
	eventually(t, "the others' line", func() bool { return sinks[1].has(5) && sinks[2].has(5) })
	if !sinks[0].has(4) {
		t.Error("a paused member was read from")
	}
	if err := members2[0].Resume(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the line that waited", func() bool { return sinks[0].has(5) })

	_ = servers[0].Close()
	eventually(t, "the end", func() bool { return sinks[0].hasEnded() })
	if !errors.Is(sinks[0].ended, io.EOF) {
		t.Errorf("it ended with %v", sinks[0].ended)
	}
	if members2[0].Pause() == nil {
		t.Error("who has ended can be paused")
	}
}

func TestSwarmReplies(t *testing.T) {
	s, err := swarm.New(1)
	if err != nil {
		t.Fatal(err)
	}
	server, client := pair(t)
	if _, err := s.Add(client, nil, wire.WebSocket{}, &sink{}); err != nil {
		t.Fatal(err)
	}
	_, _ = server.Write([]byte{0x89, 1, 'p'})
	_ = server.SetReadDeadline(time.Now().Add(10 * time.Second))
	got := make([]byte, 7)
	if _, err := io.ReadFull(server, got); err != nil || string(got) != "\x8a\x81\x00\x00\x00\x00p" {
		t.Fatalf("%q, %v", got, err)
	}
	s.Close()
	if _, err := server.Read(got); err == nil {
		t.Error("closing the swarm left a connection open")
	}
}

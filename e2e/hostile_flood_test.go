package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/e2e/parleytest"
)

// TestHostileFloods: many bad peers at once. Meanwhile others are served, and afterwards nothing is left.
func TestHostileFloods(t *testing.T) {
	node := startHostile(t, nil)
	withstands(t, node,
		flood{"sockets", floodOfSockets}, flood{"frames", floodOfFrames},
		flood{"inits that aren't objects", badInitsStay}, flood{"inits without reading", floodOfInits})
}

// flood is what many bad peers do at once. It returns what became of them, in words.
type flood struct {
	name string
	run  func(t *testing.T, node *parleytest.Node, token string) string
}

// withstands runs each flood twice: what is made once is made the first time. During the second a witness
// is served, and afterwards nothing is left.
func withstands(t *testing.T, node *parleytest.Node, floods ...flood) {
	t.Helper()
	ada := person(t, node, "ada")
	room := ada.CreateRoom(t, "Dry spot")
	for _, f := range floods {
		t.Run(f.name, func(t *testing.T) {
			f.run(t, node, ada.Token)
			before := settled(t, node)
			var seen string
			slowest := witness(t, ada, room, func() { seen = f.run(t, node, ada.Token) })
			t.Logf("%s; right after: %v; the slowest message of a witness took %v", seen, measure(t, node), slowest)
			nothingLeft(t, node, before)
		})
	}
}

// witness follows a room while something goes on: every message comes, in order. It returns how
// long the slowest took, from before its sending.
func witness(t *testing.T, ada *parleytest.Client, room string, goesOn func()) (slowest time.Duration) {
	t.Helper()
	s, err := parleytest.OverWS(t.Context(), ada, follow(messageAdded, room, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Position(t)
	done := make(chan struct{})
	go func() { defer close(done); goesOn() }()
	for i, over := 0, false; !over; i++ {
		begin, content := time.Now(), fmt.Sprint(i)
		ada.MustSend(t, room, content)
		if f := s.Next(t); f.Result.Text("messageAdded", "content") != content {
			t.Errorf("message %d came as %s, %v", i, f.Result.Data, f.Err)
			<-done
			return slowest
		}
		slowest = max(slowest, time.Since(begin))
		select {
		case <-done:
			over = true
		case <-time.After(20 * time.Millisecond): // a person types
		}
	}
	return slowest
}

// crowd runs n visits, a bounded number at a time.
func crowd(n int, visit func(i int)) {
	var all sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				visit(int(i))
			}
		})
	}
	all.Wait()
}

const upgradeRequest = "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"

// floodOfSockets opens sockets that say something bad, or nothing, and end in some bad way.
func floodOfSockets(t *testing.T, node *parleytest.Node, token string) string {
	stream := "GET /graphql?query=subscription%7Btyping(roomId:%22r_1%22)%7Busers%7Bid%7D%7D%7D HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer " + token + "\r\n\r\n"
	text := func(s string) string { return upgradeRequest + string(masked(finalText, s)) }
	visits := []string{
		"", "GET", upgradeRequest, upgradeRequest[:60], text(`{"type":"connection_init","payload":"x"}`), text(subscribeViewer), text("{"), text(initWith("x")),
		text(initWith(token)), text(initWith(token)) + string(masked(finalText, subscribeViewer)), upgradeRequest + "\x81\x02{}", upgradeRequest + "\x82",
		stream, stream[:100], "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", "\x00",
	}
	n := parleytest.Scale(500, 5000)
	crowd(n, func(i int) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(node.URL, "http://"))
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, visits[i%len(visits)]) // the server may close at once
		switch i / len(visits) % 3 {
		case 0: // a reset, whatever is under way
			_ = conn.(*net.TCPConn).SetLinger(0)
		case 1: // no more to say, but waiting for the answer
			_ = conn.(*net.TCPConn).CloseWrite()
			_ = conn.SetReadDeadline(time.Now().Add(linger))
			_, _ = io.Copy(io.Discard, conn)
		}
	})
	return fmt.Sprintf("%d sockets", n)
}

// floodOfFrames sends bad frames, a hundred on each socket, though the first was one too many.
func floodOfFrames(t *testing.T, node *parleytest.Node, token string) string {
	kinds := [][]byte{
		masked(finalText, "{"), masked(finalBinary, "x"), masked(0x83, "x"), {finalText, 2, '{', '}'}, masked(finalText, `{"type":"x"}`), promised(finalText, 1<<40),
		masked(finalText, "\xff"), masked(finalMore, "x"),
	}
	const each = 100
	n := parleytest.Scale(2000, 50_000)
	crowd(n/each, func(i int) {
		conn, _ := rawSocket(t, node)
		if i%2 == 0 {
			_, _ = conn.Write(masked(finalText, initWith(token)))
		}
		_, _ = conn.Write(bytes.Repeat(kinds[i%len(kinds)], each)) // the server may have closed already
		_ = conn.Close()
	})
	return fmt.Sprintf("%d frames", n)
}

// badInitsStay opens 200 sockets, says connection_init with a payload that isn't an object, and
// stays: it is the server who goes.
func badInitsStay(t *testing.T, node *parleytest.Node, _ string) string {
	const n = 200
	var conns []net.Conn
	for range n {
		conn, _ := rawSocket(t, node)
		_, _ = conn.Write(masked(finalText, `{"type":"connection_init","payload":"x"}`))
		conns = append(conns, conn)
	}
	parleytest.Eventually(t, "the server has let go of them", func() bool { return node.Metric(t, "parley_connections") <= 1 })
	for _, conn := range conns {
		_ = conn.Close()
	}
	return fmt.Sprintf("%d sockets", n)
}

// floodOfInits says connection_init again and again, and never reads.
func floodOfInits(t *testing.T, node *parleytest.Node, token string) string {
	inits, n := bytes.Repeat(masked(finalText, initWith(token)), 1000), parleytest.Scale(50, 500)
	crowd(n, func(int) {
		conn, _ := rawSocket(t, node)
		_ = conn.SetWriteDeadline(time.Now().Add(linger))
		_, _ = conn.Write(inits) // the server stops reading at some point
		_ = conn.Close()
	})
	return fmt.Sprintf("%d sockets", n)
}

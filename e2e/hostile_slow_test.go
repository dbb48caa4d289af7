package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/golang-jwt/jwt/v5"

	"parley/e2e/parleytest"
)

// TestHostileSlowness: peers that take their time, or never come back. All at once, for most of
// what they cost is waiting.
func TestHostileSlowness(t *testing.T) {
	t.Parallel()
	node := startHostile(t, quickTimes)
	ada := person(t, node, "ada")
	room := ada.CreateRoom(t, "Pond")
	before := settled(t, node)
	unreadAnswers(t, node, ada) // which nothing but their connections is left of
	t.Run("all", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *parleytest.Node, *parleytest.Client, string){
			"headers byte by byte": slowHeaders, "a body byte by byte": slowBody, "half a body": halfBody,
			"a WebSocket that only listens": onlyListens, "a WebSocket that does nothing": doesNothing,
			"a peer who half closed": halfClosed, "a token that expires": expires,
			"a body that nobody asked for": unaskedBody,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, node, ada, room)
			})
		}
	})
	nothingLeft(t, node, before)
}

// trickle sends bytes one by one, until the server, or the test, has had enough.
func trickle(t *testing.T, conn net.Conn, bytes string) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range bytes {
			if _, err := io.WriteString(conn, bytes[i:i+1]); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond) // the slowness itself
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
}

// trickled says something at once and something byte by byte, and returns the status of what comes back.
func trickled(t *testing.T, node *parleytest.Node, atOnce, byteByByte string) string {
	t.Helper()
	conn := dialRaw(t, node)
	_, _ = io.WriteString(conn, atOnce)
	trickle(t, conn, byteByByte)
	return statusOf(conn)
}

func slowHeaders(t *testing.T, node *parleytest.Node, _ *parleytest.Client, _ string) {
	begin := time.Now()
	if got := trickled(t, node, "", "GET /graphql HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 1000)); got != "closed" || time.Since(begin) > 15*time.Second {
		t.Errorf("%s after %v", got, time.Since(begin))
	}
}

const bodyPromised = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"

func slowBody(t *testing.T, node *parleytest.Node, _ *parleytest.Client, _ string) {
	for _, accept := range []string{"application/json", "text/event-stream"} {
		begin := time.Now()
		if got := trickled(t, node, bodyPromised+"Accept: "+accept+"\r\n\r\n", `{"query":"`+strings.Repeat(" ", 900)); got != "408" || time.Since(begin) > 10*time.Second {
			t.Errorf("for %s: %s after %v", accept, got, time.Since(begin))
		}
	}
}

func halfBody(t *testing.T, node *parleytest.Node, _ *parleytest.Client, _ string) {
	conn := dialRaw(t, node)
	_, _ = io.WriteString(conn, bodyPromised+"\r\n{")
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := statusOf(conn); got != "400" {
		t.Errorf("%s instead of 400", got)
	}
}

// requestsEnd is when the server has given up every request, however slow.
const requestsEnd = 50 * time.Second

// unaskedBody is sent to where none is read.
func unaskedBody(t *testing.T, node *parleytest.Node, _ *parleytest.Client, _ string) {
	conn, begin := dialRaw(t, node), time.Now()
	if err := conn.SetDeadline(begin.Add(requestsEnd)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n")
	trickle(t, conn, strings.Repeat("x", 10_000))
	if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
		t.Errorf("the server still waits after %v", time.Since(begin))
	}
}

// unreadAnswers are asked for, more than a MiB each (together more than strayHeap), and not taken, as long as the test
// lasts.
func unreadAnswers(t *testing.T, node *parleytest.Node, ada *parleytest.Client) {
	t.Helper()
	before := settled(t, node)
	room := ada.CreateRoom(t, "Library")
	for range 50 {
		ada.MustSend(t, room, strings.Repeat("x", 8000))
	}
	query := "{"
	for i := range parleytest.Scale(3, 10) {
		query += fmt.Sprintf(` a%d: room(id: %q) { messages { edges { node { content } } } }`, i, room)
	}
	a := ask("", ada, parleytest.Operation{Query: query + " }"}).attempts[0]
	const n = 10
	for range n {
		conn := dialRaw(t, node)
		if err := conn.SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		// Closed after the answer: where the store is so slow that it is a short one, nothing is left to wait for.
		fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
			a.token, len(a.body), a.body)
	}
	parleytest.Eventually(t, "the answers are stuck", func() bool { return measure(t, node).goroutines >= before.goroutines+n })
}

// following is a raw WebSocket that follows a room.
func following(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	conn, in := rawSocket(t, node)
	_, _ = conn.Write(masked(finalText, initWith(ada.Token)))
	for acknowledged := false; !acknowledged; { // a ping may come first
		//lint:ignore SA1019 the advice is for frames of strangers, which may be of any length: this peer is our own server
		f, err := ws.ReadFrame(in)
		if err != nil {
			t.Fatal(err)
		}
		acknowledged = bytes.Contains(f.Payload, []byte("connection_ack"))
	}
	_, _ = conn.Write(masked(finalText, startOf("1", follow(messageAdded, room, ""))))
	return conn, in
}

// onlyListens answers no ping, so it may be gone.
func onlyListens(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room string) {
	begin := time.Now()
	_, in := following(t, node, ada, room)
	if got := endOf(in); got != "close 1001" {
		t.Errorf("%s instead of 1001 after %v", got, time.Since(begin))
	}
}

// doesNothing is what the server sees of a peer whose machine has vanished.
func doesNothing(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room string) {
	conn, in := following(t, node, ada, room)
	// It looks again when the server must have given it up: two heartbeats, and the time to close.
	time.Sleep(9 * time.Second) // the absence itself
	if err := conn.SetReadDeadline(time.Now().Add(linger)); err != nil {
		t.Fatal(err)
	}
	if got := endOf(in); got != "close 1001" && got != "cut" {
		t.Errorf("%s: the server still waits", got)
	}
}

// halfClosed says that it has nothing more to say. A stream may end that way, and so may a socket.
func halfClosed(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room string) {
	conn, in := following(t, node, ada, room)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := endOf(in); got != "cut" {
		t.Errorf("a WebSocket: %s", got)
	}
	a := ask("", ada, follow(messageAdded, room, "")).attempts[0]
	stream := dialRaw(t, node)
	fmt.Fprintf(stream, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		a.token, len(a.body), a.body)
	if err := stream.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, stream); isTimeout(err) {
		t.Error("a stream: the server still waits")
	}
}

// expires: a token's end is the connection's, on both transports.
func expires(t *testing.T, node *parleytest.Node, _ *parleytest.Client, room string) {
	claims := claimsOf("ada")
	claims["exp"] = time.Now().Add(time.Second).Unix() // and the server's leeway of 5 s
	brief := &parleytest.Client{URL: node.URL, Token: signed(t, jwt.SigningMethodHS256, []byte(hostileSecret), claims), HTTP: http.DefaultClient}
	ws := parleytest.MustSubscribe(t, parleytest.OverWS, brief, follow(messageAdded, room, ""))
	sse := parleytest.MustSubscribe(t, parleytest.OverSSE, brief, follow(messageAdded, room, ""))
	if f := ws.Next(t); websocket.CloseStatus(f.Err) != 4403 {
		t.Errorf("the WebSocket: %+v", f)
	}
	if f := sse.Next(t); f.Result.Code() != "UNAUTHENTICATED" {
		t.Errorf("the event stream: %+v", f)
	}
	// Connections end at some moment before the token does.
	parleytest.Eventually(t, "the token is refused", func() bool {
		result, err := brief.Do(context.Background(), parleytest.Operation{Query: harmless})
		return err == nil && result.Code() == "UNAUTHENTICATED"
	})
}

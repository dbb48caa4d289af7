package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"parley/e2e/parleytest"
)

// TestHostileReaders: subscribers that stop reading slow nobody down and cost bounded memory. Who wakes
// gets everything on the same connection; who doesn't is cut off, and misses nothing by coming back with
// its cursor.
func TestHostileReaders(t *testing.T) {
	t.Parallel()
	node := startHostile(t, map[string]string{"PARLEY_MAX_RESPONSE": "2000000", "PARLEY_MAX_ANSWERS": "2000000", "PARLEY_STALL_TIMEOUT": "15s"})
	ada := person(t, node, "ada")
	room := ada.CreateRoom(t, "Pond")
	before := settled(t, node)
	t.Run("that stop", func(t *testing.T) {
		stalled := stallMany(t, node, ada, room)
		fromWS := parleytest.MustSubscribe(t, parleytest.OverWS, ada, follow(messageAdded, room, ""))
		fromSSE := parleytest.MustSubscribe(t, parleytest.OverSSE, ada, follow(messageAdded, room, ""))
		fromWS.Position(t)
		fromSSE.Position(t)
		content := func(i int) string { return fmt.Sprintf("%d %s", i, strings.Repeat("x", 8000)) }
		slowest, n := time.Duration(0), parleytest.Scale(tooMany, 1000)
		peak := measure(t, node)
		for i := range n {
			begin := time.Now()
			ada.MustSend(t, room, content(i))
			for _, s := range []*parleytest.Stream{fromWS, fromSSE} {
				if got := s.Next(t).Result.Text("messageAdded", "content"); got != content(i) {
					t.Fatalf("a reader who reads got %.20q instead of message %d", got, i)
				}
			}
			slowest = max(slowest, time.Since(begin))
			if i%50 == 0 {
				now := measure(t, node)
				peak.heap, peak.resident = max(peak.heap, now.heap), max(peak.resident, now.resident)
			}
		}
		t.Logf("%d stalled readers, %d messages of 8 KiB, the slowest to reach both others took %v; at most: heap %.1f MiB, resident %.1f MiB",
			len(stalled), n, slowest, peak.heap/(1<<20), peak.resident/(1<<20))
		// Events are shared, and a reader may hold an outbox of 1 MiB of them.
		if peak.heap > before.heap+float64(len(stalled))*(1<<20)+strayHeap {
			t.Errorf("the heap grew from %.1f MiB to %.1f MiB", before.heap/(1<<20), peak.heap/(1<<20))
		}
		if node.Metric(t, "parley_lags_total") == 0 {
			t.Error("nobody fell behind")
		}
		parleytest.Within(t, time.Minute, "only those who read are left", func() bool { return node.Metric(t, "parley_connections") == 2 })
	})
	nothingLeft(t, node, before)
	t.Run("that wake", func(t *testing.T) { wakes(t, node, ada, room) })
	nothingLeft(t, node, before)
	t.Run("that only ask", func(t *testing.T) { onlyAsks(t, node, ada, room) })
	nothingLeft(t, node, before)
	t.Run("that come back", func(t *testing.T) { comesBack(t, node, ada, room) })
	nothingLeft(t, node, before)
}

// stallMany opens subscribers over each transport that never read what comes.
func stallMany(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room string) []net.Conn {
	t.Helper()
	var stalled []net.Conn
	for range parleytest.Scale(5, 20) {
		ws, _ := following(t, node, ada, room)
		sse, _ := followingStream(t, node, ada, room, eventStream)
		parts, _ := followingStream(t, node, ada, room, parleytest.AcceptMultipart)
		for _, conn := range []*net.TCPConn{ws, sse, parts} {
			if err := conn.SetReadBuffer(4096); err != nil {
				t.Fatal(err)
			}
			stalled = append(stalled, conn)
		}
	}
	return stalled
}

const eventStream = "text/event-stream"

// followingStream is a raw response of a kind that follows a room, read up to its first position.
func followingStream(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room, accept string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	a := ask("", ada, follow(messageAdded, room, "")).attempts[0]
	conn := dialRaw(t, node)
	fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		accept, a.token, len(a.body), a.body)
	in := bufio.NewReader(conn)
	for line := ""; !strings.HasPrefix(line, "id: ") && !strings.HasPrefix(line, `{"extensions":{"cursor":`); {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return conn, in
}

// onlyAsks sends queries with long answers, and reads none.
func onlyAsks(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room string) {
	sendMany(t, ada, room)
	conn, in := following(t, node, ada, room)
	page := parleytest.Operation{
		Query:     `query($room: ID!) { room(id: $room) { a: messages(last: 100) { edges { node { content } } } b: messages(last: 100) { edges { node { content } } } } }`,
		Variables: map[string]any{"room": room},
	}
	for i := range 8 { // of 1.6 MB each: more than the kernel and an outbox hold, and little for a race build to make
		if _, err := conn.Write(masked(finalText, startOf(fmt.Sprint("q", i), page))); err != nil {
			break // it has been closed already
		}
	}
	parleytest.Within(t, time.Minute, "it is closed", func() bool { return node.Metric(t, "parley_connections") == 0 })
	if got := endOf(in); got != "close 1013" && got != "cut" { // what it hasn't read may keep the reason from it
		t.Errorf("%s instead of 1013", got)
	}
}

// wakes: readers that have stood still get what they missed, once and in order, and then the news.
func wakes(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room string) {
	_, fromWS := following(t, node, ada, room)
	_, fromSSE := followingStream(t, node, ada, room, eventStream)
	_, fromParts := followingStream(t, node, ada, room, parleytest.AcceptMultipart)
	if _, err := fromWS.Peek(20); err != nil { // it follows by now
		t.Fatal(err)
	}
	lags := node.Metric(t, "parley_lags_total")
	sendMany(t, ada, room)
	if node.Metric(t, "parley_lags_total") < lags+3 {
		t.Error("nobody fell behind")
	}
	for name, next := range map[string]func() (string, error){
		"over WebSocket": func() (string, error) {
			//lint:ignore SA1019 the advice is for frames of strangers, which may be of any length: this peer is our own server
			f, err := ws.ReadFrame(fromWS)
			return string(f.Payload), err
		},
		"over SSE":       func() (string, error) { return fromSSE.ReadString('\n') },
		"over multipart": func() (string, error) { return fromParts.ReadString('\n') },
	} {
		for i := range tooMany {
			if got := nextContent(t, next); got != i {
				t.Fatalf("%s: message %d instead of %d", name, got, i)
			}
		}
		ada.MustSend(t, room, "999 and on")
		if got := nextContent(t, next); got != 999 {
			t.Fatalf("%s: message %d instead of the news", name, got)
		}
	}
}

var contentNumber = regexp.MustCompile(`"content":"(\d+) `)

// nextContent reads up to the next message, and returns its number.
func nextContent(t *testing.T, read func() (string, error)) int {
	t.Helper()
	for {
		text, err := read()
		if err != nil {
			t.Fatal(err)
		}
		if m := contentNumber.FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1])
			return n
		}
	}
}

// comesBack: a reader stalls until the server gives it up, reads what is left, and resumes.
func comesBack(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room string) {
	_, in := followingStream(t, node, ada, room, eventStream)
	sendMany(t, ada, room)
	parleytest.Within(t, time.Minute, "it is given up", func() bool { return node.Metric(t, "parley_connections") == 0 })
	var cursor, id string
	seen, data := 0, 0
	all, _ := io.ReadAll(in) // until the server's end, perhaps within an event
	for line := range strings.Lines(string(all)) {
		switch {
		case strings.HasPrefix(line, "id: "):
			id = strings.TrimSpace(line[len("id: "):])
		case strings.HasPrefix(line, "data: {"):
			data++
		case line == "\n": // only now the event is one (HTML, Server-sent events §9.2.6)
			cursor, seen, data = id, seen+data, 0
		}
	}
	if seen == 0 || seen >= tooMany {
		t.Fatalf("%d of %d messages came before the end: %.100q", seen, tooMany, all[max(0, len(all)-100):])
	}
	s := parleytest.MustSubscribe(t, parleytest.OverSSE, ada, follow(messageAdded, room, cursor))
	for i := seen; i < tooMany; i++ {
		got := s.Next(t).Result.Text("messageAdded", "content")
		if want := fmt.Sprint(i); !strings.HasPrefix(got, want+" ") {
			t.Fatalf("%.20q instead of message %d", got, i)
		}
	}
	t.Logf("the stream ended after %d of %d messages; the others came on the next one", seen, tooMany)
}

// tooMany messages of 8 KiB are more than may wait for one reader: the kernel's buffers on this machine
// plus an outbox of 1 MiB, and little more, for what was handed to the kernel must still reach a reader.
const tooMany = 220

func sendMany(t *testing.T, c *parleytest.Client, room string) {
	t.Helper()
	for i := range tooMany {
		c.MustSend(t, room, fmt.Sprintf("%d %s", i, strings.Repeat("x", 8000)))
	}
}

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/e2e/parleytest"
)

// startOf is the message that starts an operation.
func startOf(id string, op parleytest.Operation) string {
	text, err := json.Marshal(map[string]any{"type": "subscribe", "id": id, "payload": op})
	if err != nil {
		panic(err) // a test's operation always marshals
	}
	return string(text)
}

func completeOf(id string) string {
	text, _ := json.Marshal(map[string]string{"type": "complete", "id": id}) // strings always marshal
	return string(text)
}

// TestHostileOperations: one socket wants too much of everything.
func TestHostileOperations(t *testing.T) {
	t.Parallel()
	node := startHostile(t, nil)
	ada := person(t, node, "ada")
	room := ada.CreateRoom(t, "Plug")
	for name, test := range map[string]func(*testing.T, *parleytest.Node, *parleytest.Client, string){
		"101 operations": tooManyOperations, "odd ids": oddIDs, "churn": churn, "pings": pings, "unread pings": unreadPings,
	} {
		t.Run(name, func(t *testing.T) {
			before := settled(t, node)
			t.Run("on one socket", func(t *testing.T) { test(t, node, ada, room) })
			nothingLeft(t, node, before)
		})
	}
}

func tooManyOperations(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room string) {
	s := mustDial(t, node, ada)
	for i := range 101 {
		s.say(startOf(fmt.Sprint(i), follow(messageAdded, room, "")))
	}
	m, end := s.next()
	if end != "" || m.Type != "error" || m.ID != "100" || m.word() != "LIMIT_EXCEEDED" {
		t.Fatalf("the 101st operation: %s %s of %s %s", m.Type, m.word(), m.ID, end)
	}
	if end := s.until(100); end != "" {
		t.Fatal(end)
	}
	ada.MustSend(t, room, whispered)
	told := map[string]bool{}
	for range 100 {
		m, end := s.next()
		if end != "" || m.Type != "next" {
			t.Fatalf("%s %s after %d events", m.Type, end, len(told))
		}
		told[m.ID] = true
	}
	if len(told) != 100 {
		t.Errorf("%d of 100 operations were told", len(told))
	}
	s.say(completeOf("7"))
	s.say(startOf("again", parleytest.Operation{Query: harmless}))
	if m, end := s.next(); m.ID != "again" || m.word() != "ok" {
		t.Errorf("after one of them has ended: %s %s %s", m.Type, m.word(), end)
	}
}

// oddIDs come back as they are.
func oddIDs(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room string) {
	s := mustDial(t, node, ada)
	ids := map[string]bool{}
	for _, id := range []string{
		`"`, `\`, `\"`, "\n", "\r\n\r\n", "\x00", "\x1f\x7f", "\u2028\u2029", "é😀", " ", `</script>`, "__proto__", `","payload":{"data":{}},"id":"x`,
		strings.Repeat("i", 128), strings.Repeat("\x01", 128), strings.Repeat("é", 64),
	} {
		s.say(startOf(id, follow(messageAdded, room, "")))
		ids[id] = true
	}
	if end := s.until(len(ids)); end != "" {
		t.Fatal(end)
	}
	ada.MustSend(t, room, whispered)
	for len(ids) > 0 {
		m, end := s.next()
		if end != "" || m.Type != "next" || !ids[m.ID] {
			t.Fatalf("%s of %q: %s %s", m.Type, m.ID, m.Payload, end)
		}
		delete(ids, m.ID)
	}
}

// churn subscribes and gives up, again and again, and is still served once at the end.
func churn(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room string) {
	s := mustDial(t, node, ada)
	open := measure(t, node)
	for i := range 1000 {
		id := fmt.Sprint(i % 3)
		s.say(startOf(id, follow(roomEvents, room, "")))
		s.say(completeOf(id))
	}
	clear(s.positions)
	s.say(startOf("last", follow(messageAdded, room, "")))
	for s.positions["last"] == "" {
		if end := s.read(); end != "" {
			t.Fatal(end)
		}
	}
	parleytest.Eventually(t, "those given up are gone", func() bool {
		now := measure(t, node)
		return now.goroutines <= open.goroutines+strayGoroutines && now.heap <= open.heap+strayHeap
	})
	for _, content := range []string{"first", "second"} {
		ada.MustSend(t, room, content)
		m, end := s.next()
		if end != "" || m.ID != "last" || asResult(m.Payload).Text("messageAdded", "content") != content {
			t.Fatalf("%s of %s: %s %s", m.Type, m.ID, m.Payload, end)
		}
	}
}

// pings are answered, each of them, in order.
func pings(t *testing.T, node *parleytest.Node, ada *parleytest.Client, _ string) {
	s := mustDial(t, node, ada)
	n := parleytest.Scale(2000, 20_000)
	var saying sync.WaitGroup
	saying.Go(func() {
		for i := range n {
			s.say(fmt.Sprintf(`{"type":"ping","payload":{"n":%d}}`, i))
		}
	})
	defer saying.Wait()
	defer s.CloseNow()
	for i := range n {
		if m, end := s.next(); m.Type != "pong" || string(m.Payload) != fmt.Sprintf(`{"n":%d}`, i) {
			t.Fatalf("ping %d: %s %s %s", i, m.Type, m.Payload, end)
		}
	}
}

// unreadPings: who doesn't read the answers isn't read either.
func unreadPings(t *testing.T, node *parleytest.Node, ada *parleytest.Client, _ string) {
	before := measure(t, node)
	conn, _ := rawSocket(t, node)
	if err := conn.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write(masked(finalText, initWith(ada.Token)))
	ping := masked(finalText, `{"type":"ping","payload":{"pad":"`+strings.Repeat("x", 100_000)+`"}}`)
	sent, stuck := 0, false
	for !stuck && sent < 64<<20 {
		if err := conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Write(ping)
		sent += n
		stuck = isTimeout(err)
		if err != nil && !stuck {
			t.Fatal(err)
		}
	}
	during := measure(t, node)
	t.Logf("%.1f MiB were taken before the server stopped reading; heap %.1f MiB more", float64(sent)/(1<<20), (during.heap-before.heap)/(1<<20))
	if !stuck || during.heap > before.heap+strayHeap {
		t.Errorf("the server reads on: %v", during)
	}
}

// trickyTexts would break a stream, a frame or a page that takes them as they are.
var trickyTexts = []string{
	"\n\nevent: complete\ndata:\n\n", "a\ndata: b\n\nid: c\n\n", "\r\n0\r\n\r\n", "a\rb", "a\r\n\r\nb", ":\n\n", "x\u2028y\u2029z", "x\u0085y", "\ufeffx", "\u202ex",
	`\n\n`, `","type":"complete","id":"1"}`, `</script><script>`, "\x1b[2J", "\x7f", "x\x01y", "😀" + strings.Repeat("\u0301", 1000), "retry: 1", "data", "\ufffd",
}

// TestHostileText sends texts that are legal, and would break the streams they come through.
func TestHostileText(t *testing.T) {
	t.Parallel()
	node := startHostile(t, nil)
	ada := person(t, node, "ada")
	room := ada.CreateRoom(t, "Ink")
	for name, subscribe := range transports {
		t.Run(name, func(t *testing.T) {
			s := parleytest.MustSubscribe(t, subscribe, ada, follow(messageAdded, room, ""))
			s.Position(t)
			for _, text := range trickyTexts {
				ada.MustSend(t, room, text)
				if got := s.Next(t).Result.Text("messageAdded", "content"); got != text {
					t.Errorf("%q came as %q", text, got)
				}
			}
		})
	}
	t.Run("lines of an event stream", func(t *testing.T) { linesOfStream(t, node, ada, room) })
}

// linesOfStream looks at a stream's bytes.
func linesOfStream(t *testing.T, node *parleytest.Node, ada *parleytest.Client, room string) {
	a := ask("", ada, follow(messageAdded, room, "")).attempts[0]
	response, err := sendHTTP(t.Context(), node, a, http.MethodPost, "text/event-stream")
	if err != nil {
		t.Fatal(err)
	}
	lines, read := make(chan string, 1024), make(chan struct{})
	go func() {
		defer close(read)
		readLines(response.Body, lines)
	}()
	defer func() {
		_ = response.Body.Close()
		<-read
	}()
	next := func() string {
		select {
		case line := <-lines:
			return line
		case <-time.After(parleytest.Patience):
			t.Fatal("in vain: waiting for a line")
			return ""
		}
	}
	for !strings.HasPrefix(next(), "id: ") {
	}
	for _, text := range trickyTexts {
		ada.MustSend(t, room, text)
		var names []string
		for line := next(); ; line = next() {
			name, _, _ := strings.Cut(line, ":")
			if names = append(names, name); line == "" && len(names) > 2 {
				break
			}
		}
		if got := strings.Join(names, " "); strings.TrimSpace(got) != "id event data" {
			t.Errorf("%q came as the lines %q", text, got)
		}
	}
}

// readLines splits what comes at each line break as the HTML standard has them.
func readLines(in io.Reader, lines chan<- string) {
	buffer, rest := make([]byte, 1<<16), ""
	for {
		n, err := in.Read(buffer)
		rest += string(buffer[:n])
		for i := strings.IndexAny(rest, "\r\n"); i >= 0; i = strings.IndexAny(rest, "\r\n") {
			lines <- rest[:i]
			rest = rest[i+1:]
		}
		if err != nil {
			return
		}
	}
}

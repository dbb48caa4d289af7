package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"parley/e2e/parleytest"
)

// quickTimes make what waits for slow peers short enough to wait for.
var quickTimes = map[string]string{"PARLEY_INIT_TIMEOUT": "1s", "PARLEY_HEARTBEAT": "1s"}

// socketCase is a conversation over a WebSocket, and how it ends.
type socketCase struct {
	name string
	// acknowledged: the conversation begins after connection_ack.
	acknowledged bool
	says         []string
	// want is what is heard then.
	want string
}

// TestHostileSockets says over WebSockets what graphql-transport-ws doesn't allow.
func TestHostileSockets(t *testing.T) {
	t.Parallel()
	node := startHostile(t, quickTimes)
	ada := person(t, node, "ada")
	room := ada.CreateRoom(t, "Plug")
	before := settled(t, node)
	seen := newTable("case", "end")
	for _, c := range append(beforeInit(ada), append(messages(room), oddButFine(room)...)...) {
		got := c.hold(t, node, ada)
		seen.row(c.name, got)
		if got != c.want {
			t.Errorf("%s: %q instead of %q", c.name, got, c.want)
		}
	}
	t.Log(seen)
	nothingLeft(t, node, before)
}

// hold has the conversation, and returns the word for what comes back first but connection_ack: the close code, the
// code of an error, or the type of another message.
func (c socketCase) hold(t *testing.T, node *parleytest.Node, as *parleytest.Client) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), parleytest.Patience)
	defer cancel()
	s, err := dialSocket(ctx, node, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.CloseNow()
	if c.acknowledged {
		s.mustInit(t, as)
	}
	for _, text := range c.says {
		s.say(text)
	}
	m, end := s.next()
	if m.Type == "connection_ack" {
		m, end = s.next()
	}
	switch {
	case end != "":
		return end
	case m.Type == "error" || m.Type == "next":
		return m.Type + " " + m.word()
	}
	return m.Type
}

// word is the word for the payload of a next or error message.
func (m message) word() string {
	if m.Type == "error" {
		return wordFor(asResult([]byte(`{"errors":` + string(m.Payload) + `}`)))
	}
	return wordFor(asResult(m.Payload))
}

// mustInit opens the connection.
func (s *socket) mustInit(t testing.TB, as *parleytest.Client) {
	t.Helper()
	s.say(initWith(as.Token))
	if word := s.hear("connection_ack"); word != "" {
		t.Fatalf("%s instead of connection_ack", word)
	}
}

// mustDial opens a socket and the connection, until the test ends.
func mustDial(t testing.TB, node *parleytest.Node, as *parleytest.Client) *socket {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*parleytest.Patience)
	t.Cleanup(cancel)
	s, err := dialSocket(ctx, node, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.CloseNow() })
	s.mustInit(t, as)
	return s
}

const subscribeViewer = `{"type":"subscribe","id":"1","payload":{"query":"{ viewer { id } }"}}`

// beforeInit are conversations that never come to an acknowledgement, or begin anew.
func beforeInit(ada *parleytest.Client) []socketCase {
	good := initWith(ada.Token)
	cases := []socketCase{
		{name: "nothing", want: "close 4408"},
		{name: "pings instead of connection_init", says: []string{`{"type":"pong"}`, `{"type":"pong"}`}, want: "close 4408"},
		{name: "a ping before connection_init", says: []string{`{"type":"ping"}`}, want: "pong"},
		{name: "an operation before connection_init", says: []string{subscribeViewer}, want: "close 4401"},
		{name: "connection_init twice", acknowledged: true, says: []string{good}, want: "close 4429"},
		{name: "connection_init twice at once", says: []string{good, good, good}, want: "close 4429"},
		{name: "no payload", says: []string{`{"type":"connection_init"}`}, want: "close 4403"},
		{name: "payload null", says: []string{`{"type":"connection_init","payload":null}`}, want: "close 4403"},
	}
	for _, payload := range []string{`"x"`, `7`, `true`, `[]`, `[{"Authorization":"Bearer ` + ada.Token + `"}]`} {
		cases = append(cases, socketCase{name: fmt.Sprintf("payload %.20s", payload),
			says: []string{`{"type":"connection_init","payload":` + payload + `}`}, want: "close 4400"})
	}
	for _, payload := range []string{
		`{}`, `{"Authorization":null}`, `{"Authorization":7}`, `{"Authorization":[]}`, `{"Authorization":{}}`, `{"Authorization":""}`,
		`{"Authorization":"Bearer x"}`, `{"Authorization":"` + ada.Token + `"}`, `{"Authorization":"Basic YWRhOng="}`, `{"token":"` + ada.Token + `"}`,
		`{"headers":{"Authorization":"Bearer ` + ada.Token + `"}}`,
		`{"Authorization":"Bearer ` + ada.Token + `","authorization":"Bearer ` + ada.Token + `"}`,
		`{"Authorization":"Bearer ` + strings.Repeat("x", 100_000) + `"}`,
	} {
		cases = append(cases, socketCase{name: fmt.Sprintf("payload %.24s", payload),
			says: []string{`{"type":"connection_init","payload":` + payload + `}`}, want: "close 4403"})
	}
	return cases
}

// messages are those that the protocol doesn't know.
func messages(room string) []socketCase {
	var cases []socketCase
	add := func(name, want string, says ...string) {
		cases = append(cases, socketCase{name: name, acknowledged: true, says: says, want: want})
	}
	for _, text := range []string{
		``, ` `, `x`, `{`, `[]`, `"subscribe"`, `7`, `null`, `true`, `{}`, `{"type":null}`, `{"type":7}`, `{"type":""}`, `{"type":["ping"]}`,
		`{"type":"start","id":"1","payload":{"query":"{ viewer { id } }"}}`, `{"type":"stop","id":"1"}`, `{"type":"connection_terminate"}`,
		`{"type":"connection_ack"}`, `{"type":"next","id":"1","payload":{}}`, `{"type":"error","id":"1","payload":[]}`, `{"type":"SUBSCRIBE","id":"1"}`,
		`{"Type":"ping"}`, `{"type":"ping"}{"type":"ping"}`, `{"type":"ping"} x`, `[{"type":"ping"}]`,
		`{"type":"ping","payload":"x"}`, `{"type":"pong","payload":[]}`, `{"type":"complete"}`, `{"type":"complete","id":7}`, `{"type":"complete","id":""}`,
		`{"type":"subscribe","payload":{"query":"{ viewer { id } }"}}`, `{"type":"subscribe","id":"","payload":{"query":"{ viewer { id } }"}}`,
		`{"type":"subscribe","id":7,"payload":{"query":"{ viewer { id } }"}}`, `{"type":"subscribe","id":null,"payload":{"query":"{ viewer { id } }"}}`,
		`{"type":"subscribe","id":"` + strings.Repeat("i", 129) + `","payload":{"query":"{ viewer { id } }"}}`,
		`{"type":"subscribe","id":"1"}`, `{"type":"subscribe","id":"1","payload":null}`, `{"type":"subscribe","id":"1","payload":[]}`,
		`{"type":"subscribe","id":"1","payload":"{ viewer { id } }"}`, `{"type":"subscribe","id":"1","payload":{}}`,
		`{"type":"subscribe","id":"1","payload":{"query":7}}`, `{"type":"` + strings.Repeat("x", 100_000) + `"}`,
		`{"type":"ping","payload":` + strings.Repeat(`{"a":`, 12_000) + `1` + strings.Repeat(`}`, 12_000) + `}`,
	} {
		add(fmt.Sprintf("message %.60s", text), "close 4400", text)
	}
	typing := func(id string) string {
		return fmt.Sprintf(`{"type":"subscribe","id":%q,"payload":{"query":"subscription { messageAdded(roomId: \"%s\") { id } }"}}`, id, room)
	}
	add("an id in use", "close 4409", typing("1"), typing("1"))
	add("an id in use, by a query", "close 4409", typing("1"), subscribeViewer)
	add("a message of 128 KiB", "close 1009", `{"type":"ping","payload":{"pad":"`+strings.Repeat("x", 128<<10)+`"}}`)
	add("text that isn't UTF-8", "close 1007", "{\"type\":\"ping\",\"payload\":{\"\xff\":1}}")
	return cases
}

// oddButFine are conversations that look wrong, but aren't.
func oddButFine(room string) []socketCase {
	var cases []socketCase
	add := func(name, want string, says ...string) {
		cases = append(cases, socketCase{name: name, acknowledged: true, says: says, want: want})
	}
	add("members nobody knows", "next ok", `{"type":"subscribe","id":"1","payload":{"query":"{ viewer { id } }","hash":7},"extra":[]}`)
	add("complete of an unknown id", "next ok", `{"type":"complete","id":"nobody"}`, subscribeViewer)
	add("a pong nobody asked for", "next ok", `{"type":"pong","payload":{"a":1}}`, subscribeViewer)
	add("an id free again", "next ok",
		fmt.Sprintf(`{"type":"subscribe","id":"1","payload":{"query":"subscription { messageAdded(roomId: \"%s\") { id } }"}}`, room),
		`{"type":"complete","id":"1"}`, subscribeViewer)
	add("white space around", "next ok", " \n\t"+subscribeViewer+"\r\n ")
	add("an operation with errors", "error BAD_INPUT", `{"type":"subscribe","id":"1","payload":{"query":"{"}}`)
	return cases
}

// TestHostileSubprotocols: only graphql-transport-ws is spoken, unless a setting allows its predecessor.
func TestHostileSubprotocols(t *testing.T) {
	t.Parallel()
	node := startHostile(t, map[string]string{"PARLEY_LEGACY_WS": "false"})
	for _, offered := range [][]string{nil, {"graphql-ws"}, {"mqtt", "graphql-ws"}, {"GRAPHQL-TRANSPORT-WS"}} {
		t.Run(strings.Join(offered, ","), func(t *testing.T) {
			conn, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(node.URL, "http")+"/graphql", &websocket.DialOptions{Subprotocols: offered})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow()
			if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != 4406 {
				t.Errorf("%v instead of 4406", err)
			}
		})
	}
}

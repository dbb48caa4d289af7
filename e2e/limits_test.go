package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"parley/e2e/parleytest"
)

const (
	joinQuery   = `mutation($room: ID!) { joinRoom(input: {roomId: $room}) { room { id } } }`
	editQuery   = `mutation($id: ID!) { editMessage(input: {messageId: $id, content: "edited"}) { message { id } } }`
	deleteQuery = `mutation($id: ID!) { deleteMessage(input: {messageId: $id}) { message { id } } }`
	createQuery = `mutation { createRoom(input: {name: "One more"}) { room { id } } }`
	typingQuery = `mutation($room: ID!) { setTyping(input: {roomId: $room, typing: true}) { expiresAt } }`
	publicQuery = `mutation { createRoom(input: {name: "Open", visibility: PUBLIC}) { room { id } } }`
	viewerQuery = `{ viewer { id } }`
)

// fewTimes make each rate, and what one user may connect, soon used up, and not come back.
var fewTimes = map[string]string{
	"PARLEY_RATE_LIMITS":             "on",
	"PARLEY_RATE_MESSAGES_USER":      "1/10m burst 10",
	"PARLEY_RATE_MESSAGES_ROOM":      "1/10m burst 12",
	"PARLEY_RATE_ROOMS_USER":         "1/10m burst 4",
	"PARLEY_RATE_TYPING_USER":        "1/10m burst 2",
	"PARLEY_RATE_OPERATIONS_USER":    "1/10m burst 60",
	"PARLEY_RATE_OPERATIONS_ADDRESS": "1/10m burst 5",
	"PARLEY_MAX_CONNECTIONS_USER":    "16",
}

// TestLimits uses up each limit, and then comes once more by every transport.
func TestLimits(t *testing.T) {
	t.Parallel()
	for engine, settings := range hostileEngines(t) {
		t.Run(engine, func(t *testing.T) {
			maps.Copy(settings, fewTimes)
			node := startHostile(t, settings)
			runCases(t, node, append(changesUsedUp(t, node), operationsUsedUp(t, node)...))
			if n := node.Metric(t, "parley_limit_refusals_total"); n < 30 {
				t.Errorf("%v refusals are counted", n)
			}
		})
	}
}

// spend asks until the answer is RATE_LIMITED, and returns how often it wasn't.
func spend(t *testing.T, as *parleytest.Client, query string, variables map[string]any) (times int) {
	t.Helper()
	for ; times < 200; times++ {
		result, err := as.Do(t.Context(), parleytest.Operation{Query: query, Variables: variables})
		if err != nil {
			t.Fatal(err)
		}
		if code := result.Code(); code == "RATE_LIMITED" {
			return times
		} else if code != "" {
			t.Fatalf("%s: %+v", query, result.Errors)
		}
	}
	t.Fatalf("200 times %s were let through", query)
	return times
}

func spent(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %d were let through, want %d", what, got, want)
	}
}

// changesUsedUp are the cases of people and a room whose rates of changes are used up.
func changesUsedUp(t *testing.T, node *parleytest.Node) []hostileCase {
	ada, bob, cyd, dan, eve := person(t, node, "ada"), person(t, node, "bob"), person(t, node, "cyd"), person(t, node, "dan"), person(t, node, "eve")
	room := ada.Must(t, publicQuery, nil).Text("createRoom", "room", "id")
	other := cyd.Must(t, publicQuery, nil).Text("createRoom", "room", "id")
	for _, one := range []*parleytest.Client{bob, dan, eve} {
		one.Must(t, joinQuery, map[string]any{"room": room})
	}
	in := func(variable string, value any) map[string]any { return map[string]any{variable: value} }
	sending := map[string]any{"room": room, "content": whispered}
	repeated := map[string]any{"room": room, "content": "once", "key": "one"}
	message := ada.Must(t, parleytest.SendQuery, repeated).Text("sendMessage", "message", "id")
	spent(t, "messages of a user", spend(t, ada, parleytest.SendQuery, sending), 9)
	spent(t, "messages in a room", spend(t, bob, parleytest.SendQuery, sending), 2)
	spent(t, "rooms", spend(t, cyd, createQuery, nil), 3)
	spent(t, "typing", spend(t, dan, typingQuery, in("room", room)), 2)
	of := func(name string, as *parleytest.Client, query string, variables map[string]any) hostileCase {
		return ask(name, as, parleytest.Operation{Query: query, Variables: variables})
	}
	return []hostileCase{
		of("a message of a user too many", ada, parleytest.SendQuery, sending).mutated("RATE_LIMITED"),
		of("an edit", ada, editQuery, in("id", message)).mutated("RATE_LIMITED"),
		of("a deletion", ada, deleteQuery, in("id", message)).mutated("RATE_LIMITED"),
		of("joining another room", ada, joinQuery, in("room", other)).mutated("RATE_LIMITED"),
		of("the same message again", ada, parleytest.SendQuery, repeated).mutated("ok"),
		of("a message in a room too many", eve, parleytest.SendQuery, sending).mutated("RATE_LIMITED"),
		of("a room too many", cyd, createQuery, nil).mutated("RATE_LIMITED"),
		of("typing too often", dan, typingQuery, in("room", room)).mutated("RATE_LIMITED"),
	}
}

// operationsUsedUp are the cases of those who may ask, or connect, no more.
func operationsUsedUp(t *testing.T, node *parleytest.Node) []hostileCase {
	busy, many, nobody := person(t, node, "busy"), person(t, node, "many"), &parleytest.Client{URL: node.URL, HTTP: http.DefaultClient}
	room := busy.CreateRoom(t, "Busy")
	spent(t, "operations of a user", spend(t, busy, viewerQuery, nil), 59)
	spent(t, "operations of nobody", spend(t, nobody, viewerQuery, nil), 5)
	mine := many.CreateRoom(t, "Mine")
	for range 16 {
		s, err := dialSocket(t.Context(), node, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.CloseNow() })
		s.mustInit(t, many)
	}
	every := [5]string{"429 RATE_LIMITED", "429 RATE_LIMITED", "RATE_LIMITED", "RATE_LIMITED", "RATE_LIMITED"}
	withoutToken := every
	withoutToken[2] = "" // a WebSocket has one
	return []hostileCase{
		ask("an operation of a user too many", busy, parleytest.Operation{Query: viewerQuery}).with(every),
		ask("a subscription too many", busy, follow(messageAdded, room, "")).with(every),
		ask("a look at presence too many", busy, parleytest.Operation{Query: `{ presence(userIds: ["busy"]) { status } }`}).with(every),
		ask("what can't be parsed", busy, parleytest.Operation{Query: "{"}).with(every),
		ask("an operation without a token too many", nobody, parleytest.Operation{Query: viewerQuery}).with(withoutToken),
		ask("a connection of a user too many", many, follow(messageAdded, mine, "")).
			with([5]string{"", "", "close 1013", "429 RATE_LIMITED", "429 RATE_LIMITED"}),
		ask("a query by one with too many connections", many, parleytest.Operation{Query: viewerQuery}).with([5]string{"200 ok", "200 ok", "", "ok", "ok"}),
	}
}

// with expects a word of each route.
func (c hostileCase) with(want [5]string) hostileCase {
	c.want = want
	return c
}

// from is an attempt to follow something, from an address that a proxy tells.
func from(address string, as *parleytest.Client) attempt {
	a := ask("", as, parleytest.Operation{Query: `subscription { presence(userIds: ["ada"]) { id } }`}).attempts[0]
	a.header = http.Header{"X-Forwarded-For": {address}, "Authorization": {"Bearer " + as.Token}}
	return a
}

// open opens a connection, until the test ends, and returns "opened" or the word of the refusal.
func (a attempt) open(t *testing.T, node *parleytest.Node, stream bool) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	if !stream {
		s, err := dialSocket(ctx, node, "", a.header)
		if refused, ok := errors.AsType[handshakeRefused](err); ok {
			hostileCase{}.check(t, "a WebSocket", refused.word, outcome(refused))
			return refused.word
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.CloseNow() })
		return "opened"
	}
	response, err := sendHTTP(ctx, node, a, http.MethodPost, "text/event-stream")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode == http.StatusOK {
		return "opened"
	}
	refused := documentOf(response)
	hostileCase{}.check(t, "a stream", refused.word, refused)
	return refused.word
}

// TestLimitsOfTickets: whoever guesses tickets is soon told to wait, and asks the store no more.
func TestLimitsOfTickets(t *testing.T) {
	t.Parallel()
	node := startHostile(t, map[string]string{"PARLEY_RATE_LIMITS": "on", "PARLEY_RATE_OPERATIONS_ADDRESS": "1/h burst 3"})
	for i, want := range []int{401, 401, 401, 429, 429} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, node.URL+"/graphql?ticket="+strings.Repeat("A", 43), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", "text/event-stream")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want || (response.Header.Get("Retry-After") != "") != (want == 429) {
			t.Errorf("guess %d: %d, Retry-After %q", i, response.StatusCode, response.Header.Get("Retry-After"))
		}
	}
}

// TestLimitsOfConnections counts connections by where they come from, and of the node, before the
// upgrade and before a stream's head.
func TestLimitsOfConnections(t *testing.T) {
	t.Parallel()
	node := startHostile(t, map[string]string{
		"PARLEY_RATE_LIMITS": "on", "PARLEY_MAX_CONNECTIONS_ADDRESS": "2", "PARLEY_MAX_CONNECTIONS": "12",
		"PARLEY_TRUSTED_PROXIES": "127.0.0.0/8", "PARLEY_INIT_TIMEOUT": "60s",
	})
	ada := person(t, node, "ada")
	seen := newTable("from", "by", "answer")
	check := func(address string, stream bool, want string) {
		t.Helper()
		got, by := from(address, ada).open(t, node, stream), "WebSocket"
		if stream {
			by = "SSE"
		}
		seen.row(address, by, got)
		if got != want {
			t.Errorf("from %q by %s: %s, want %s", address, by, got, want)
		}
	}
	for _, address := range []string{"198.51.100.1", "2001:db8::1"} {
		check(address, false, "opened")
		check(address, true, "opened")
		check(address, false, "429 RATE_LIMITED")
		check(address, true, "429 RATE_LIMITED")
	}
	check("2001:db8::ffff:2", false, "429 RATE_LIMITED") // another address of the same /64
	check("6.6.6.6, 198.51.100.1", false, "429 RATE_LIMITED")
	check("198.51.100.1, 127.0.0.9", true, "429 RATE_LIMITED")
	check("2001:db8:0:1::1", false, "opened")
	for i := range 7 {
		check(fmt.Sprintf("203.0.113.%d", i), i%2 == 0, "opened")
	}
	check("203.0.113.100", false, "503 UNAVAILABLE")
	check("203.0.113.100", true, "503 UNAVAILABLE")
	t.Log(seen)
	if result, err := ada.Do(t.Context(), parleytest.Operation{Query: viewerQuery}); err != nil || result.Code() != "" {
		t.Errorf("a full node answers no query: %v, %v", result, err)
	}
}

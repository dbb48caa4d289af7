package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"parley/e2e/parleytest"
)

// abuseTable is the one table of all abuses: where each is known from, what every transport that can
// carry it comes to, and in which words.
type abuseTable struct {
	t    *testing.T
	seen *table
	rows int
}

// legend says what the words of the table mean.
const legend = `
–: the transport can't carry it, as GET no body, and HTTP nothing that goes on within a connection.
405: no mutation is done by GET, which a link could send. 406: plain POST and GET have no place for a subscription's events.
A closing code is a verdict too: 1002, 1003, 1007, 4400 and 4408 (as the status 408) for BAD_INPUT, 4401 and 4403 for
UNAUTHENTICATED, 4409 for CONFLICT, 1009 (as 413, 414 and 431) for LIMIT_EXCEEDED, 1013 and 4429 for RATE_LIMITED.`

// verdicts are the words of the transports for the codes that the API has for the same.
var verdicts = map[string]string{
	"400": "BAD_INPUT", "408": "BAD_INPUT", "close 1002": "BAD_INPUT", "close 1003": "BAD_INPUT", "close 1007": "BAD_INPUT",
	"close 4400": "BAD_INPUT", "close 4408": "BAD_INPUT",
	"close 4401": "UNAUTHENTICATED", "close 4403": "UNAUTHENTICATED",
	"close 4409":       "CONFLICT",
	"431 without JSON": "LIMIT_EXCEEDED", "close 1009": "LIMIT_EXCEEDED",
	"close 1013": "RATE_LIMITED", "close 4429": "RATE_LIMITED",
	uncarried: "", "405 BAD_INPUT": "", "406 BAD_INPUT": "",
}

// verdict is the code that a word comes to, "" where the route can't carry the question.
func verdict(word string) string {
	if code, ours := verdicts[word]; ours {
		return code
	}
	return word[strings.LastIndexByte(word, ' ')+1:] // behind a status, or the type of a message
}

// row adds what the routes said, and fails unless it comes to one verdict.
func (a *abuseTable) row(from, name string, cells []string) {
	a.t.Helper()
	came := map[string]bool{}
	for _, cell := range cells {
		came[verdict(cell)] = true
	}
	delete(came, "")
	if len(came) != 1 {
		a.t.Errorf("%s: %s: the transports don't agree: %q", from, name, cells)
	}
	a.seen.row(append([]string{from, name, strings.Join(slices.Sorted(maps.Keys(came)), " or ")}, cells...)...)
	a.rows++
}

// try adds the cases of those names, or all if none is given, once each has been tried by every route.
func (a *abuseTable) try(from string, node *parleytest.Node, cases []hostileCase, names ...string) {
	a.t.Helper()
	picked := cases
	if len(names) > 0 {
		picked = nil
		for _, name := range names {
			i := slices.IndexFunc(cases, func(c hostileCase) bool { return c.name == name })
			if i < 0 {
				a.t.Fatalf("there is no case %q", name)
			}
			picked = append(picked, cases[i])
		}
	}
	rows, _ := answers(a.t, node, picked)
	for i, cells := range rows {
		a.row(from, picked[i].name, cells)
	}
}

// underneath is an abuse that isn't an operation: how each route is told of it (nil for one that can't
// be), and the word that must come back.
type underneath struct {
	from, name, want string

	post, get, socket, streamByPost, streamByGet, multipart func() string
}

// ways are what each of the routes says.
func (u underneath) ways() []func() string {
	return []func() string{u.post, u.get, u.socket, u.streamByPost, u.streamByGet, u.multipart, nil}
}

// tryAll adds abuses that aren't operations, all tried at once, since most of them take waiting.
func (a *abuseTable) tryAll(abuses []underneath) {
	a.t.Helper()
	rows := make([][]string, len(abuses))
	crowd(len(abuses), func(i int) {
		ways := abuses[i].ways()
		rows[i] = make([]string, len(ways))
		crowd(len(ways), func(r int) {
			if rows[i][r] = uncarried; ways[r] != nil {
				rows[i][r] = ways[r]()
			}
		})
	})
	for i, u := range abuses {
		for r, cell := range rows[i] {
			if cell != uncarried && verdict(cell) != u.want {
				a.t.Errorf("%s by %s: %s, which isn't %s", u.name, routes[r].name, cell, u.want)
			}
		}
		a.row(u.from, u.name, rows[i])
	}
}

// TestHostileAbuses prints the table of all: each limit, and each line of bad input among the traps that
// other servers fell into (the numbers are those of the list of traps), by every transport. Whatever words
// a transport has for it, it is the same verdict. What the abuses leave behind is for the tests beside it.
func TestHostileAbuses(t *testing.T) {
	t.Parallel()
	a := &abuseTable{t: t, seen: newTable(append([]string{"from", "abuse", "verdict"}, routeNames()...)...)}

	crowded := startHostile(t, map[string]string{
		"PARLEY_RATE_LIMITS": "on", "PARLEY_MAX_CONNECTIONS_ADDRESS": "4", "PARLEY_MAX_CONNECTIONS": "8",
		"PARLEY_TRUSTED_PROXIES": "127.0.0.0/8", "PARLEY_INIT_TIMEOUT": "60s",
	})
	a.connections(crowded)

	few := startHostile(t, fewTimes)
	changes, operations := changesUsedUp(t, few), operationsUsedUp(t, few)
	a.try("limits: connections", few, operations, "a connection of a user too many")

	w := newHostileWorld(t, dearly)
	hasty := startHostile(t, map[string]string{"PARLEY_RATE_LIMITS": "on", "PARLEY_RATE_OPERATIONS_CONNECTION": "1/10m burst 3", "PARLEY_INIT_TIMEOUT": "5s"})
	a.tryAll(slices.Concat(slowly(t, hasty), w.conversations(t), w.nonsense(t), floods(t, hasty)))

	a.sizes(w)
	a.try("limits: documents", w.node, w.beyond())
	a.try("limits: audience", w.node, w.audiences(t), "for each of three members")
	a.try("limits: rates", few, changes, "a message of a user too many", "a message in a room too many", "an edit", "a deletion",
		"joining another room", "a room too many", "typing too often")
	a.try("limits: rates", few, operations, "a subscription too many", "a look at presence too many", "an operation of a user too many",
		"an operation without a token too many", "what can't be parsed")

	documents, cases := trusted(t)
	a.try("limits: trusted documents", documents, cases, "a text alone", "another text", "another text by hash", "a subscription's text",
		"introspection", "an unknown id")
	a.try("limits: introspection", w.node, w.documents(), "introspection of the schema", "introspection of a type", "introspection in a fragment")
	a.try("limits: suggestions", w.node, w.abuses(), "a name mistyped", "a value mistyped")
	a.foreignPages(w)
	a.traps(w)
	t.Logf("%d abuses%s%s", a.rows, a.seen, legend)
}

// connections are those from one address, and of the node, one too many of each.
func (a *abuseTable) connections(node *parleytest.Node) {
	a.t.Helper()
	ada := person(a.t, node, "ada")
	oneMore := func(name, address, word string) hostileCase {
		c := hostileCase{name: name, attempts: []attempt{from(address, ada)}}
		return c.with([5]string{"", "", word, word, word})
	}
	opened := func(address string) {
		for _, stream := range []bool{false, true, false, true} {
			if got := from(address, ada).open(a.t, node, stream); got != "opened" {
				a.t.Fatalf("from %s: %s", address, got)
			}
		}
	}
	opened("198.51.100.1")
	a.try("limits: connections", node, []hostileCase{oneMore("a connection of an address too many", "198.51.100.1", "429 RATE_LIMITED")})
	opened("198.51.100.2")
	a.try("limits: connections", node, []hostileCase{oneMore("a connection of the node too many", "198.51.100.3", "503 UNAVAILABLE")})
}

// sizes are those of what carries an operation.
func (a *abuseTable) sizes(w *hostileWorld) {
	a.t.Helper()
	const pad = 128 << 10
	large := w.asBoth("a body, frame or query string of 128 KiB", `{"query":"{ viewer { id } }","pad":"`+strings.Repeat("x", pad)+`"}`, "pad", strings.Repeat("x", pad))
	headed := ask("headers of 2 MiB", w.ada, parleytest.Operation{Query: harmless})
	headed.attempts[0].header = headers("X-Pad", strings.Repeat("x", 2<<20))
	const refused = "431 without JSON"
	a.try("limits: sizes", w.node, []hostileCase{
		large.with([5]string{"413 LIMIT_EXCEEDED", "414 LIMIT_EXCEEDED", "close 1009", "413 LIMIT_EXCEEDED", "414 LIMIT_EXCEEDED"}),
		headed.with([5]string{refused, refused, refused, refused, refused}),
	})
	a.try("limits: batches", w.node, w.malformed(), "a batch")
}

// foreignPages make a browser ask for them.
func (a *abuseTable) foreignPages(w *hostileWorld) {
	a.t.Helper()
	asked := func(name string, header ...string) hostileCase {
		c := ask(name, w.ada, parleytest.Operation{Query: harmless})
		c.attempts[0].header = headers(header...)
		return c
	}
	const refused, form = "403 FORBIDDEN", "415 BAD_INPUT"
	every := [5]string{refused, refused, refused, refused, refused}
	a.try("limits: Origin", w.node, []hostileCase{
		asked("a foreign page", "Origin", "https://evil.example").with(every),
		asked("a page of no origin", "Origin", "null").with(every),
	})
	a.try("limits: CSRF", w.node, []hostileCase{asked("a form, which needs no preflight", "Content-Type", "text/plain").with([5]string{form, "", "", form, ""})})
}

// traps are bad input that other servers fell for, and that no limit is about.
func (a *abuseTable) traps(w *hostileWorld) {
	a.t.Helper()
	h := w.hold(a.t)
	resumes := w.resumes(h, []any{"x", h.elsewhere, h.members}, h.lost(a.t)[:3])
	a.try("trap 5", w.node, resumes, "messageAdded(after): no cursor of it", "messageAdded with resume: no cursor of it",
		"messageAdded with Last-Event-ID: no cursor of it", "messageAdded(after): not in its log", "messageAdded with resume: not in its log",
		"messageAdded with Last-Event-ID: not in its log")
	bob, eve := person(a.t, w.node, "bob"), person(a.t, w.node, "eve")
	a.try("traps 10, 11", w.node, trespasses(a.t, w.ada, bob, eve), "joinRoom", "room, its messages", "roomEvents, polling after a cursor",
		"messageAdded", "messageAdded after a cursor", "sendMessage")
	tokens := w.tokens(a.t)
	a.try("trap 14", w.node, tokens, "claims: expired", "claims: no exp")
	a.try("trap 21", w.node, w.abuses(), "an alias bomb", "an alias bomb in fragments", "a fragment bomb", "4,900 times one field",
		"IntrospectionQuery, beyond limits", "IntrospectionQuery", "100 sendings at once", "a subscription of pages")
	a.try("trap 22", w.node, w.contents(), "sendMessage: a clientId used for another message")
	a.try("trap 27", w.node, tokens, "token: alg none", "token: another key", "token: HS512 with the right key", "token: ES256")
	a.try("trap 29", w.node, tokens, "a good token in the URL", "no token: a query", "no token: a mutation", "no token: a subscription")
}

// slowly are those who take longer than a connection is given for its beginning.
func slowly(t *testing.T, node *parleytest.Node) []underneath {
	head := func(start string) func() string {
		return func() string { return trickled(t, node, start, "X: "+strings.Repeat("x", 1000)) }
	}
	body := func(accept string) func() string {
		return func() string {
			return trickled(t, node, bodyPromised+"Accept: "+accept+"\r\n\r\n", `{"query":"`+strings.Repeat(" ", 900))
		}
	}
	const post, get, upgrade = "POST /graphql HTTP/1.1\r\nHost: x\r\n", "GET /graphql HTTP/1.1\r\nHost: x\r\n", "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	const stream, parts = "Accept: text/event-stream\r\n", "Accept: " + parleytest.AcceptMultipart + "\r\n"
	return []underneath{
		{
			from: "limits: init time", name: "no connection_init, or a body byte by byte", want: "BAD_INPUT",
			post: body("application/json"), streamByPost: body("text/event-stream"), multipart: body(parleytest.AcceptMultipart),
			socket: func() string { return socketCase{}.hold(t, node, nil) },
		},
		{
			from: "limits: init time", name: "a head byte by byte", want: "closed",
			post: head(post), get: head(get), socket: head(get + upgrade), streamByPost: head(post + stream), streamByGet: head(get + stream),
			multipart: head(post + parts),
		},
	}
}

// conversations are those that break the rules of graphql-transport-ws, which knows more than one operation.
func (w *hostileWorld) conversations(t *testing.T) []underneath {
	heard := func(from, want string, c socketCase) underneath {
		return underneath{from: from, name: c.name, want: want, socket: func() string { return c.hold(t, w.node, w.ada) }}
	}
	good, following := initWith(w.ada.Token), startOf("1", follow(messageAdded, w.room, ""))
	var many []string
	for i := range 101 {
		many = append(many, startOf(fmt.Sprint(i), follow(messageAdded, w.room, "")))
	}
	return []underneath{
		heard("limits: init floods", "RATE_LIMITED", socketCase{name: "connection_init three times", says: []string{good, good, good}}),
		heard("limits: operations", "LIMIT_EXCEEDED", socketCase{name: "101 operations on one connection", acknowledged: true, says: many}),
		heard("trap 15", "CONFLICT", socketCase{name: "two operations of one id", acknowledged: true, says: []string{following, following}}),
		heard("trap 17", "BAD_INPUT", socketCase{name: "a connection_init that isn't an object", says: []string{`{"type":"connection_init","payload":"x"}`}}),
		heard("trap 17", "LIMIT_EXCEEDED", socketCase{name: "a connection_init of 128 KiB", says: []string{initWith(strings.Repeat("x", 128<<10))}}),
		heard("trap 17", "UNAUTHENTICATED", socketCase{name: "an operation before connection_init", says: []string{subscribeViewer}}),
	}
}

// nonsense is what isn't the protocol at all.
func (w *hostileWorld) nonsense(t *testing.T) []underneath {
	raw := func(bytes string) func() string { return func() string { return sayRaw(t, w.node, bytes) } }
	frame := func(frame []byte) func() string {
		return func() string {
			conn, in := rawSocket(t, w.node)
			defer conn.Close()
			_, _ = conn.Write(frame) // the server may close at once
			return endOf(in)
		}
	}
	const chunked = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
	const stream, parts = "Accept: text/event-stream\r\n", "Accept: " + parleytest.AcceptMultipart + "\r\n"
	return []underneath{
		{
			from: "traps 12, 17", name: "a broken chunk, header or frame", want: "BAD_INPUT",
			post: raw(chunked + "\r\nzz\r\n"), get: raw("GET /graphql HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n"), socket: frame([]byte{finalText, 2, '{', '}'}),
			streamByPost: raw(chunked + stream + "\r\nzz\r\n"), streamByGet: raw("GET /graphql HTTP/1.1\r\nHost: x\r\n" + stream + ": x\r\n\r\n"),
			multipart: raw(chunked + parts + "\r\nzz\r\n"),
		},
		{from: "limits: sizes", name: "a frame of 1 GiB, promised", want: "LIMIT_EXCEEDED", socket: frame(promised(finalText, 1<<30))},
	}
}

// floods are those of one connection, by people who do nothing else.
func floods(t *testing.T, node *parleytest.Node) []underneath {
	room := person(t, node, "ada").CreateRoom(t, "Plug")
	var often []string
	for i := range 4 {
		id := fmt.Sprint(i)
		often = append(often, startOf(id, follow(messageAdded, room, "")), completeOf(id))
	}
	churning := socketCase{name: "subscribing and completing in turns", acknowledged: true, says: often}
	abuses := []underneath{{
		from: "limits: churn", name: churning.name, want: "RATE_LIMITED",
		socket: func() string { return churning.hold(t, node, person(t, node, "ada")) },
	}}
	for i, kind := range floodsOfOneSocket() {
		flooding := person(t, node, fmt.Sprint("flood-", i))
		abuses = append(abuses, underneath{
			from: "limits: floods", name: "2,000 " + kind.name, want: verdict(kind.end),
			socket: func() string { return kind.flood(t, node, flooding) },
		})
	}
	return abuses
}

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/e2e/parleytest"
)

// repeated is a format n times, each time with its number.
func repeated(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// bound is a limit, and documents just beyond and just within it.
type bound struct {
	name            string
	beyond, within  string
	variables, some map[string]any
}

// bounds are those of queries, at their defaults.
func (w *hostileWorld) bounds() []bound {
	deep := strings.Repeat("room { messages(last: 1) { edges { node { ", 4)
	nested := func(inner string) string {
		return `{ node(id: "` + w.message + `") { ... on Message { ` + deep + inner + strings.Repeat(" } } } }", 4) + ` } } }`
	}
	padded := func(n int) string { return harmless + "#" + strings.Repeat("x", n-len(harmless)-1) }
	roots := func(n int) string {
		return repeated(n, "a%d: viewer { id "+strings.Repeat("id name avatarUrl ", 16)+"} ")
	}
	operations := func(n int) string { return repeated(n, "query Q%d { viewer { id } } ") }
	long := func(items int) string { // 14 tokens and the items
		return `query Q%d { nodes(ids: [` + strings.Repeat(`"x" `, items) + `]) { id } } `
	}
	spread := func(n, fragments int) string {
		return `{ viewer { ` + repeated(n, "...F%d ") + `} }` + repeated(fragments, " fragment F%d on User { id }")
	}
	variables := func(n int) string {
		return `query(` + repeated(n, `$v%d: ID! = "x" `) + `) { nodes(ids: [` + repeated(n, "$v%d ") + `]) { id } }`
	}
	pages := func(n int) string {
		return fmt.Sprintf(`{ rooms(first: 100) { edges { node { messages(last: %d) { edges { node { content } } } } } } }`, n)
	}
	values := func(n int) map[string]any { return map[string]any{"unasked": slices.Repeat([]any{1}, n-1)} }
	var lists any = 1
	for range 21 {
		lists = []any{lists}
	}
	ids := `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`
	return []bound{
		{name: "bytes", beyond: padded(65537), within: padded(65536)},
		{name: "tokens", beyond: repeated(49, long(86)) + repeated(1, strings.Replace(long(87), "Q", "R", 1)), within: repeated(50, long(86))},
		{name: "operations", beyond: operations(51), within: operations(50)},
		{name: "fragments", beyond: spread(51, 51), within: spread(50, 50)},
		{name: "fragments in one selection", beyond: `{ viewer { ` + strings.Repeat("...F ", 51) + `} } fragment F on User { id }`,
			within: `{ viewer { ` + strings.Repeat("...F ", 50) + `} } fragment F on User { id }`},
		{name: "depth", beyond: nested("room { messages(last: 1) { cursor } }"), within: nested("room { id }")},
		{name: "fields", beyond: `{ ` + roots(20) + ` a0: viewer { id } }`, within: `{ ` + roots(20) + `}`},
		{name: "root fields", beyond: `{ ` + repeated(21, "a%d: viewer { id } ") + `}`, within: `{ ` + repeated(20, "a%d: viewer { id } ") + `}`},
		{name: "aliases", beyond: `{ viewer { ` + repeated(51, "a%d: id ") + `} }`, within: `{ viewer { ` + repeated(50, "a%d: id ") + `} }`},
		{name: "pairs of repeated fields", beyond: repeated(10, "query Q%d { viewer { "+strings.Repeat("id ", 50)+"} } "),
			within: repeated(8, "query Q%d { viewer { "+strings.Repeat("id ", 50)+"} } ")},
		{name: "repeated fields", beyond: `{ viewer { ` + strings.Repeat("id ", 51) + `} }`, within: `{ viewer { ` + strings.Repeat("id ", 50) + `} }`},
		{name: "directives", beyond: `{ viewer { name @skip(if: false) ` + strings.Repeat("id @skip(if: false) ", 50) + `} }`,
			within: `{ viewer { ` + strings.Repeat("id @skip(if: false) ", 50) + `} }`},
		{name: "arguments", beyond: `{ room(` + repeated(21, "a%d: 1 ") + `) { id } }`, within: harmless},
		{name: "variables", beyond: variables(51), within: variables(50)},
		{name: "values of variables", beyond: harmless, variables: values(5001), within: harmless, some: values(5000)},
		{name: "depth of variables", beyond: harmless, variables: map[string]any{"x": lists}, within: harmless, some: map[string]any{"x": lists.([]any)[0]}},
		{name: "items of a list", beyond: ids, variables: map[string]any{"ids": manyIDs(101)}, within: ids, some: map[string]any{"ids": manyIDs(100)}},
		{name: "items of a list in the text", beyond: `{ presence(userIds: [` + strings.Repeat(`"x" `, 101) + `]) { id } }`,
			within: `{ nodes(ids: [` + strings.Repeat(`"x" `, 100) + `]) { id } }`},
		{name: "complexity", beyond: pages(49), within: pages(48)},
	}
}

// beyond are the documents just beyond their bounds.
func (w *hostileWorld) beyond() []hostileCase {
	var cases []hostileCase
	for _, b := range w.bounds() {
		cases = append(cases, ask(b.name+", beyond", w.ada, parleytest.Operation{Query: b.beyond, Variables: b.variables}).refused("LIMIT_EXCEEDED"))
	}
	return cases
}

// dearly are the settings under which what few members cost is too much already.
var dearly = map[string]string{"PARLEY_MAX_AUDIENCE_COST": "1000", "PARLEY_MAX_RESPONSE": "819200"}

// abuses are what has brought other servers down.
func (w *hostileWorld) abuses() []hostileCase {
	bomb := `{ viewer { ...F0 } }`
	for i := range 40 {
		bomb += fmt.Sprintf(" fragment F%d on User { ...F%d ...F%d }", i, i+1, i+1)
	}
	refused := map[string]string{
		"a fragment bomb":                      bomb + " fragment F40 on User { id }",
		"an alias bomb":                        `{ ` + repeated(1000, "a%d: rooms { edges { node { id } } } ") + `}`,
		"an alias bomb in fragments":           `{ ` + repeated(20, "a%d: viewer { ...F } ") + `} fragment F on User { ` + repeated(40, "b%d: id ") + `}`,
		"4,900 times one field":                `{ viewer { ` + strings.Repeat("id ", 4900) + `} }`,
		"6,000 tokens":                         `{ viewer { ` + strings.Repeat("id ", 6000) + `} }`,
		"6,000 directives":                     `{ viewer ` + strings.Repeat("@skip(if: false) ", 1500) + `{ id } }`,
		"100 pages of 100":                     `{ rooms(first: 100) { edges { node { messages(first: 100) { edges { node { content } } } } } } }`,
		"pages within pages within pages":      `{ rooms { edges { node { messages { edges { node { room { messages { edges { node { id } } } } } } } } } } }`,
		"IntrospectionQuery, beyond limits":    `query IntrospectionQuery { ` + repeated(21, "a%d: viewer { id } ") + `}`,
		"100 sendings at once":                 `mutation { ` + repeated(100, `a%d: setTyping(input: {roomId: "r_1", typing: true}) { expiresAt } `) + `}`,
		"a subscription of pages":              `subscription { messageAdded(roomId: "` + w.room + `") { room { messages(last: 100) { edges { node { id content seq cursor } } } } } }`,
		"a subscription within many fragments": `subscription { roomEvents(roomId: "` + w.room + `") { ` + strings.Repeat("...F ", 51) + `} } fragment F on RoomEvent { at }`,
	}
	var cases []hostileCase
	for name, query := range refused {
		cases = append(cases, ask(name, w.ada, parleytest.Operation{Query: query}).refused("LIMIT_EXCEEDED"))
	}
	for name, query := range map[string]string{
		"a circle of 40 fragments": bomb + " fragment F40 on User { ...F0 }",
		"IntrospectionQuery":       `query IntrospectionQuery { __schema { types { name } } }`,
		"a name mistyped":          `{ viewr { id } }`,
		"an argument mistyped":     `{ room(idd: "x") { id } }`,
		"a type mistyped":          `{ node(id: "x") { ... on Rooom { id } } }`,
		"a value mistyped":         `mutation { createRoom(input: {type: GRUOP}) { room { id } } }`,
		"an input field mistyped":  `mutation { createRoom(input: {nme: "x"}) { room { id } } }`,
		"a leaf that isn't one":    `{ viewer }`,
	} {
		cases = append(cases, ask(name, w.ada, parleytest.Operation{Query: query}).refused("BAD_INPUT"))
	}
	slices.SortFunc(cases, func(a, b hostileCase) int { return strings.Compare(a.name, b.name) })
	return cases
}

// TestHostileLimits sends documents beyond each limit, and just within it, over every transport, by
// nobody in particular where that will do.
func TestHostileLimits(t *testing.T) {
	t.Parallel()
	w := newHostileWorld(t, dearly)
	beyond, within := w.beyond(), []hostileCase(nil)
	for _, b := range w.bounds() {
		op := parleytest.Operation{Query: b.within, Variables: b.some}
		if strings.HasPrefix(b.within, "query Q0") {
			op.OperationName = "Q0"
		}
		within = append(within, ask(b.name+", within", w.ada, op).answered("ok"))
	}
	runCases(t, w.node, within) // then what is made once is made
	before := settled(t, w.node)
	runCases(t, w.node, slices.Concat(beyond, w.abuses()))
	runCases(t, w.node, w.audiences(t))
	runCases(t, w.node, w.long(t))
	for i := range beyond {
		beyond[i].attempts[0].token = "" // judged before anybody is asked who they are
		beyond[i].want[2] = "close 4403" // where that is asked first
	}
	runCases(t, w.node, beyond)
	nothingLeft(t, w.node, before)
	parleytest.Eventually(t, "the processor is idle again", func() bool {
		used := w.node.Metric(t, "process_cpu_seconds_total")
		time.Sleep(linger) // the time over which is measured
		return w.node.Metric(t, "process_cpu_seconds_total")-used < linger.Seconds()/4
	})
}

// audiences are subscriptions that cost a rendering for each member of a room.
func (w *hostileWorld) audiences(t *testing.T) []hostileCase {
	crowded := w.ada.CreateRoom(t, "Full house", "m1", "m2")
	follow := func(room, field string) hostileCase {
		first := w.ada.MustSend(t, room, whispered).Text("sendMessage", "message", "id")
		cursor := w.ada.Must(t, `query($id: ID!) { message(id: $id) { cursor } }`, map[string]any{"id": first}).Text("message", "cursor")
		w.ada.MustSend(t, room, whispered)
		query := `subscription($room: ID!, $after: Cursor) { messageAdded(roomId: $room, after: $after) { room { ` + field + ` } ` +
			repeated(30, "a%d: id ") + `} }`
		return ask("", w.ada, parleytest.Operation{Query: query, Variables: map[string]any{"room": room, "after": cursor}})
	}
	dear := `members(first: 80) { edges { node { role id user { id } } } }`
	named := func(name string, c hostileCase) hostileCase {
		c.name = name
		return c
	}
	return []hostileCase{
		named("for each of one member", follow(w.another, dear)).followed("ok"),
		named("for each of three members", follow(crowded, dear)).followed("LIMIT_EXCEEDED"),
		named("for all of three members at once", follow(crowded, "name memberCount")).followed("ok"),
	}
}

// long are answers that would be longer than one may be.
func (w *hostileWorld) long(t *testing.T) []hostileCase {
	room := w.ada.CreateRoom(t, "Epics")
	for range 100 {
		w.ada.MustSend(t, room, whispered+strings.Repeat("x", 8192-len(whispered)))
	}
	pages := func(n int) parleytest.Operation {
		return parleytest.Operation{Query: fmt.Sprintf(`query($id: ID!) { room(id: $id) { messages(last: %d) { edges { node { content } } } } }`, n),
			Variables: map[string]any{"id": room}}
	}
	return []hostileCase{
		ask("an answer that is too long", w.ada, pages(100)).answered("LIMIT_EXCEEDED"),
		ask("a long answer", w.ada, pages(90)).answered("ok"),
	}
}

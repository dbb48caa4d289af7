package e2e

import (
	"fmt"
	"net/url"
	"strings"

	"parley/e2e/parleytest"
)

const harmless = `{ viewer { id } }`

// asBody is a case of a body as it is.
func (w *hostileWorld) asBody(name, body string) hostileCase {
	return hostileCase{
		name: name, attempts: []attempt{{body: body, token: w.ada.Token}},
		want: [5]string{"400 BAD_INPUT", "", "close 4400", "400 BAD_INPUT", ""},
	}
}

// asBoth is a case of a body, and of a query string that says the same.
func (w *hostileWorld) asBoth(name, body, parameter, value string) hostileCase {
	c := w.asBody(name, body)
	c.attempts[0].query = url.Values{"query": {harmless}, parameter: {value}}.Encode()
	c.want[1], c.want[4] = "400 BAD_INPUT", "400 BAD_INPUT"
	return c
}

// malformed are bodies that aren't one JSON object.
func (w *hostileWorld) malformed() []hostileCase {
	deep := strings.Repeat(`[`, 12_000) + strings.Repeat(`]`, 12_000)
	cases := []hostileCase{
		w.asBody("nothing", ``),
		w.asBody("not JSON", `query { viewer { id } }`),
		w.asBody("half an object", `{"query":"{ viewer { id } }"`),
		w.asBody("single quotes", `{'query':'{ viewer { id } }'}`),
		w.asBody("a comma too many", `{"query":"{ viewer { id } }",}`),
		w.asBody("a comment", `{"query":"{ viewer { id } }" /* please */}`),
		w.asBody("a raw line break in a string", "{\"query\":\"{ viewer\n{ id } }\"}"),
		w.asBody("a zero byte", "{\"query\":\"{ viewer { id } }\"\x00}"),
		w.asBody("a byte order mark", "\ufeff"+`{"query":"{ viewer { id } }"}`),
		w.asBody("a batch", `[{"query":"{ viewer { id } }"}]`),
		w.asBody("an empty batch", `[]`),
		w.asBody("a string", `"{ viewer { id } }"`),
		w.asBody("a number", `7`),
		w.asBody("true", `true`),
		w.asBody("null", `null`),
		w.asBody("something behind", `{"query":"{ viewer { id } }"} x`),
		w.asBody("a second object", `{"query":"{ viewer { id } }"}{"query":"{ viewer { id } }"}`),
		w.asBoth("nested 12,000 deep", `{"query":"{ viewer { id } }","variables":{"a":`+deep+`}}`, "variables", `{"a":`+deep+`}`),
		w.asBoth("broken variables", `{"query":"{ viewer { id } }","variables":{"a":}}`, "variables", `{"a":}`),
	}
	// JSON leaves open which of the two counts; one does.
	twice := w.asBoth("a member twice", `{"query":"{ viewer { id } }","query":"{ viewer { name } }"}`, "query", harmless).answered("ok")
	twice.attempts[0].query += "&" + url.Values{"query": {`{ viewer { name } }`}}.Encode()
	broken := w.asBoth("not UTF-8", "{\"query\":\"{ viewer { id } } # \xff\"}", "query", harmless+" # \xff")
	broken.want[2] = "close 1007"
	return append(cases, twice, broken)
}

// wrongTypes are members of the request that aren't what they should be.
func (w *hostileWorld) wrongTypes() []hostileCase {
	cases := []hostileCase{w.asBody("no query", `{}`)}
	for _, value := range []string{`7`, `null`, `true`, `{}`, `["{ viewer { id } }"]`} {
		cases = append(cases, w.asBody("query "+value, `{"query":`+value+`}`))
	}
	for _, value := range []string{`7`, `false`, `{"a":1}`, `["a"]`} {
		cases = append(cases, w.asBody("operationName "+value, `{"query":"{ viewer { id } }","operationName":`+value+`}`))
	}
	for _, member := range []string{"variables", "extensions"} {
		for _, value := range []string{`7`, `"{}"`, `[]`, `[{}]`, `true`} {
			body := fmt.Sprintf(`{"query":"{ viewer { id } }",%q:%s}`, member, value)
			cases = append(cases, w.asBoth(member+" "+value, body, member, value))
		}
	}
	return cases
}

// documents are those that the schema, or a limit, doesn't allow.
func (w *hostileWorld) documents() []hostileCase {
	var cases []hostileCase
	for _, d := range []struct{ name, query string }{
		{"an empty document", ``},
		{"white space", " \n"},
		{"a comment only", `# { viewer { id } }`},
		{"a syntax error", `{ viewer { id }`},
		{"an unterminated string", `{ room(id: "r_) { id } }`},
		{"a zero byte in the document", "{ viewer { id } }\x00"},
		{"an unknown field", `{ viewer { idd } }`},
		{"an unknown root field", `{ viewers { id } }`},
		{"an unknown mutation", `mutation { sendMesage(input: {}) { message { id } } }`},
		{"an unknown subscription", `subscription { messagesAdded(roomId: "r_1") { id } }`},
		{"an unknown argument", `{ viewer(id: 1) { id } }`},
		{"an unknown type", `query($a: Vieer) { viewer { id } }`},
		{"an unknown fragment", `{ viewer { ...Nobody } }`},
		{"an unknown directive", `{ viewer @please { id } }`},
		{"a directive of the schema", `{ viewer @viewer { id } }`},
		{"an unused fragment", `{ viewer { id } } fragment F on User { id }`},
		{"a fragment of itself", `{ viewer { ...F } } fragment F on User { id ...F }`},
		{"a circle of fragments", `{ viewer { ...F } } fragment F on User { ...G } fragment G on User { ...F }`},
		{"a fragment on the wrong type", `{ viewer { ... on Room { id } } }`},
		{"an unused variable", `query($a: Int) { viewer { id } }`},
		{"an undefined variable", `{ room(id: $id) { id } }`},
		{"a missing argument", `{ room { id } }`},
		{"null for what must be", `{ room(id: null) { id } }`},
		{"a string for an Int", `{ rooms(first: "1") { __typename } }`},
		{"an Int beyond 32 bits", `{ rooms(first: 9999999999999999999999) { __typename } }`},
		{"an object for an ID", `{ room(id: {id: "r_1"}) { id } }`},
		{"an unknown enum value", `mutation { createRoom(input: {type: PARTY}) { room { id } } }`},
		{"an unknown input field", `mutation { sendMessage(input: {roomId: "r_1", content: "x", sender: "bob"}) { message { id } } }`},
		{"an input field twice", `mutation { setTyping(input: {roomId: "r_1", typing: true, typing: false}) { expiresAt } }`},
		{"a missing input field", `mutation { sendMessage(input: {roomId: "r_1"}) { message { id } } }`},
		{"an object without selection", `{ viewer }`},
		{"a scalar with one", `{ viewer { id { id } } }`},
		{"two operations without names", `{ viewer { id } } { viewer { name } }`},
		{"one name for two things", `{ a: viewer { x: id } a: viewer { x: name } }`},
		{"no root of a subscription", `subscription { typing(roomId: "r_1") @skip(if: true) { users { id } } }`},
		{"two roots of a subscription", `subscription { typing(roomId: "r_1") { users { id } } messageAdded(roomId: "r_1") { id } }`},
		{"one root of a subscription twice", `subscription { a: typing(roomId: "r_1") { users { id } } b: typing(roomId: "r_2") { users { id } } }`},
		{"definitions of types", `type Query { a: Int } { viewer { id } }`},
		{"introspection of the schema", `{ __schema { types { name } } }`},
		{"introspection of a type", `{ __type(name: "User") { fields { name } } }`},
		{"introspection in a fragment", `query IntrospectionQuery { ...F } fragment F on Query { __schema { queryType { name } } }`},
		{"@defer", `{ viewer { ... @defer { id } } }`},
		{"selections nested 4,000 deep", strings.Repeat("{ room ", 4000)},
		{"lists nested 4,000 deep", `{ nodes(ids: ` + strings.Repeat("[", 4000)},
	} {
		cases = append(cases, ask(d.name, w.ada, parleytest.Operation{Query: d.query}).refused("BAD_INPUT"))
	}
	return append(cases, w.operations()...)
}

// operations are documents that are fine, asked for in the wrong way.
func (w *hostileWorld) operations() []hostileCase {
	const two, room = `query A { viewer { id } } query B { viewer { name } }`, `query($id: ID!) { room(id: $id) { id } }`
	cases := []hostileCase{
		ask("an operation that isn't there", w.ada, parleytest.Operation{Query: two, OperationName: "C"}),
		ask("none of two operations", w.ada, parleytest.Operation{Query: two}),
		ask("a required variable missing", w.ada, parleytest.Operation{Query: room}),
		ask("a required variable null", w.ada, parleytest.Operation{Query: room, Variables: map[string]any{"id": nil}}),
		askEach("a variable of another type", w.ada, room, "id", []string{"r_1"}, map[string]any{"id": "r_1"}, true),
		askEach("a variable that isn't an Int", w.ada, `query($n: Int) { rooms(first: $n) { __typename } }`, "n",
			"one", "", 1.5, true, []int{1}, map[string]any{}),
		askEach("a variable that isn't of the enum", w.ada,
			`mutation($type: RoomType!) { createRoom(input: {type: $type}) { room { id } } }`, "type", "PARTY", "", 1, nil),
		askEach("a variable that isn't the input", w.ada,
			`mutation($in: SetTypingInput!) { setTyping(input: $in) { expiresAt } }`, "in", nil, "x", 1, true,
			map[string]any{}, map[string]any{"roomId": w.room, "typing": "yes"}, map[string]any{"roomId": w.room, "typing": nil},
			map[string]any{"roomId": w.room, "typing": true, "for": "ever"}),
	}
	for i := range cases {
		cases[i] = cases[i].refused("BAD_INPUT")
	}
	return cases
}

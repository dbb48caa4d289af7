package e2e

import (
	"fmt"
	"strings"

	"parley/e2e/parleytest"
)

// useOfID is an operation that takes an id as $id.
type useOfID struct{ name, query string }

// withRoom is the operation with the id written into it.
func (u useOfID) withRoom(id string) string {
	return strings.NewReplacer("($id: ID!)", "", "$id", `"`+id+`"`).Replace(u.query)
}

var queriesOfRoom = []useOfID{
	{"room", `query($id: ID!) { room(id: $id) { id name } }`},
	{"node", `query($id: ID!) { node(id: $id) { id } }`},
	{"message", `query($id: ID!) { message(id: $id) { id } }`},
}

var mutationsOfRoom = []useOfID{
	{"updateRoom", `mutation($id: ID!) { updateRoom(input: {roomId: $id, topic: "x"}) { room { id } } }`},
	{"joinRoom", `mutation($id: ID!) { joinRoom(input: {roomId: $id}) { room { id } } }`},
	{"leaveRoom", `mutation($id: ID!) { leaveRoom(input: {roomId: $id}) { room { id } } }`},
	{"addMember", `mutation($id: ID!) { addMember(input: {roomId: $id, userId: "eve"}) { room { id } } }`},
	{"removeMember", `mutation($id: ID!) { removeMember(input: {roomId: $id, userId: "bob"}) { room { id } } }`},
	{"setRole", `mutation($id: ID!) { setRole(input: {roomId: $id, userId: "bob", role: OWNER}) { member { id } } }`},
	{"sendMessage", `mutation($id: ID!) { sendMessage(input: {roomId: $id, content: "just between us"}) { message { id } } }`},
	{"markRead", `mutation($id: ID!) { markRead(input: {roomId: $id, seq: 1}) { member { id } } }`},
	{"setTyping", `mutation($id: ID!) { setTyping(input: {roomId: $id, typing: true}) { expiresAt } }`},
}

var subscriptionsOfRoom = []useOfID{
	{"messageAdded", `subscription($id: ID!) { messageAdded(roomId: $id) { id } }`},
	{"roomEvents", `subscription($id: ID!) { roomEvents(roomId: $id) { __typename } }`},
	{"typing", `subscription($id: ID!) { typing(roomId: $id) { users { id } } }`},
	{"presence", `subscription($id: ID!) { presence(roomId: $id) { id } }`},
}

// ids are those of nothing, and of things that aren't ada's or of another kind: nobody can tell
// them from each other.
func (w *hostileWorld) ids() []hostileCase {
	rooms := []any{
		"r_nosuchroom", w.bobs, w.message, w.bobsMessage, "eve", "", "r_", "r_ ", "R_NOSUCHROOM", "r_*", "r_{tag}", "r_../x", "r_a:b",
		"r_\x00", "r_\n", "r_\u202e", "rm_nosuchroom_Ym9i", "r_" + strings.Repeat("x", 10_000),
	}
	messages := append([]any{w.bobsMessage, w.room, "m_nosuchroom_1_abcdef", w.message + "x", strings.Replace(w.message, "_1_", "_2_", 1),
		strings.Replace(w.message, "_1_", "_01_", 1), w.message[:len(w.message)-1]}, "r_nosuchroom", "eve", "", "m_", "m_a_b_c_d", "m_a_1_\x00")
	var cases []hostileCase
	add := func(c hostileCase) {
		c.alike = true
		cases = append(cases, c)
	}
	for _, q := range queriesOfRoom {
		known := rooms
		if q.name == "message" || q.name == "node" { // ada's message isn't unknown there
			known = append([]any{}, rooms[:2]...)
			known = append(append(known, rooms[3]), rooms[5:]...)
		}
		add(askEach(q.name+": ids of no room of hers", w.ada, q.query, "id", known...).answered("null"))
	}
	for _, m := range mutationsOfRoom {
		add(askEach(m.name+": ids of no room of hers", w.ada, m.query, "id", rooms...).mutated("NOT_FOUND"))
	}
	for _, s := range subscriptionsOfRoom {
		add(askEach(s.name+": ids of no room of hers", w.ada, s.query, "id", rooms...).followed("NOT_FOUND"))
	}
	add(askEach("roomEvents, polling: ids of no room of hers", w.ada,
		`query($id: ID!) { roomEvents(roomId: $id) { cursor } }`, "id", rooms...).answered("NOT_FOUND"))
	add(askEach("message: ids of no message of hers", w.ada, queriesOfRoom[2].query, "id", messages...).answered("null"))
	add(askEach("editMessage: ids of no message of hers", w.ada,
		`mutation($id: ID!) { editMessage(input: {messageId: $id, content: "x"}) { message { id } } }`, "id", messages...).mutated("NOT_FOUND"))
	add(askEach("deleteMessage: ids of no message of hers", w.ada,
		`mutation($id: ID!) { deleteMessage(input: {messageId: $id}) { message { id } } }`, "id", messages...).mutated("NOT_FOUND"))
	return append(cases, w.foreignInputs()...)
}

// foreignInputs are ids that inputs name beside the room's.
func (w *hostileWorld) foreignInputs() []hostileCase {
	inRoom := func(mutation string) string { return strings.ReplaceAll(mutation, "ROOM", `"`+w.room+`"`) }
	badUsers := []any{"", "r_x", "m_x", "rm_x", "a\nb", "a\x00", strings.Repeat("u", 129)}
	return []hostileCase{
		askEach("sendMessage: replyToId of no message of the room", w.ada,
			inRoom(`mutation($id: ID) { sendMessage(input: {roomId: ROOM, content: "just between us", replyToId: $id}) { message { id } } }`), "id",
			w.elsewhere, w.bobsMessage, "m_nosuchroom_1_abcdef", w.room, "x", strings.Repeat("m_", 5000)).mutated("BAD_INPUT").in("replyToId"),
		askEach("addMember: ids of no user", w.ada,
			inRoom(`mutation($id: ID!) { addMember(input: {roomId: ROOM, userId: $id}) { room { id } } }`), "id", badUsers...).
			mutated("BAD_INPUT").in("userId"),
		askEach("removeMember: ids of no user", w.ada,
			inRoom(`mutation($id: ID!) { removeMember(input: {roomId: ROOM, userId: $id}) { room { id } } }`), "id", badUsers...).
			mutated("BAD_INPUT").in("userId"),
		askEach("removeMember: no member", w.ada,
			inRoom(`mutation($id: ID!) { removeMember(input: {roomId: ROOM, userId: $id}) { room { id } } }`), "id", "bob", "nobody").
			mutated("NOT_FOUND"),
		askEach("setRole: no member", w.ada,
			inRoom(`mutation($id: ID!) { setRole(input: {roomId: ROOM, userId: $id, role: ADMIN}) { member { id } } }`), "id", "bob", "nobody").
			mutated("NOT_FOUND"),
		askEach("setRole: the last owner steps down", w.ada,
			inRoom(`mutation($id: ID!) { setRole(input: {roomId: ROOM, userId: $id, role: MEMBER}) { member { id } } }`), "id", "ada").
			mutated("CONFLICT"),
		askEach("markRead: seqs that aren't there", w.ada,
			inRoom(`mutation($seq: Int!) { markRead(input: {roomId: ROOM, seq: $seq}) { member { id } } }`), "seq", -1, 1_000_000, -2147483648, 2147483647).
			mutated("BAD_INPUT").in("seq"),
		askEach("presence, following: 101 ids", w.ada,
			`subscription($ids: [ID!]!) { presence(userIds: $ids) { id } }`, "ids", manyIDs(101)).refused("LIMIT_EXCEEDED").in("ids"),
		ask("presence, following: nobody", w.ada, parleytest.Operation{Query: `subscription { presence { id } }`}).followed("BAD_INPUT"),
		ask("presence, following: both", w.ada, parleytest.Operation{Query: `subscription { presence(roomId: "r_1", userIds: []) { id } }`}).followed("BAD_INPUT"),
		askEach("presence: 101 ids", w.ada, `query($ids: [ID!]!) { presence(userIds: $ids) { id } }`, "ids", manyIDs(101)).refused("LIMIT_EXCEEDED").in("ids"),
		askEach("nodes: 101 ids", w.ada, `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, "ids", manyIDs(101)).refused("LIMIT_EXCEEDED").in("ids"),
	}
}

func manyIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("user-%d", i)
	}
	return ids
}

// contents are texts that no message may have.
func (w *hostileWorld) contents() []hostileCase {
	bad := []any{
		"", " ", "\n\t\r ", "\u00a0\u2003\u3000", strings.Repeat("x", 8193), strings.Repeat("é", 4097), strings.Repeat("\u2028", 2731) + "x",
		"a\x00b", whispered + "\x00", strings.Repeat("x", 100_000),
	}
	send := fmt.Sprintf(`mutation($content: String!) { sendMessage(input: {roomId: %q, content: $content}) { message { id } } }`, w.room)
	edit := fmt.Sprintf(`mutation($content: String!) { editMessage(input: {messageId: %q, content: $content}) { message { id } } }`, w.message)
	key := fmt.Sprintf(`mutation($key: String) { sendMessage(input: {roomId: %q, content: "just between us", clientId: $key}) { message { id } } }`, w.room)
	used := ask("sendMessage: a clientId used for another message", w.ada, parleytest.Operation{Query: fmt.Sprintf(
		`mutation { a: sendMessage(input: {roomId: %q, content: "just between us", clientId: "used"}) { message { id } }
			b: sendMessage(input: {roomId: %q, content: "and us", clientId: "used"}) { message { id } } }`, w.room, w.room)})
	return []hostileCase{
		askEach("sendMessage: blank, too long or not text", w.ada, send, "content", bad...).mutated("BAD_INPUT").in("content"),
		askEach("editMessage: blank, too long or not text", w.ada, edit, "content", bad...).mutated("BAD_INPUT").in("content"),
		askEach("sendMessage: just not too long", w.ada, send, "content", strings.Repeat("x", 8192), strings.Repeat("é", 4096), strings.Repeat("\u2028", 2730)+"x").mutated("ok"),
		askEach("sendMessage: clientId too long or not text", w.ada, key, "key", strings.Repeat("k", 129), "a\nb", "a\x00", "\u0085").
			mutated("BAD_INPUT").in("clientId"),
		used.mutated("CONFLICT").in("clientId"),
	}
}

// settings are those that no room may have.
func (w *hostileWorld) settings() []hostileCase {
	nested := func(depth int) (value any) {
		for value = "x"; depth > 0; depth-- {
			value = []any{value}
		}
		return value
	}
	names := []any{"", "  ", strings.Repeat("n", 121), strings.Repeat("é", 121), "a\nb", "a\x00b", "a\u0085b"}
	topics := []any{strings.Repeat("t", 1001), "a\x00b", "a\x1b[2J"}
	metadata := []any{strings.Repeat("m", 4095), map[string]any{"k": strings.Repeat("m", 4096)}, strings.Repeat("é", 2048)}
	var cases []hostileCase
	for _, m := range []struct{ name, query string }{
		{"createRoom", `mutation($v: TYPE) { createRoom(input: {FIELD: $v}) { room { id metadata } } }`},
		{"updateRoom", `mutation($v: TYPE) { updateRoom(input: {roomId: "` + w.room + `", FIELD: $v}) { room { id metadata } } }`},
	} {
		for _, f := range []struct {
			field, kind string
			values      []any
		}{{"name", "String", names}, {"topic", "String", topics}, {"metadata", "JSON", metadata}} {
			query := strings.NewReplacer("TYPE", f.kind, "FIELD", f.field).Replace(m.query)
			cases = append(cases, askEach(m.name+": bad "+f.field, w.ada, query, "v", f.values...).mutated("BAD_INPUT").in(f.field))
		}
		query := strings.NewReplacer("TYPE", "JSON", "FIELD", "metadata").Replace(m.query)
		cases = append(cases, askEach(m.name+": odd metadata that fits", w.ada, query, "v", nested(20), strings.Repeat("m", 4094), false, 0,
			[]any{}, "\x00\u2028</script>", map[string]any{"__proto__": nil}).mutated("ok"),
			askEach(m.name+": metadata nested too deeply", w.ada, query, "v", nested(21), nested(2000)).refused("LIMIT_EXCEEDED"))
	}
	create := func(name, input, field string) hostileCase {
		return ask("createRoom: "+name, w.ada, parleytest.Operation{Query: `mutation { createRoom(input: {` + input + `}) { room { id } } }`}).
			mutated("BAD_INPUT").in(field)
	}
	return append(cases,
		create("a direct room", `type: DIRECT`, "type"),
		create("a public room without name", `visibility: PUBLIC`, "name"),
		create("a channel without name", `type: CHANNEL`, "name"),
	)
}

// pages are those that no list has.
func (w *hostileWorld) pages() []hostileCase {
	var cases []hostileCase
	page := func(name, args, field string) {
		cases = append(cases, ask(name+"("+args+")", w.ada, parleytest.Operation{Query: fmt.Sprintf(map[string]string{
			"messages":    `{ room(id: %[2]q) { messages(%[1]s) { cursor } } }`,
			"members":     `{ room(id: %[2]q) { members(%[1]s) { totalCount } } }`,
			"rooms":       `{ rooms(%s) { __typename } } # %s`,
			"publicRooms": `{ publicRooms(%s) { __typename } } # %s`,
			"roomEvents":  `{ roomEvents(%s, roomId: %q) { cursor } }`,
		}[name], args, w.room)}).answered("BAD_INPUT").in(field))
	}
	page("messages", "first: 1, last: 1", "first")
	page("messages", "first: 0, last: 0", "first")
	page("messages", "last: 101", "last")
	page("messages", "last: -1", "last")
	for _, list := range []string{"messages", "members", "rooms", "publicRooms", "roomEvents"} {
		for _, n := range []int{101, -1, 2147483647, -2147483648} {
			page(list, fmt.Sprintf("first: %d", n), "first")
		}
	}
	page("publicRooms", `search: "`+strings.Repeat("s", 121)+`"`, "search")
	cases[len(cases)-1].name = "publicRooms(search: 121 characters)"
	return cases
}

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/e2e/parleytest"
)

// TestHostileAccess: what people who aren't members, or no more, or not that much, try.
func TestHostileAccess(t *testing.T) {
	t.Parallel()
	node := startHostile(t, nil)
	t.Run("of a private room", func(t *testing.T) { privateRoom(t, node) })
	t.Run("of a public room", func(t *testing.T) { publicRoom(t, node) })
	t.Run("of ordinary members", func(t *testing.T) { ordinaryMember(t, node) })
	t.Run("of admins", func(t *testing.T) { admin(t, node) })
	t.Run("after joining late", func(t *testing.T) { joinedLate(t, node) })
	t.Run("after coming back", func(t *testing.T) { cameBack(t, node) })
	t.Run("live, when it ends", func(t *testing.T) { endsLive(t, node) })
	t.Run("of strangers' presence", func(t *testing.T) { strangersPresence(t) })
}

const (
	addMember    = `mutation($room: ID!, $user: ID!) { addMember(input: {roomId: $room, userId: $user}) { room { id } } }`
	removeMember = `mutation($room: ID!, $user: ID!) { removeMember(input: {roomId: $room, userId: $user}) { room { id } } }`
)

// heldThings are what somebody knows of a room from better days.
type heldThings struct {
	room, own, others, member, cursor string
}

// hold has a member collect what can be known.
func hold(t *testing.T, member, other *parleytest.Client, room string) heldThings {
	t.Helper()
	id := func(c *parleytest.Client) string {
		return c.MustSend(t, room, whispered).Text("sendMessage", "message", "id")
	}
	h := heldThings{room: room, others: id(other), own: id(member)}
	r := member.Must(t, `query($room: ID!) { room(id: $room) { viewerMembership { id } messages(first: 1) { edges { cursor } } } }`, map[string]any{"room": room})
	h.member = r.Text("room", "viewerMembership", "id")
	h.cursor = r.At("room", "messages", "edges").([]any)[0].(map[string]any)["cursor"].(string)
	return h
}

// triedBy makes a case of an operation tried by each of the people, with what is held.
func (h heldThings) triedBy(name, query string, people ...*parleytest.Client) hostileCase {
	c := hostileCase{name: name, alike: true}
	text := strings.NewReplacer("<room>", `"`+h.room+`"`, "<own>", `"`+h.own+`"`, "<message>", `"`+h.others+`"`, "<member>", `"`+h.member+`"`, "<cursor>", `"`+h.cursor+`"`).Replace(query)
	for _, p := range people {
		c.attempts = append(c.attempts, ask("", p, parleytest.Operation{Query: text}).attempts...)
	}
	return c
}

// readings are the ways to read a room, with what they answer to one who may not know of it.
var readings = []struct{ name, query, unknown, forbidden string }{
	{"node of the room", `{ node(id: <room>) { ... on Room { name topic metadata } } }`, "null", ""},
	{"room", `{ room(id: <room>) { name topic metadata memberCount lastMessageAt } }`, "null", ""},
	{"room, its messages", `{ room(id: <room>) { messages { edges { node { content } } } } }`, "null", "FORBIDDEN"},
	{"room, its messages after a cursor", `{ room(id: <room>) { messages(after: <cursor>) { edges { node { content } } } } }`, "null", "FORBIDDEN"},
	{"room, its members", `{ room(id: <room>) { members { edges { node { user { id } } } } } }`, "null", "FORBIDDEN"},
	{"room, who types", `{ room(id: <room>) { typing { id } } }`, "null", "FORBIDDEN"},
	{"message", `{ message(id: <message>) { content } }`, "null", "null"},
	{"message, one's own", `{ message(id: <own>) { content room { name } } }`, "null", "null"},
	{"node of a message", `{ node(id: <message>) { ... on Message { content } } }`, "null", "null"},
	{"node of a member", `{ node(id: <member>) { ... on RoomMember { role } } }`, "null", "null"},
	{"roomEvents, polling", `{ roomEvents(roomId: <room>) { cursor } }`, "NOT_FOUND", "FORBIDDEN"},
	{"roomEvents, polling after a cursor", `{ roomEvents(roomId: <room>, after: <cursor>) { events { __typename } cursor } }`, "NOT_FOUND", "FORBIDDEN"},
}

var followings = []struct{ name, query string }{
	{"messageAdded", `subscription { messageAdded(roomId: <room>) { content } }`},
	{"messageAdded after a cursor", `subscription { messageAdded(roomId: <room>, after: <cursor>) { content } }`},
	{"roomEvents", `subscription { roomEvents(roomId: <room>) { __typename } }`},
	{"roomEvents after a cursor", `subscription { roomEvents(roomId: <room>, after: <cursor>) { __typename } }`},
	{"typing", `subscription { typing(roomId: <room>) { users { id } } }`},
	{"presence", `subscription { presence(roomId: <room>) { id } }`},
}

var doings = []struct{ name, query string }{
	{"updateRoom", `mutation { updateRoom(input: {roomId: <room>, topic: "x"}) { room { id } } }`},
	{"addMember: oneself", `mutation { addMember(input: {roomId: <room>, userId: "bob"}) { room { id } } }`},
	{"addMember", `mutation { addMember(input: {roomId: <room>, userId: "fay"}) { room { id } } }`},
	{"removeMember", `mutation { removeMember(input: {roomId: <room>, userId: "ada"}) { room { id } } }`},
	{"setRole", `mutation { setRole(input: {roomId: <room>, userId: "ada", role: MEMBER}) { member { id } } }`},
	{"sendMessage", `mutation { sendMessage(input: {roomId: <room>, content: "just between us"}) { message { id } } }`},
	{"sendMessage in reply", `mutation { sendMessage(input: {roomId: <room>, content: "just between us", replyToId: <message>}) { message { id replyTo { content } } } }`},
	{"markRead", `mutation { markRead(input: {roomId: <room>, seq: 1}) { member { id } } }`},
	{"setTyping", `mutation { setTyping(input: {roomId: <room>, typing: true}) { expiresAt } }`},
}

var editings = []struct{ name, query string }{
	{"editMessage, one's own", `mutation { editMessage(input: {messageId: <own>, content: "x"}) { message { id } } }`},
	{"editMessage", `mutation { editMessage(input: {messageId: <message>, content: "x"}) { message { id } } }`},
	{"deleteMessage, one's own", `mutation { deleteMessage(input: {messageId: <own>}) { message { id } } }`},
	{"deleteMessage", `mutation { deleteMessage(input: {messageId: <message>}) { message { id } } }`},
}

// privateRoom: to bob, who was removed, it looks as to eve, who never was there: as if it weren't.
func privateRoom(t *testing.T, node *parleytest.Node) {
	ada, bob, eve := person(t, node, "ada"), person(t, node, "bob"), person(t, node, "eve")
	runCases(t, node, trespasses(t, ada, bob, eve))
	repeatsAfterRemoval(t, ada, bob)
}

// trespasses are the cases of a private room that bob was removed from, and eve never was in.
func trespasses(t *testing.T, ada, bob, eve *parleytest.Client) []hostileCase {
	t.Helper()
	room := ada.CreateRoom(t, "Cabinet", "bob")
	h := hold(t, bob, ada, room)
	ada.Must(t, removeMember, map[string]any{"room": room, "user": "bob"})
	ada.MustSend(t, room, "after he left")
	var cases []hostileCase
	for _, r := range readings {
		c := h.triedBy(r.name, r.query, bob, eve)
		cases = append(cases, c.answered(r.unknown))
	}
	for _, f := range followings {
		cases = append(cases, h.triedBy(f.name, f.query, bob, eve).followed("NOT_FOUND"))
	}
	for _, d := range slices.Concat(doings, editings) {
		cases = append(cases, h.triedBy(d.name, d.query, bob, eve).mutated("NOT_FOUND"))
	}
	return append(cases,
		h.triedBy("joinRoom", `mutation { joinRoom(input: {roomId: <room>}) { room { id } } }`, bob, eve).mutated("NOT_FOUND"),
		h.triedBy("leaveRoom", `mutation { leaveRoom(input: {roomId: <room>}) { room { id } } }`, bob, eve).mutated("NOT_FOUND"),
		h.triedBy("rooms", `{ rooms { edges { node { id } } } publicRooms(search: "Cabinet") { edges { node { id } } } }`, bob, eve).answered("ok"),
		h.triedBy("nodes", `{ nodes(ids: [<room>, <message>, <own>, <member>, "ada"]) { id } }`, bob, eve).answered("ok"),
		h.triedBy("presence of its people", `{ presence(userIds: ["ada"]) { id status } }`, bob, eve).answered("ok"),
	)
}

// repeatsAfterRemoval: a removed member who repeats a sending gets their own message back, and
// learns nothing of what the room has become.
func repeatsAfterRemoval(t *testing.T, ada, bob *parleytest.Client) {
	room := ada.CreateRoom(t, "Old name", "bob")
	repeat := parleytest.Operation{Variables: map[string]any{"room": room}, Query: `mutation($room: ID!) {
		sendMessage(input: {roomId: $room, content: "mine", clientId: "key"}) { message {
			id content room { name topic metadata memberCount lastMessageAt updatedAt } } } }`}
	first, err := bob.Do(t.Context(), parleytest.Operation{Query: parleytest.SendQuery, Variables: map[string]any{"room": room, "content": "mine", "key": "key"}})
	if err != nil || len(first.Errors) > 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	ada.Must(t, removeMember, map[string]any{"room": room, "user": "bob"})
	ada.Must(t, `mutation($room: ID!) { updateRoom(input: {roomId: $room, name: "New name", topic: "New topic", metadata: "New data"}) { room { id } } }`, map[string]any{"room": room})
	ada.MustSend(t, room, "New message")
	again, err := bob.Do(t.Context(), repeat)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(again.Data), "New") {
		t.Errorf("a removed member who repeats a sending reads %s", again.Data)
	}
	plain, err := bob.Do(t.Context(), parleytest.Operation{Query: parleytest.SendQuery, Variables: map[string]any{"room": room, "content": "mine", "key": "key"}})
	if err != nil || plain.Text("sendMessage", "message", "id") != first.Text("sendMessage", "message", "id") {
		t.Errorf("repeating a sending after the removal: %s %+v, %v", plain.Data, plain.Errors, err)
	}
}

// publicRoom: strangers may know of it, and no more, until they join.
func publicRoom(t *testing.T, node *parleytest.Node) {
	ada, bob, eve := person(t, node, "ada"), person(t, node, "bob"), person(t, node, "eve")
	room := ada.Must(t, `mutation { createRoom(input: {name: "Market", visibility: PUBLIC}) { room { id } } }`, nil).Text("createRoom", "room", "id")
	ada.Must(t, addMember, map[string]any{"room": room, "user": "bob"})
	h := hold(t, bob, ada, room)
	ada.Must(t, removeMember, map[string]any{"room": room, "user": "bob"})
	var cases []hostileCase
	for _, r := range readings {
		if r.forbidden != "" {
			cases = append(cases, h.triedBy(r.name, r.query, bob, eve).answered(r.forbidden))
		}
	}
	for _, f := range followings {
		cases = append(cases, h.triedBy(f.name, f.query, bob, eve).followed("FORBIDDEN"))
	}
	for _, d := range doings {
		cases = append(cases, h.triedBy(d.name, d.query, bob, eve).mutated("FORBIDDEN"))
	}
	for _, e := range editings {
		cases = append(cases, h.triedBy(e.name, e.query, bob, eve).mutated("NOT_FOUND"))
	}
	cases = append(cases,
		h.triedBy("what strangers may know", `{ room(id: <room>) { name memberCount viewerMembership { id } viewerUnreadCount } }`, bob, eve).answered("ok"),
		h.triedBy("nodes", `{ nodes(ids: [<message>, <own>, <member>, "ada"]) { id } }`, bob, eve).answered("ok"),
		h.triedBy("presence of its people", `{ presence(userIds: ["ada"]) { id status } }`, bob, eve).answered("ok"),
	)
	runCases(t, node, cases)
}

// ordinaryMember: reading and sending, and no more.
func ordinaryMember(t *testing.T, node *parleytest.Node) {
	ada, bob := person(t, node, "ada"), person(t, node, "bob")
	room := ada.CreateRoom(t, "Office", "bob", "cyd")
	h := hold(t, bob, ada, room)
	var cases []hostileCase
	for name, mutation := range map[string]string{
		"updateRoom":            `updateRoom(input: {roomId: <room>, name: "Mine"}) { room { id } }`,
		"updateRoom, access":    `updateRoom(input: {roomId: <room>, visibility: PUBLIC}) { room { id } }`,
		"addMember":             `addMember(input: {roomId: <room>, userId: "fay"}) { room { id } }`,
		"removeMember":          `removeMember(input: {roomId: <room>, userId: "cyd"}) { room { id } }`,
		"removeMember, owner":   `removeMember(input: {roomId: <room>, userId: "ada"}) { room { id } }`,
		"setRole of oneself":    `setRole(input: {roomId: <room>, userId: "bob", role: OWNER}) { member { id } }`,
		"setRole of the owner":  `setRole(input: {roomId: <room>, userId: "ada", role: MEMBER}) { member { id } }`,
		"editMessage, ada's":    `editMessage(input: {messageId: <message>, content: "x"}) { message { id } }`,
		"deleteMessage, ada's":  `deleteMessage(input: {messageId: <message>}) { message { id } }`,
		"addMember with a role": `addMember(input: {roomId: <room>, userId: "fay", role: OWNER}) { room { id } }`,
	} {
		cases = append(cases, h.triedBy(name, "mutation { "+mutation+" }", bob).mutated("FORBIDDEN"))
	}
	runCases(t, node, cases)
}

// admin: not what only owners may.
func admin(t *testing.T, node *parleytest.Node) {
	ada, bob := person(t, node, "ada"), person(t, node, "bob")
	room := ada.CreateRoom(t, "Board", "bob", "cyd")
	for _, user := range []string{"bob", "cyd"} {
		ada.Must(t, `mutation($room: ID!, $user: ID!) { setRole(input: {roomId: $room, userId: $user, role: ADMIN}) { member { id } } }`,
			map[string]any{"room": room, "user": user})
	}
	h := hold(t, bob, ada, room)
	var cases []hostileCase
	for name, mutation := range map[string]string{
		"updateRoom, visibility":  `updateRoom(input: {roomId: <room>, visibility: PUBLIC}) { room { id } }`,
		"updateRoom, history":     `updateRoom(input: {roomId: <room>, history: SINCE_JOINED}) { room { id } }`,
		"addMember as an owner":   `addMember(input: {roomId: <room>, userId: "fay", role: OWNER}) { room { id } }`,
		"addMember as an admin":   `addMember(input: {roomId: <room>, userId: "fay", role: ADMIN}) { room { id } }`,
		"removeMember, the owner": `removeMember(input: {roomId: <room>, userId: "ada"}) { room { id } }`,
		"removeMember, an admin":  `removeMember(input: {roomId: <room>, userId: "cyd"}) { room { id } }`,
		"setRole of oneself":      `setRole(input: {roomId: <room>, userId: "bob", role: OWNER}) { member { id } }`,
		"setRole of the owner":    `setRole(input: {roomId: <room>, userId: "ada", role: MEMBER}) { member { id } }`,
		"editMessage, ada's":      `editMessage(input: {messageId: <message>, content: "x"}) { message { id } }`,
	} {
		cases = append(cases, h.triedBy(name, "mutation { "+mutation+" }", bob).mutated("FORBIDDEN"))
	}
	runCases(t, node, cases)
	if got := fmt.Sprint(bob.Must(t, `query($id: ID!) { room(id: $id) { members { totalCount } } }`, map[string]any{"id": room}).At("room", "members", "totalCount")); got != "3" {
		t.Errorf("%s members are left of 3", got)
	}
}

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/e2e/parleytest"
)

const replyFields = `id content replyTo { id content }`

// sendReply sends an answer to a message and returns its id.
func sendReply(t *testing.T, c *parleytest.Client, room, content, to string) string {
	t.Helper()
	return c.Must(t, `mutation($room: ID!, $content: String!, $to: ID) {
		sendMessage(input: {roomId: $room, content: $content, replyToId: $to}) { message { id replyTo { content } } } }`,
		map[string]any{"room": room, "content": content, "to": to}).Text("sendMessage", "message", "id")
}

// joinedLate: in a room with the history SINCE_JOINED, what was said before bob came stays hidden,
// also as what is answered to.
func joinedLate(t *testing.T, node *parleytest.Node) {
	ada, bob := person(t, node, "ada"), person(t, node, "bob")
	room := ada.Must(t, `mutation { createRoom(input: {name: "Late", history: SINCE_JOINED}) { room { id } } }`, nil).Text("createRoom", "room", "id")
	sent := ada.MustSend(t, room, "hidden")
	hidden, early := sent.Text("sendMessage", "message", "id"), sent.Text("sendMessage", "message", "cursor")
	ada.MustSend(t, room, "hidden too")
	ada.Must(t, addMember, map[string]any{"room": room, "user": "bob"})
	follows := func(c *parleytest.Client, subscribe parleytest.Subscriber, query, after string) *parleytest.Stream {
		s := parleytest.MustSubscribe(t, subscribe, c, follow(query, room, after))
		s.Position(t)
		return s
	}
	added := `subscription($room: ID!, $after: Cursor) { messageAdded(roomId: $room, after: $after) { ` + replyFields + ` } }`
	events := `subscription($room: ID!, $after: Cursor) { roomEvents(roomId: $room, after: $after) { __typename ... on MessageSent { message { ` + replyFields + ` } } } }`
	byAda, byBob := follows(ada, parleytest.OverWS, added, ""), follows(bob, parleytest.OverWS, added, "")
	answer := sendReply(t, ada, room, "answer", hidden)

	if got := byAda.Next(t).Result.Text("messageAdded", "replyTo", "content"); got != "hidden" {
		t.Errorf("ada, who may read it, is told that %q is answered", got)
	}
	shown := map[string]string{"live": string(byBob.Next(t).Result.Data)}
	for name, subscribe := range transports {
		// A cursor from before his time, as ada may have given him, opens nothing.
		shown["messageAdded resumed over "+name] = string(follows(bob, subscribe, added, early).Next(t).Result.Data)
		s := follows(bob, subscribe, events, early)
		shown["MemberJoined over "+name] = string(s.Next(t).Result.Data)
		shown["roomEvents resumed over "+name] = string(s.Next(t).Result.Data)
	}
	for name, query := range map[string]string{
		"messages":                      `{ room(id: ROOM) { messages { edges { node { ` + replyFields + ` } } } } }`,
		"messages from the first":       `{ room(id: ROOM) { messages(first: 10) { edges { node { ` + replyFields + ` } } } } }`,
		"messages after an old cursor":  `{ room(id: ROOM) { messages(first: 10, after: EARLY) { edges { node { ` + replyFields + ` } } } } }`,
		"messages before an old cursor": `{ room(id: ROOM) { messages(last: 10, before: EARLY) { edges { node { ` + replyFields + ` } } } } }`,
		"message":                       `{ message(id: ANSWER) { ` + replyFields + ` } }`,
		"node":                          `{ node(id: ANSWER) { ... on Message { ` + replyFields + ` } } }`,
		"the hidden message":            `{ message(id: HIDDEN) { content } node(id: HIDDEN) { ... on Message { content } } }`,
		"roomEvents, polling":           `{ roomEvents(roomId: ROOM, after: EARLY) { events { __typename ... on MessageSent { message { ` + replyFields + ` } } } } }`,
		"sending":                       `mutation { sendMessage(input: {roomId: ROOM, content: "me too", replyToId: ANSWER}) { message { ` + replyFields + ` replyTo { ` + replyFields + ` } } } }`,
	} {
		text := strings.NewReplacer("ROOM", `"`+room+`"`, "EARLY", `"`+early+`"`, "ANSWER", `"`+answer+`"`, "HIDDEN", `"`+hidden+`"`).Replace(query)
		shown[name] = string(bob.Must(t, text, nil).Data)
	}
	for name, data := range shown {
		if strings.Contains(data, "hidden") || strings.Contains(data, hidden) {
			t.Errorf("%s: bob reads %s", name, data)
		}
		if !strings.Contains(data, "answer") && !strings.Contains(name, "hidden") && !strings.Contains(name, "before") && !strings.Contains(name, "Joined") {
			t.Errorf("%s: bob doesn't see the answer: %s", name, data)
		}
	}
	refused, err := bob.Do(t.Context(), parleytest.Operation{Query: `mutation($room: ID!, $to: ID) { sendMessage(input: {roomId: $room, content: "?", replyToId: $to}) { message { id } } }`,
		Variables: map[string]any{"room": room, "to": hidden}})
	if err != nil || refused.Code() != "BAD_INPUT" {
		t.Errorf("answering the hidden message: %+v, %v", refused, err)
	}
}

// cameBack: what was said between leaving and coming back stays hidden, whichever way it is asked
// for, with cursors from before, from between and from after.
func cameBack(t *testing.T, node *parleytest.Node) {
	ada, bob := person(t, node, "ada"), person(t, node, "bob")
	room := ada.CreateRoom(t, "Revolving door", "bob")
	cursorOf := func(r parleytest.Result) string { return r.Text("sendMessage", "message", "cursor") }
	start := cursorOf(ada.MustSend(t, room, "start"))
	before := cursorOf(ada.MustSend(t, room, "before"))
	ada.Must(t, removeMember, map[string]any{"room": room, "user": "bob"})
	between := cursorOf(ada.MustSend(t, room, "between 1"))
	ada.MustSend(t, room, "between 2")
	ada.Must(t, addMember, map[string]any{"room": room, "user": "bob"})
	ada.MustSend(t, room, "after")

	for cursor, want := range map[string][]string{start: {"before", "after"}, before: {"after"}, between: {"after"}} {
		for name, subscribe := range transports {
			for _, query := range []string{messageAdded, roomEvents} {
				got := contentsUntil(t, parleytest.MustSubscribe(t, subscribe, bob, follow(query, room, cursor)), "after")
				if !slices.Equal(got, want) {
					t.Errorf("resumed over %s: %q instead of %q", name, got, want)
				}
			}
		}
		for name, query := range map[string]string{
			"polling": `query($room: ID!, $after: Cursor) { roomEvents(roomId: $room, after: $after) { events { ... on MessageSent { message { content } } } } }`,
			"paging":  `query($room: ID!, $after: Cursor) { room(id: $room) { messages(first: 10, after: $after) { edges { node { content } } } } }`,
		} {
			data := string(bob.Must(t, query, map[string]any{"room": room, "after": cursor}).Data)
			if strings.Contains(data, "between") || strings.Count(data, `"content"`) != len(want) {
				t.Errorf("%s: %s instead of %q", name, data, want)
			}
		}
	}
	if got := bob.Must(t, `query($room: ID!) { room(id: $room) { viewerUnreadCount } }`, map[string]any{"room": room}).At("room", "viewerUnreadCount"); fmt.Sprint(got) != "1" {
		t.Errorf("%v unread instead of 1", got)
	}
}

// contentsUntil reads the contents of messages up to the one given.
func contentsUntil(t *testing.T, s *parleytest.Stream, last string) (contents []string) {
	t.Helper()
	for {
		f := s.Next(t)
		if f.End {
			t.Fatalf("the stream ended: %+v", f)
		}
		content := f.Result.Text("messageAdded", "content") + f.Result.Text("roomEvents", "message", "content")
		if content != "" {
			contents = append(contents, content)
		}
		if content == last {
			return contents
		}
	}
}

// endsLive: every subscription of a removed member ends with FORBIDDEN, of one who leaves with
// complete; roomEvents shows the entry that did it.
func endsLive(t *testing.T, node *parleytest.Node) {
	ada, bob := person(t, node, "ada"), person(t, node, "bob")
	for _, end := range []struct{ name, event, code string }{{"removed", "MemberRemoved", "FORBIDDEN"}, {"left", "MemberLeft", ""}} {
		room := ada.CreateRoom(t, "Exit", "bob")
		streams := map[string]*parleytest.Stream{}
		for transport, subscribe := range transports {
			for _, f := range followings {
				query := strings.ReplaceAll(f.query, "<room>", `"`+room+`"`)
				if strings.Contains(query, "<cursor>") {
					continue
				}
				s := parleytest.MustSubscribe(t, subscribe, bob, parleytest.Operation{Query: query})
				if strings.HasPrefix(f.name, "messageAdded") || strings.HasPrefix(f.name, "roomEvents") {
					s.Position(t)
				} else {
					s.Next(t)
				}
				streams[f.name+" over "+transport] = s
			}
		}
		if end.name == "removed" {
			ada.Must(t, removeMember, map[string]any{"room": room, "user": "bob"})
		} else {
			bob.Must(t, `mutation($room: ID!) { leaveRoom(input: {roomId: $room}) { room { id } } }`, map[string]any{"room": room})
		}
		ada.MustSend(t, room, whispered)
		for name, s := range streams {
			last := ""
			f := s.Next(t)
			for ; !f.End && f.Result.Code() == ""; f = s.Next(t) {
				if last = f.Result.Text("roomEvents", "__typename"); strings.Contains(string(f.Result.Data), whispered) {
					t.Errorf("%s, %s: %s", end.name, name, f.Result.Data)
				}
			}
			if f.Result.Code() != end.code || f.Err != nil {
				t.Errorf("%s, %s: ended by %+v", end.name, name, f)
			}
			if strings.HasPrefix(name, "roomEvents") && last != end.event {
				t.Errorf("%s, %s: the last event was %q", end.name, name, last)
			}
		}
	}
}

// strangersPresence: nobody sees whether strangers are there, nor people of a room they were removed
// from, whatever ids they ask for.
func strangersPresence(t *testing.T) {
	node := startHostile(t, map[string]string{"PARLEY_PRESENCE_GRACE": "0s"})
	ada, yan, zoe := person(t, node, "ada"), person(t, node, "yan"), person(t, node, "zoe")
	adas, zoes := ada.CreateRoom(t, "Window"), zoe.CreateRoom(t, "Stairs", "yan")
	ids := map[string]any{"ids": []string{"ada", "bob", "nobody", "yan", "r_x", ""}}
	for name, subscribe := range transports {
		follows := func() *parleytest.Stream {
			return parleytest.MustSubscribe(t, subscribe, zoe,
				parleytest.Operation{Query: `subscription($ids: [ID!]!) { presence(userIds: $ids) { id status } }`, Variables: ids})
		}
		// hears is who comes and goes, by zoe's stream, until yan comes.
		hears := func(s *parleytest.Stream) (others []string) {
			appear(t, ada, adas)()
			defer appear(t, yan, zoes)()
			for {
				f := s.Next(t)
				if id := f.Result.Text("presence", "id"); id != "yan" {
					others = append(others, id)
				} else if f.Result.Text("presence", "status") == "ONLINE" {
					return others
				}
			}
		}
		if got := string(zoe.Must(t, `query($ids: [ID!]!) { presence(userIds: $ids) { id } }`, ids).Data); got != `{"presence":[{"id":"yan"}]}` {
			t.Errorf("a stranger asks and gets %s", got)
		}
		s := follows()
		if got := hears(s); len(got) > 0 {
			t.Errorf("over %s a stranger is told of %q", name, got)
		}
		s.Close()
		settled(t, node) // for whom a stream may tell of is only asked now and then
		ada.Must(t, addMember, map[string]any{"room": adas, "user": "zoe"})
		s = follows()
		if got := hears(s); !slices.Contains(got, "ada") {
			t.Errorf("over %s a member isn't told of ada", name)
		}
		ada.Must(t, removeMember, map[string]any{"room": adas, "user": "zoe"})
		if got := hears(s); len(got) > 0 {
			t.Errorf("over %s one who was removed is told of %q", name, got)
		}
		s.Close()
	}
}

// appear makes somebody ONLINE; vanish, OFFLINE again.
func appear(t *testing.T, c *parleytest.Client, room string) (vanish func()) {
	t.Helper()
	is := func(status string) {
		t.Helper()
		parleytest.Eventually(t, c.User+" is "+status, func() bool {
			own, _ := c.Must(t, `query($id: ID!) { presence(userIds: [$id]) { status } }`, map[string]any{"id": c.User}).At("presence").([]any)
			return len(own) == 1 && own[0].(map[string]any)["status"] == status
		})
	}
	s := parleytest.MustSubscribe(t, parleytest.OverWS, c, follow(messageAdded, room, ""))
	is("ONLINE")
	return func() {
		s.Close()
		is("OFFLINE")
	}
}

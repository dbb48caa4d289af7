package e2e

import (
	"testing"

	"parley/e2e/parleytest"
)

const (
	presenceOfRoom = `subscription($room: ID!) { presence(roomId: $room) { id status lastSeenAt } }`
	typingIn       = `subscription($room: ID!) { typing(roomId: $room) { users { id } } }`
	setTyping      = `mutation($room: ID!, $on: Boolean!) { setTyping(input: {roomId: $room, typing: $on}) { expiresAt } }`
)

// quickPresence makes leases and graces short enough to wait for.
var quickPresence = map[string]string{"PARLEY_PRESENCE_TTL": "3s", "PARLEY_PRESENCE_GRACE": "500ms"}

// waitForStatus reads a presence stream until a user has a status, and returns how often others
// of that user were told before.
func waitForStatus(t *testing.T, s *parleytest.Stream, user, status string) (others int) {
	t.Helper()
	for {
		f := s.Next(t)
		if f.End {
			t.Fatalf("the stream ended: %+v", f)
		}
		if f.Result.Text("presence", "id") != user {
			continue
		}
		if f.Result.Text("presence", "status") == status {
			return others
		}
		others++
	}
}

func TestPresenceOfOneNode(t *testing.T) {
	t.Parallel()
	node := parleytest.Start(t, quickPresence)
	testPresence(t, node, node)
}

// testPresence: bob comes and goes at one node, ada sees it at another.
func testPresence(t *testing.T, at, seenAt *parleytest.Node) {
	ada, bob := parleytest.SignIn(t, seenAt, "ada"), parleytest.SignIn(t, at, "bob")
	room := ada.CreateRoom(t, "Café", "bob")
	for name, subscribe := range transports {
		t.Run(name, func(t *testing.T) {
			watch := parleytest.MustSubscribe(t, parleytest.OverWS, ada, parleytest.Operation{Query: presenceOfRoom, Variables: map[string]any{"room": room}})
			waitForStatus(t, watch, "bob", "OFFLINE")

			first := parleytest.MustSubscribe(t, subscribe, bob, follow(messageAdded, room, ""))
			waitForStatus(t, watch, "bob", "ONLINE")
			second := parleytest.MustSubscribe(t, subscribe, bob, follow(messageAdded, room, ""))
			second.Position(t)
			first.Close()
			// Another device is there: the next word on bob is OFFLINE, once the second goes too.
			second.Close()
			if others := waitForStatus(t, watch, "bob", "OFFLINE"); others != 0 {
				t.Errorf("%d changes between ONLINE and OFFLINE", others)
			}
			seen := ada.Must(t, `{ presence(userIds: ["bob"]) { status lastSeenAt } }`, nil)
			one, _ := seen.At("presence").([]any)
			if len(one) != 1 || one[0].(map[string]any)["lastSeenAt"] == nil {
				t.Errorf("no last seen: %s", seen.Data)
			}
		})
	}
}

func TestTypingAtOneNode(t *testing.T) {
	t.Parallel()
	node := parleytest.Start(t, nil)
	testTyping(t, node, node)
}

// testTyping: bob types at one node, ada sees it at another; it ends by itself, by his word, and
// by sending.
func testTyping(t *testing.T, at, seenAt *parleytest.Node) {
	ada, bob := parleytest.SignIn(t, seenAt, "ada"), parleytest.SignIn(t, at, "bob")
	room := ada.CreateRoom(t, "Desk", "bob")
	watch := parleytest.MustSubscribe(t, parleytest.OverSSE, ada, parleytest.Operation{Query: typingIn, Variables: map[string]any{"room": room}})
	expect := func(what string, n int) {
		t.Helper()
		f := watch.Next(t)
		users, ok := f.Result.At("typing", "users").([]any)
		if !ok || len(users) != n {
			t.Fatalf("%s: %d are expected to type, not %s %+v", what, n, f.Result.Data, f.Result.Errors)
		}
	}
	say := func(on bool) { bob.Must(t, setTyping, map[string]any{"room": room, "on": on}) }

	expect("at first", 0)
	say(true)
	expect("after typing", 1)
	say(false)
	expect("after stopping", 0)
	say(true)
	expect("after typing again", 1)
	bob.MustSend(t, room, "Here it is")
	expect("after sending", 0)
	say(true)
	expect("after typing a third time", 1)
	expect("after a while", 0)
}

// TestOnlyMembersSeePresenceAndTyping, and only for as long as they are.
func TestOnlyMembersSeePresenceAndTyping(t *testing.T) {
	node := parleytest.Start(t, nil)
	ada, bob := parleytest.SignIn(t, node, "ada"), parleytest.SignIn(t, node, "bob")
	room := ada.CreateRoom(t, "Back room")
	variables := map[string]any{"room": room}
	for _, query := range []string{presenceOfRoom, typingIn} {
		for _, subscribe := range transports {
			f := parleytest.MustSubscribe(t, subscribe, bob, parleytest.Operation{Query: query, Variables: variables}).Next(t)
			if f.Result.Code() != "NOT_FOUND" {
				t.Errorf("a stranger got %+v", f)
			}
		}
	}
	ada.Must(t, `mutation($room: ID!) { addMember(input: {roomId: $room, userId: "bob"}) { room { id } } }`, variables)
	var streams []*parleytest.Stream
	for _, query := range []string{presenceOfRoom, typingIn} {
		for _, subscribe := range transports {
			s := parleytest.MustSubscribe(t, subscribe, bob, parleytest.Operation{Query: query, Variables: variables})
			s.Next(t)
			streams = append(streams, s)
		}
	}
	ada.Must(t, `mutation($room: ID!) { removeMember(input: {roomId: $room, userId: "bob"}) { room { id } } }`, variables)
	for _, s := range streams {
		f := s.Next(t)
		for f.Result.Code() == "" && !f.End {
			f = s.Next(t)
		}
		if f.Result.Code() != "FORBIDDEN" {
			t.Errorf("after the removal: %+v", f)
		}
	}
}

package resolvers_test

import (
	"strings"
	"testing"
	"time"

	"parley/presence"
)

// step is an exchange in a story; remember are names and paths, as for must.
type step struct {
	name string
	exchange
	remember []string
}

func (w *world) story(t *testing.T, steps []step) {
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			response := w.do(request{user: s.user, query: s.query})
			if len(response.Errors) == 0 {
				for i := 0; i < len(s.remember); i += 2 {
					w.names[s.remember[i]] = at(t, response.Data, s.remember[i+1])
				}
			}
			if got := w.outcome(response); got != s.want {
				t.Errorf("%s: %s\ngot  %s\nwant %s", s.user, s.query, got, s.want)
			}
		})
	}
}

func TestRoomMutations(t *testing.T) {
	w := newWorld(t)
	w.story(t, []step{
		{"nobody creates", exchange{"", `mutation { createRoom(input: {name: "Tea"}) { room { id } } }`, `{"createRoom":null} !UNAUTHENTICATED at createRoom`}, nil},
		{"create by defaults", exchange{"ada", `mutation { createRoom(input: {}) { room { id name type visibility history topic metadata memberCount viewerMembership { role } } } }`,
			`{"createRoom":{"room":{"id":"{tea}","name":null,"type":"GROUP","visibility":"PRIVATE","history":"ALL","topic":null,"metadata":null,"memberCount":1,"viewerMembership":{"role":"OWNER"}}}}`}, []string{"{tea}", "createRoom.room.id"}},
		{"create a direct room", exchange{"ada", `mutation { createRoom(input: {type: DIRECT}) { room { id } } }`, `{"createRoom":null} !BAD_INPUT at createRoom in type`}, nil},
		{"create with a long name", exchange{"ada", `mutation { createRoom(input: {name: "` + strings.Repeat("x", 121) + `"}) { room { id } } }`, `{"createRoom":null} !BAD_INPUT at createRoom in name`}, nil},
		{"create with much metadata", exchange{"ada", `mutation { createRoom(input: {metadata: "` + strings.Repeat("x", 4096) + `"}) { room { id } } }`, `{"createRoom":null} !BAD_INPUT at createRoom in metadata`}, nil},
		{"one failure leaves its siblings", exchange{"ada", `mutation { a: createRoom(input: {type: CHANNEL}) { room { id } } b: updateRoom(input: {roomId: "{tea}", name: "Tea"}) { room { name } } }`,
			`{"a":null,"b":{"room":{"name":"Tea"}}} !BAD_INPUT at a in name`}, nil},

		{"update", exchange{"ada", `mutation { updateRoom(input: {roomId: "{tea}", topic: "Green?", metadata: {deep: {er: [{}]}}}) { room { name topic metadata } } }`,
			`{"updateRoom":{"room":{"name":"Tea","topic":"Green?","metadata":{"deep":{"er":[{}]}}` + "\n}}}"}, nil},
		{"update by variables takes away", exchange{"ada", `mutation { updateRoom(input: {roomId: "{tea}", topic: null, metadata: null}) { room { name topic metadata } } }`,
			`{"updateRoom":{"room":{"name":"Tea","topic":null,"metadata":null}}}`}, nil},
		{"update what can't be null", exchange{"ada", `mutation { updateRoom(input: {roomId: "{tea}", visibility: null}) { room { id } } }`, `{"updateRoom":null} !BAD_INPUT at updateRoom in visibility`}, nil},
		{"a stranger updates", exchange{"bob", `mutation { updateRoom(input: {roomId: "{tea}", name: "Bob's"}) { room { id } } }`, `{"updateRoom":null} !NOT_FOUND at updateRoom`}, nil},

		{"join what is private", exchange{"bob", `mutation { joinRoom(input: {roomId: "{tea}"}) { room { id } } }`, `{"joinRoom":null} !NOT_FOUND at joinRoom`}, nil},
		{"join what is public", exchange{"bob", `mutation { joinRoom(input: {roomId: "{general}"}) { room { name memberCount } member { role user { id } } } }`, `{"joinRoom":{"room":{"name":"general","memberCount":1},"member":{"role":"MEMBER","user":{"id":"bob"}}}}`}, nil},
		{"join again", exchange{"bob", `mutation { joinRoom(input: {roomId: "{general}"}) { room { memberCount } } }`, `{"joinRoom":{"room":{"memberCount":1}}}`}, nil},
		{"add", exchange{"ada", `mutation { addMember(input: {roomId: "{tea}", userId: "bob"}) { room { memberCount } member { role } } }`, `{"addMember":{"room":{"memberCount":2},"member":{"role":"MEMBER"}}}`}, nil},
		{"add an admin", exchange{"ada", `mutation { addMember(input: {roomId: "{tea}", userId: "cyd", role: ADMIN}) { member { role } } }`, `{"addMember":{"member":{"role":"ADMIN"}}}`}, nil},
		{"add nobody", exchange{"ada", `mutation { addMember(input: {roomId: "{tea}", userId: "m_x"}) { member { role } } }`, `{"addMember":null} !BAD_INPUT at addMember in userId`}, nil},
		{"add by a member", exchange{"bob", `mutation { addMember(input: {roomId: "{tea}", userId: "dan"}) { member { role } } }`, `{"addMember":null} !FORBIDDEN at addMember`}, nil},
		{"give a role", exchange{"ada", `mutation { setRole(input: {roomId: "{tea}", userId: "bob", role: ADMIN}) { member { role room { name } } } }`, `{"setRole":{"member":{"role":"ADMIN","room":{"name":"Tea"}}}}`}, nil},
		{"give a role by an admin", exchange{"bob", `mutation { setRole(input: {roomId: "{tea}", userId: "bob", role: OWNER}) { member { role } } }`, `{"setRole":null} !FORBIDDEN at setRole`}, nil},
		{"give a role to a stranger", exchange{"ada", `mutation { setRole(input: {roomId: "{tea}", userId: "dan", role: ADMIN}) { member { role } } }`, `{"setRole":null} !NOT_FOUND at setRole in userId`}, nil},
		{"the last owner leaves", exchange{"ada", `mutation { leaveRoom(input: {roomId: "{tea}"}) { room { id } } }`, `{"leaveRoom":null} !CONFLICT at leaveRoom`}, nil},
		{"remove", exchange{"bob", `mutation { setRole(input: {roomId: "{tea}", userId: "cyd", role: MEMBER}) { member { role } } removeMember(input: {roomId: "{tea}", userId: "ada"}) { room { memberCount } } }`,
			`{"setRole":null,"removeMember":null} !FORBIDDEN at setRole !FORBIDDEN at removeMember`}, nil},
		{"remove a member", exchange{"ada", `mutation { removeMember(input: {roomId: "{tea}", userId: "cyd"}) { room { memberCount viewerMembership { role } } } }`, `{"removeMember":{"room":{"memberCount":2,"viewerMembership":{"role":"OWNER"}}}}`}, nil},
		{"leave", exchange{"bob", `mutation { leaveRoom(input: {roomId: "{tea}"}) { room { name memberCount viewerMembership { role } viewerUnreadCount } } }`, `{"leaveRoom":{"room":{"name":"Tea","memberCount":1,"viewerMembership":null,"viewerUnreadCount":0}}}`}, nil},
	})
	if log := w.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

func TestMessageMutations(t *testing.T) {
	w := tea(t)
	w.story(t, []step{
		{"nobody sends", exchange{"", `mutation { sendMessage(input: {roomId: "{tea}", content: "x"}) { message { id } } }`, `{"sendMessage":null} !UNAUTHENTICATED at sendMessage`}, nil},
		{"send", exchange{"ada", `mutation { sendMessage(input: {roomId: "{tea}", content: "Four <&>\u2028\"", clientId: "key", replyToId: "{two}"}) { message { id seq content clientId replyTo { content } room { lastMessageAt } } edge { node { id } } } }`,
			`{"sendMessage":{"message":{"id":"{four}","seq":4,"content":"Four <&>` + "\u2028" + `\"","clientId":"key","replyTo":{"content":"Two"},"room":{"lastMessageAt":"T"}},"edge":{"node":{"id":"{four}"}}}}`}, []string{"{four}", "sendMessage.message.id"}},
		{"send again", exchange{"ada", `mutation { sendMessage(input: {roomId: "{tea}", content: "Four <&>\u2028\"", clientId: "key", replyToId: "{two}"}) { message { id } } }`, `{"sendMessage":{"message":{"id":"{four}"}}}`}, nil},
		{"send something else under the key", exchange{"ada", `mutation { sendMessage(input: {roomId: "{tea}", content: "Five", clientId: "key"}) { message { id } } }`, `{"sendMessage":null} !CONFLICT at sendMessage in clientId`}, nil},
		{"the key of another is another", exchange{"bob", `mutation { sendMessage(input: {roomId: "{tea}", content: "Five", clientId: "key"}) { message { seq } } }`, `{"sendMessage":{"message":{"seq":5}}}`}, nil},
		{"no key, explicitly", exchange{"bob", `mutation { sendMessage(input: {roomId: "{tea}", content: "Six", clientId: null, replyToId: null}) { message { seq clientId replyTo { id } } } }`, `{"sendMessage":{"message":{"seq":6,"clientId":null,"replyTo":null}}}`}, nil},
		{"send nothing", exchange{"ada", `mutation { sendMessage(input: {roomId: "{tea}", content: " \n"}) { message { id } } }`, `{"sendMessage":null} !BAD_INPUT at sendMessage in content`}, nil},
		{"send too much", exchange{"ada", `mutation { sendMessage(input: {roomId: "{tea}", content: "` + strings.Repeat("é", 4097) + `"}) { message { id } } }`, `{"sendMessage":null} !BAD_INPUT at sendMessage in content`}, nil},
		{"answer what isn't there", exchange{"ada", `mutation { sendMessage(input: {roomId: "{tea}", content: "x", replyToId: "m_x_1_y"}) { message { id } } }`, `{"sendMessage":null} !BAD_INPUT at sendMessage in replyToId`}, nil},
		{"a stranger sends", exchange{"cyd", `mutation { sendMessage(input: {roomId: "{tea}", content: "x"}) { message { id } } }`, `{"sendMessage":null} !NOT_FOUND at sendMessage`}, nil},
		{"send to a public room of others", exchange{"cyd", `mutation { sendMessage(input: {roomId: "{square}", content: "x"}) { message { id } } }`, `{"sendMessage":null} !FORBIDDEN at sendMessage`}, nil},

		{"edit", exchange{"ada", `mutation { editMessage(input: {messageId: "{one}", content: "Uno"}) { message { content editedAt updatedAt } } }`, `{"editMessage":{"message":{"content":"Uno","editedAt":"T","updatedAt":"T"}}}`}, nil},
		{"edit another's", exchange{"ada", `mutation { editMessage(input: {messageId: "{two}", content: "Due"}) { message { content } } }`, `{"editMessage":null} !FORBIDDEN at editMessage`}, nil},
		{"edit by a stranger", exchange{"cyd", `mutation { editMessage(input: {messageId: "{two}", content: "Due"}) { message { content } } }`, `{"editMessage":null} !NOT_FOUND at editMessage`}, nil},
		{"delete", exchange{"ada", `mutation { deleteMessage(input: {messageId: "{two}"}) { message { id content deletedAt replyTo { id } } } }`, `{"deleteMessage":{"message":{"id":"{two}","content":"","deletedAt":"T","replyTo":null}}}`}, nil},
		{"delete another's", exchange{"bob", `mutation { deleteMessage(input: {messageId: "{one}"}) { message { id } } }`, `{"deleteMessage":null} !FORBIDDEN at deleteMessage`}, nil},
		{"edit what is deleted", exchange{"bob", `mutation { editMessage(input: {messageId: "{two}", content: "x"}) { message { id } } }`, `{"editMessage":null} !CONFLICT at editMessage`}, nil},
		{"an answer to a tombstone shows it", exchange{"ada", `{ message(id: "{four}") { replyTo { id content deletedAt } } }`, `{"message":{"replyTo":{"id":"{two}","content":"","deletedAt":"T"}}}`}, nil},

		{"read", exchange{"ada", `mutation { markRead(input: {roomId: "{tea}", seq: 5}) { member { lastReadSeq lastReadAt } room { viewerUnreadCount } } }`, `{"markRead":{"member":{"lastReadSeq":5,"lastReadAt":"T"},"room":{"viewerUnreadCount":1}}}`}, nil},
		{"read less", exchange{"ada", `mutation { markRead(input: {roomId: "{tea}", seq: 1}) { member { lastReadSeq } } }`, `{"markRead":{"member":{"lastReadSeq":5}}}`}, nil},
		{"read too far", exchange{"ada", `mutation { markRead(input: {roomId: "{tea}", seq: 99}) { member { lastReadSeq } } }`, `{"markRead":null} !BAD_INPUT at markRead in seq`}, nil},
		{"read backwards", exchange{"ada", `mutation { markRead(input: {roomId: "{tea}", seq: -1}) { member { lastReadSeq } } }`, `{"markRead":null} !BAD_INPUT at markRead in seq`}, nil},
	})
	if log := w.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

// TestRepeatByTheRemoved: a sending may be repeated by one who is no longer a member, which tells them
// of their message and of nothing that came later.
func TestRepeatByTheRemoved(t *testing.T) {
	w := tea(t)
	w.must("ada", `mutation { removeMember(input: {roomId: "{tea}", userId: "bob"}) { room { id } } }`)
	w.must("ada", `mutation { updateRoom(input: {roomId: "{tea}", name: "Without bob"}) { room { id } } }`)
	repeat := func(selection string) string {
		return `mutation { sendMessage(input: {roomId: "{tea}", content: "Three", replyToId: "{one}", clientId: "k"}) { ` + selection + ` } }`
	}
	w.exchanges(t, map[string]exchange{
		"the message":           {"bob", repeat(`message { id content }`), `{"sendMessage":{"message":{"id":"{three}","content":"Three"}}}`},
		"what it answers":       {"bob", repeat(`message { replyTo { content } }`), `{"sendMessage":{"message":{"replyTo":null}}}`},
		"its room":              {"bob", repeat(`message { room { name } }`), `{"sendMessage":null} !NOT_FOUND at sendMessage.message.room`},
		"its room, by edge":     {"bob", repeat(`edge { node { room { name } } }`), `{"sendMessage":null} !NOT_FOUND at sendMessage.edge.node.room`},
		"and ada as before":     {"ada", `{ message(id: "{three}") { room { name } } }`, `{"message":{"room":{"name":"Without bob"}}}`},
		"another under the key": {"bob", `mutation { sendMessage(input: {roomId: "{tea}", content: "Four", clientId: "k"}) { message { id } } }`, `{"sendMessage":null} !CONFLICT at sendMessage in clientId`},
	})
}

// TestWhatEndsTyping: sending, leaving and being removed do, as the set is read and as it is.
func TestWhatEndsTyping(t *testing.T) {
	w := tea(t)
	defer func(local *time.Location) { time.Local = local }(time.Local)
	time.Local = time.FixedZone("elsewhere", 3600) // times are told in UTC all the same
	types := func(user string) string {
		return w.outcome(w.do(request{user: user, query: `mutation { setTyping(input: {roomId: "{tea}", typing: true}) { expiresAt } }`}))
	}
	typing := func() string {
		return w.outcome(w.do(request{user: "ada", query: `{ room(id: "{tea}") { typing { id } } }`}))
	}
	if got := types("cyd"); got != `{"setTyping":null} !NOT_FOUND at setTyping` {
		t.Errorf("a stranger: %s", got)
	}
	if got := w.outcome(w.do(request{query: `mutation { setTyping(input: {roomId: "{tea}", typing: true}) { expiresAt } }`})); got != `{"setTyping":null} !UNAUTHENTICATED at setTyping` {
		t.Errorf("nobody: %s", got)
	}
	for _, end := range []exchange{
		{"bob", `mutation { setTyping(input: {roomId: "{tea}", typing: false}) { expiresAt } }`, `{"setTyping":{"expiresAt":null}}`},
		{"bob", `mutation { sendMessage(input: {roomId: "{tea}", content: "x"}) { message { content } } }`, `{"sendMessage":{"message":{"content":"x"}}}`},
		{"bob", `mutation { leaveRoom(input: {roomId: "{tea}"}) { room { memberCount } } }`, `{"leaveRoom":{"room":{"memberCount":1}}}`},
		{"ada", `mutation { addMember(input: {roomId: "{tea}", userId: "bob"}) { member { role } } }`, `{"addMember":{"member":{"role":"MEMBER"}}}`},
		{"ada", `mutation { removeMember(input: {roomId: "{tea}", userId: "bob"}) { room { memberCount } } }`, `{"removeMember":{"room":{"memberCount":1}}}`},
	} {
		if types("bob") != `{"setTyping":{"expiresAt":"T"}}` && !strings.Contains(end.query, "addMember") {
			t.Fatalf("bob can't type before %s", end.query)
		}
		if got := w.outcome(w.do(request{user: end.user, query: end.query})); got != end.want {
			t.Errorf("%s: got %s", end.query, got)
		}
		if got := typing(); got != `{"room":{"typing":[]}}` {
			t.Errorf("after %s: %s", end.query, got)
		}
		if strings.Contains(end.query, "addMember") {
			types("bob")
		}
	}
}

// TestClearingTypingMayFail: what was asked for has been done, and typing ends by itself.
func TestClearingTypingMayFail(t *testing.T) {
	w := tea(t)
	w.must("bob", `mutation { setTyping(input: {roomId: "{tea}", typing: true}) { expiresAt } }`)
	tracker, err := presence.NewTracker(deafPresence{w.store}, presence.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.resolver.Tracker = tracker
	if got := w.must("bob", `mutation { sendMessage(input: {roomId: "{tea}", content: "x"}) { message { seq } } }`); got != `{"sendMessage":{"message":{"seq":4}}}` {
		t.Errorf("got %s", got)
	}
	if log := w.log.String(); !strings.Contains(log, "typing wasn't cleared") || strings.Contains(log, "content") {
		t.Errorf("logged: %s", log)
	}
	if got := w.outcome(w.do(request{user: "bob", query: `mutation { setTyping(input: {roomId: "{tea}", typing: true}) { expiresAt } }`})); got != `{"setTyping":null} !UNAVAILABLE at setTyping` {
		t.Errorf("got %s", got)
	}
}

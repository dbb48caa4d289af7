package resolvers_test

import "testing"

// exchange is a request and its outcome.
type exchange struct{ user, query, want string }

func (w *world) exchanges(t *testing.T, table map[string]exchange) {
	for name, x := range table {
		t.Run(name, func(t *testing.T) {
			if got := w.outcome(w.do(request{user: x.user, query: x.query})); got != x.want {
				t.Errorf("%s: %s\ngot  %s\nwant %s", x.user, x.query, got, x.want)
			}
		})
	}
}

func TestQueries(t *testing.T) {
	w := tea(t)
	w.must("ada", `{ room(id: "{tea}") { members { edges { cursor } } } }`, "{@ada in tea}", "room.members.edges.0.cursor", "{@bob in tea}", "room.members.edges.1.cursor")
	w.must("ada", `{ rooms { edges { cursor } } }`, "{@tea}", "rooms.edges.0.cursor", "{@square}", "rooms.edges.1.cursor")
	w.must("ada", `{ publicRooms { edges { cursor } } }`, "{@general}", "publicRooms.edges.0.cursor")
	w.exchanges(t, map[string]exchange{
		"who asks":                     {"ada", `{ viewer { id name avatarUrl } }`, `{"viewer":{"id":"ada","name":"Ada","avatarUrl":null}}`},
		"nobody asks":                  {"", `{ viewer { id } __typename }`, `{"viewer":null,"__typename":"Query"}`},
		"nobody asks for a room":       {"", `{ room(id: "{tea}") { id } }`, `{"room":null} !UNAUTHENTICATED at room`},
		"nobody asks for what must be": {"", `{ rooms { pageInfo { hasNextPage } } }`, `null !UNAUTHENTICATED at rooms`},

		"a room": {"bob", `{ room(id: "{tea}") { id name type visibility history topic metadata createdAt updatedAt lastMessageAt archivedAt memberCount } }`,
			`{"room":{"id":"{tea}","name":"Tea","type":"GROUP","visibility":"PRIVATE","history":"ALL","topic":"Which?","metadata":{"a":[1,2.5,"x",null,true]}` + "\n" + `,"createdAt":"T","updatedAt":"T","lastMessageAt":"T","archivedAt":null,"memberCount":2}}`},
		"one's own part of it":            {"bob", `{ room(id: "{tea}") { viewerMembership { id role lastReadSeq lastDeliveredSeq user { name } room { name } } viewerUnreadCount } }`, `{"room":{"viewerMembership":{"id":"{bob in tea}","role":"MEMBER","lastReadSeq":3,"lastDeliveredSeq":3,"user":{"name":"Bob"},"room":{"name":"Tea"}},"viewerUnreadCount":0}}`},
		"unread":                          {"ada", `{ room(id: "{tea}") { viewerUnreadCount } }`, `{"room":{"viewerUnreadCount":2}}`},
		"a private room of others":        {"cyd", `{ room(id: "{tea}") { id } }`, `{"room":null}`},
		"no such room":                    {"ada", `{ room(id: "r_none") { id } }`, `{"room":null}`},
		"what isn't the id of a room":     {"ada", `{ room(id: "\u0000") { id } }`, `{"room":null}`},
		"a public room of others":         {"cyd", `{ room(id: "{square}") { name viewerMembership { id } viewerUnreadCount } }`, `{"room":{"name":"Square","viewerMembership":null,"viewerUnreadCount":0}}`},
		"its messages are for members":    {"cyd", `{ room(id: "{square}") { messages { cursor } } }`, `{"room":null} !FORBIDDEN at room.messages`},
		"its members are for members":     {"cyd", `{ room(id: "{square}") { members { totalCount } } }`, `{"room":null} !FORBIDDEN at room.members`},
		"who types there is for members":  {"cyd", `{ room(id: "{square}") { typing { id } } }`, `{"room":null} !FORBIDDEN at room.typing`},
		"members":                         {"bob", `{ room(id: "{tea}") { members(first: 1) { totalCount edges { cursor node { user { id } role } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`, `{"room":{"members":{"totalCount":2,"edges":[{"cursor":"{@ada in tea}","node":{"user":{"id":"ada"},"role":"OWNER"}}],"pageInfo":{"hasNextPage":true,"hasPreviousPage":false,"startCursor":"{@ada in tea}","endCursor":"{@ada in tea}"}}}}`},
		"more members":                    {"bob", `{ room(id: "{tea}") { members(after: "{@ada in tea}") { edges { node { user { id } } } pageInfo { hasNextPage hasPreviousPage } } } }`, `{"room":{"members":{"edges":[{"node":{"user":{"id":"bob"}}}],"pageInfo":{"hasNextPage":false,"hasPreviousPage":true}}}}`},
		"members after a message":         {"bob", `{ room(id: "{tea}") { members(after: "{@one}") { totalCount } } }`, `{"room":null} !BAD_INPUT at room.members in after`},
		"no page":                         {"bob", `{ room(id: "{tea}") { members(first: 0) { edges { cursor } pageInfo { hasNextPage startCursor endCursor } } } }`, `{"room":{"members":{"edges":[],"pageInfo":{"hasNextPage":true,"startCursor":null,"endCursor":null}}}}`},
		"too long a page":                 {"bob", `{ room(id: "{tea}") { members(first: 101) { totalCount } } }`, `{"room":null} !BAD_INPUT at room.members in first`},
		"a page of less than nothing":     {"bob", `{ room(id: "{tea}") { messages(last: -1) { cursor } } }`, `{"room":null} !BAD_INPUT at room.messages in last`},
		"messages":                        {"bob", `{ room(id: "{tea}") { messages { edges { cursor node { id seq content clientId type sender { name } replyTo { id } editedAt deletedAt } } } } }`, `{"room":{"messages":{"edges":[{"cursor":"{@one}","node":{"id":"{one}","seq":1,"content":"One","clientId":null,"type":"TEXT","sender":{"name":"Ada"},"replyTo":null,"editedAt":null,"deletedAt":null}},{"cursor":"{@two}","node":{"id":"{two}","seq":2,"content":"Two","clientId":null,"type":"TEXT","sender":{"name":"Bob"},"replyTo":null,"editedAt":null,"deletedAt":null}},{"cursor":"{@three}","node":{"id":"{three}","seq":3,"content":"Three","clientId":"k","type":"TEXT","sender":{"name":"Bob"},"replyTo":{"id":"{one}"},"editedAt":null,"deletedAt":null}}]}}}`},
		"the first messages":              {"bob", `{ room(id: "{tea}") { messages(first: 2) { edges { node { seq } } cursor pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`, `{"room":{"messages":{"edges":[{"node":{"seq":1}},{"node":{"seq":2}}],"cursor":"{@three}","pageInfo":{"hasNextPage":true,"hasPreviousPage":false,"startCursor":"{@one}","endCursor":"{@two}"}}}}`},
		"the messages in between":         {"bob", `{ room(id: "{tea}") { messages(first: 5, after: "{@one}", before: "{@three}") { edges { node { seq } } pageInfo { hasNextPage hasPreviousPage } } } }`, `{"room":{"messages":{"edges":[{"node":{"seq":2}}],"pageInfo":{"hasNextPage":true,"hasPreviousPage":true}}}}`},
		"first and last":                  {"bob", `{ room(id: "{tea}") { messages(first: 1, last: 1) { cursor } } }`, `{"room":null} !BAD_INPUT at room.messages in first`},
		"messages after a room of a list": {"bob", `{ room(id: "{tea}") { messages(after: "{@tea}") { cursor } } }`, `{"room":null} !BAD_INPUT at room.messages in after`},
		"messages of another room's":      {"ada", `{ room(id: "{square}") { messages(before: "{@one}") { cursor } } }`, `{"room":null} !BAD_INPUT at room.messages in before`},
		"a message":                       {"bob", `{ message(id: "{three}") { content room { name } replyTo { content sender { id } } } }`, `{"message":{"content":"Three","room":{"name":"Tea"},"replyTo":{"content":"One","sender":{"id":"ada"}}}}`},
		"a message of others":             {"cyd", `{ message(id: "{three}") { content } }`, `{"message":null}`},
		"no such message":                 {"bob", `{ message(id: "m_x_1_y") { content } }`, `{"message":null}`},

		"one's rooms":         {"ada", `{ rooms { edges { cursor node { name } } pageInfo { hasNextPage startCursor endCursor } } }`, `{"rooms":{"edges":[{"cursor":"{@tea}","node":{"name":"Tea"}},{"cursor":"{@square}","node":{"name":"Square"}}],"pageInfo":{"hasNextPage":false,"startCursor":"{@tea}","endCursor":"{@square}"}}}`},
		"more of them":        {"ada", `{ rooms(first: 1, after: "{@tea}") { edges { node { name } } pageInfo { hasPreviousPage hasNextPage } } }`, `{"rooms":{"edges":[{"node":{"name":"Square"}}],"pageInfo":{"hasPreviousPage":true,"hasNextPage":false}}}`},
		"none yet":            {"cyd", `{ rooms { edges { node { name } } } }`, `{"rooms":{"edges":[]}}`},
		"an empty cursor":     {"ada", `{ rooms(first: 1, after: "") { edges { node { name } } pageInfo { hasPreviousPage } } }`, `{"rooms":{"edges":[{"node":{"name":"Tea"}}],"pageInfo":{"hasPreviousPage":false}}}`},
		"public rooms":        {"cyd", `{ publicRooms { edges { node { name } } } }`, `{"publicRooms":{"edges":[{"node":{"name":"general"}},{"node":{"name":"Square"}}]}}`},
		"after the first":     {"cyd", `{ publicRooms(after: "{@general}") { edges { node { name } } } }`, `{"publicRooms":{"edges":[{"node":{"name":"Square"}}]}}`},
		"by a part of a name": {"cyd", `{ publicRooms(search: "qUA") { edges { node { name } } } }`, `{"publicRooms":{"edges":[{"node":{"name":"Square"}}]}}`},

		"any node":               {"bob", `{ nodes(ids: ["{tea}", "{one}", "{bob in tea}", "bob", "ada", "cyd", "r_none", "m_none", "rm_none", "", "{square}"]) { __typename id } }`, `{"nodes":[{"__typename":"Room","id":"{tea}"},{"__typename":"Message","id":"{one}"},{"__typename":"RoomMember","id":"{bob in tea}"},{"__typename":"User","id":"bob"},{"__typename":"User","id":"ada"},null,null,null,null,null,{"__typename":"Room","id":"{square}"}]}`},
		"nodes of others":        {"cyd", `{ nodes(ids: ["{tea}", "{one}", "{bob in tea}", "ada", "cyd"]) { id } }`, `{"nodes":[null,null,null,null,{"id":"cyd"}]}`},
		"one node":               {"bob", `{ node(id: "ada") { ... on User { name } } }`, `{"node":{"name":"Ada"}}`},
		"oneself, by the token":  {"cyd", `{ node(id: "cyd") { ... on User { name } } }`, `{"node":{"name":"Cyd"}}`},
		"no node":                {"bob", `{ node(id: "cyd") { id } }`, `{"node":null}`},
		"nobody asks for a node": {"", `{ node(id: "ada") { id } }`, `{"node":null} !UNAUTHENTICATED at node`},

		"presence": {"bob", `{ presence(userIds: ["ada", "cyd", "bob", "\u0000"]) { id status lastSeenAt user { name } } }`, `{"presence":[{"id":"ada","status":"OFFLINE","lastSeenAt":null,"user":{"name":"Ada"}},{"id":"bob","status":"OFFLINE","lastSeenAt":null,"user":{"name":"Bob"}}]}`},
		"nobody's": {"bob", `{ presence(userIds: []) { id } }`, `{"presence":[]}`},

		"events from now":           {"bob", `{ roomEvents(roomId: "{tea}") { events { at } cursor reset pollAfterSeconds } }`, `{"roomEvents":{"events":[],"cursor":"{@three}","reset":false,"pollAfterSeconds":10}}`},
		"events since":              {"bob", `{ roomEvents(roomId: "{tea}", after: "{@one}") { events { __typename at cursor actor { id } room { name } ... on MessageSent { message { content } } } cursor } }`, `{"roomEvents":{"events":[{"__typename":"MessageSent","at":"T","cursor":"{@two}","actor":{"id":"bob"},"room":{"name":"Tea"},"message":{"content":"Two"}},{"__typename":"MessageSent","at":"T","cursor":"{@three}","actor":{"id":"bob"},"room":{"name":"Tea"},"message":{"content":"Three"}}],"cursor":"{@three}"}}`},
		"a page of events":          {"bob", `{ roomEvents(roomId: "{tea}", after: "{@one}", first: 1) { events { cursor } cursor } }`, `{"roomEvents":{"events":[{"cursor":"{@two}"}],"cursor":"{@two}"}}`},
		"events of others":          {"cyd", `{ roomEvents(roomId: "{tea}") { cursor } }`, `null !NOT_FOUND at roomEvents`},
		"events of a public room":   {"cyd", `{ roomEvents(roomId: "{square}") { cursor } }`, `null !FORBIDDEN at roomEvents`},
		"events of a room's list":   {"bob", `{ roomEvents(roomId: "{tea}", after: "{@tea}") { cursor } }`, `null !BAD_INPUT at roomEvents in after`},
		"events after another room": {"ada", `{ roomEvents(roomId: "{square}", after: "{@one}") { cursor } }`, `null !BAD_INPUT at roomEvents in after`},
	})
}

// TestTooManyIDs: what is asked for at once is bounded.

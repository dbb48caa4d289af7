package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"parley/e2e/parleytest"
	"parley/eventlog"
)

// altered returns a cursor that looks like one of ours, but isn't.
func altered(t *testing.T, cursor string, alter func(*eventlog.Cursor)) string {
	t.Helper()
	c, err := eventlog.ParseCursor(cursor)
	if err != nil {
		t.Fatal(err)
	}
	alter(&c)
	return c.String()
}

// heldCursors are cursors that ada came by.
type heldCursors struct {
	log, elsewhere, members, elsewhereMembers, rooms, public string
}

func (w *hostileWorld) hold(t *testing.T) heldCursors {
	t.Helper()
	w.ada.Must(t, `mutation { createRoom(input: {name: "Square", visibility: PUBLIC}) { room { id } } }`, nil)
	for range 3 {
		w.ada.MustSend(t, w.room, whispered)
	}
	r := w.ada.Must(t, `query($room: ID!, $other: ID!) {
		room(id: $room) { messages { cursor } members { pageInfo { endCursor } } }
		other: room(id: $other) { messages { cursor } members { pageInfo { endCursor } } }
		rooms { pageInfo { endCursor } } publicRooms { pageInfo { endCursor } }
	}`, map[string]any{"room": w.room, "other": w.another})
	return heldCursors{
		log: r.Text("room", "messages", "cursor"), elsewhere: r.Text("other", "messages", "cursor"),
		members: r.Text("room", "members", "pageInfo", "endCursor"), elsewhereMembers: r.Text("other", "members", "pageInfo", "endCursor"),
		rooms: r.Text("rooms", "pageInfo", "endCursor"), public: r.Text("publicRooms", "pageInfo", "endCursor"),
	}
}

// unreadable are strings that are no cursors, and values that aren't strings.
func (h heldCursors) unreadable() []any {
	return []any{
		"x", "????", "null", h.log + "A", h.log[:len(h.log)-1], "A" + h.log, h.log + "\n", h.log + "=", " " + h.log, strings.ToLower(h.log),
		strings.Repeat("A", 1025), strings.Repeat("A", 100_000), "\x00", 7, 1.5, true, []string{h.log + "A"}, map[string]any{"cursor": h.log},
	}
}

// lost are positions that the room's log never had, or has no more.
func (h heldCursors) lost(t *testing.T) []any {
	return []any{
		altered(t, h.log, func(c *eventlog.Cursor) { c.Position.Offset++ }),
		altered(t, h.log, func(c *eventlog.Cursor) { c.Position.Offset += 1000 }),
		altered(t, h.log, func(c *eventlog.Cursor) { c.Position.Offset = 1<<53 - 1 }),
		altered(t, h.log, func(c *eventlog.Cursor) { c.Position.Offset = 1<<63 - 1 }),
		altered(t, h.log, func(c *eventlog.Cursor) { c.Position.Offset = 1<<64 - 1 }),
		altered(t, h.log, func(c *eventlog.Cursor) { c.Position.Check++ }),
		altered(t, h.log, func(c *eventlog.Cursor) { c.Position.Check = 0 }),
		altered(t, h.log, func(c *eventlog.Cursor) { c.Position.Epoch++ }),
		altered(t, h.log, func(c *eventlog.Cursor) { c.Position.Epoch = 1<<32 - 1 }),
		altered(t, h.log, func(c *eventlog.Cursor) { c.Position.Offset--; c.Position.Check ^= 1 }),
	}
}

// cursors are those that don't belong where they are given, in every place that takes one.
func (w *hostileWorld) cursors(t *testing.T) []hostileCase {
	h := w.hold(t)
	inRoom := func(query string) string { return strings.ReplaceAll(query, "ROOM", `"`+w.room+`"`) }
	foreign := append(h.unreadable(), h.elsewhere, h.members, h.rooms, h.public)
	var cases []hostileCase
	add := func(c hostileCase) { cases = append(cases, c) }

	poll := inRoom(`query($c: Cursor) { roomEvents(roomId: ROOM, after: $c) { reset } }`)
	add(askEach("roomEvents(after), polling: no cursor of it", w.ada, poll, "c", foreign...).answered("BAD_INPUT"))
	add(askEach("roomEvents(after), polling: not in its log", w.ada, poll, "c", h.lost(t)...).answered("reset"))
	for _, argument := range []string{"after", "before"} {
		query := inRoom(`query($c: Cursor) { room(id: ROOM) { messages(` + argument + `: $c) { cursor } } }`)
		add(askEach("messages("+argument+"): no cursor of it", w.ada, query, "c", foreign...).answered("BAD_INPUT"))
		add(askEach("messages("+argument+"): not in its log", w.ada, query, "c", h.lost(t)...).answered("ok"))
	}
	lists := append(h.unreadable(), h.log, h.elsewhere, h.elsewhereMembers)
	add(askEach("members(after): no cursor of it", w.ada, inRoom(`query($c: Cursor) { room(id: ROOM) { members(after: $c) { totalCount } } }`), "c",
		append(lists, h.rooms, h.public)...).answered("BAD_INPUT"))
	add(askEach("rooms(after): no cursor of it", w.ada, `query($c: Cursor) { rooms(after: $c) { __typename } }`, "c",
		append(lists, h.members, h.public, altered(t, h.rooms, func(c *eventlog.Cursor) { c.Key = "x" }))...).answered("BAD_INPUT"))
	add(askEach("publicRooms(after): no cursor of it", w.ada, `query($c: Cursor) { publicRooms(after: $c) { __typename } }`, "c",
		append(lists, h.members, h.rooms)...).answered("BAD_INPUT"))
	return append(cases, w.resumes(h, foreign, h.lost(t))...)
}

// resumes give a subscription its cursor in each of the three ways.
func (w *hostileWorld) resumes(h heldCursors, foreign, lost []any) []hostileCase {
	var cases []hostileCase
	for _, s := range []struct{ name, selection, onLost string }{
		{"messageAdded", "id", "HISTORY_LOST"}, {"roomEvents", "__typename cursor", "RoomReset"},
	} {
		plain := fmt.Sprintf(`subscription { %s(roomId: %q) { %s } }`, s.name, w.room, s.selection)
		after := fmt.Sprintf(`subscription($c: Cursor) { %s(roomId: %q, after: $c) { %s } }`, s.name, w.room, s.selection)
		for _, kind := range []struct {
			name    string
			cursors []any
			word    string
		}{{"no cursor of it", foreign, "BAD_INPUT"}, {"not in its log", lost, s.onLost}} {
			cases = append(cases, askEach(s.name+"(after): "+kind.name, w.ada, after, "c", kind.cursors...).followed(kind.word))
			resume := hostileCase{name: s.name + " with resume: " + kind.name}
			header := hostileCase{name: s.name + " with Last-Event-ID: " + kind.name}
			for _, cursor := range kind.cursors {
				// A good after mustn't stand in for a bad resume.
				op := parleytest.Operation{Query: after, Variables: map[string]any{"c": h.log}, Extensions: map[string]any{"resume": cursor}}
				resume.attempts = append(resume.attempts, ask("", w.ada, op).attempts...)
				if id, ok := cursor.(string); ok && !strings.ContainsAny(id, "\x00\n") && strings.TrimSpace(id) == id {
					one := ask("", w.ada, parleytest.Operation{Query: plain}).attempts[0]
					one.header = http.Header{"Last-Event-Id": {id}}
					header.attempts = append(header.attempts, one)
				}
			}
			header.want = [5]string{"", "", "", kind.word, kind.word}
			cases = append(cases, resume.followed(kind.word), header)
		}
	}
	return cases
}

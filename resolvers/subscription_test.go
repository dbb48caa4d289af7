package resolvers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"parley/auth"
	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/presence"
	"parley/render"
	"parley/resolvers"
)

// opening is what became of opening a subscription: where it starts, or the errors.
func (w *world) opening(q request) string {
	w.Helper()
	opened, errs := w.open(q)
	if errs != nil {
		return w.outcome(&graphql.Response{Errors: errs})
	}
	start := opened.Spec.Start.String()
	for name, id := range w.names {
		if id == start {
			start = name
		}
	}
	return opened.Spec.Topic + " from " + start
}

func (w *world) mustOpen(q request) *render.Opened {
	w.Helper()
	opened, errs := w.open(q)
	if errs != nil {
		w.Fatalf("%s: %s: %v", q.user, w.filled(q.query), errs)
	}
	return opened
}

// sources returns the entries of a room's log after a position, as the hub renders them.
func (w *world) sources(room string, after eventlog.Position) []delivery.Source {
	w.Helper()
	page, err := w.store.Read(w.Context(), room, after, 10_000)
	if err != nil {
		w.Fatal(err)
	}
	sources := make([]delivery.Source, len(page.Publications))
	for i, p := range page.Publications {
		cursor := eventlog.Cursor{Kind: eventlog.CursorLog, Log: room, Position: p.Position, Seq: p.Seq}
		sources[i] = delivery.Source{Payload: p.Payload, Cursor: cursor}
	}
	return sources
}

// rendered is an event in short, as outcome; its position must be the source's.
func (w *world) rendered(r delivery.Renderer, source delivery.Source) string {
	w.Helper()
	payload, err := r.Render(w.Context(), source)
	if err != nil {
		w.Fatal(err)
	}
	return w.payload(payload, source)
}

func (w *world) payload(payload []byte, source delivery.Source) string {
	w.Helper()
	rest := string(payload)
	if source.Cursor.Kind != 0 {
		cut := false
		if rest, cut = strings.CutSuffix(rest, fmt.Sprintf(`,"extensions":{"cursor":%q}}`, source.Cursor.String())); !cut {
			w.Errorf("no position in %s", payload)
		}
		rest += "}"
	}
	var response graphql.Response
	unmarshal(w, []byte(rest), &response)
	return w.outcome(&response)
}

func TestWhoMayFollow(t *testing.T) {
	w := tea(t)
	for name, query := range map[string]string{
		"messageAdded": `subscription { messageAdded(roomId: %q) { id } }`,
		"roomEvents":   `subscription { roomEvents(roomId: %q) { at } }`,
		"typing":       `subscription { typing(roomId: %q) { users { id } } }`,
		"presence":     `subscription { presence(roomId: %q) { id } }`,
	} {
		for _, test := range []struct{ user, room, want string }{
			{"", "{tea}", "!UNAUTHENTICATED at " + name},
			{"cyd", "{tea}", "!NOT_FOUND at " + name},
			{"cyd", "{square}", "!FORBIDDEN at " + name},
			{"cyd", "r_none", "!NOT_FOUND at " + name},
			{"cyd", "nonsense", "!NOT_FOUND at " + name},
			{"bob", "{tea}", ""},
		} {
			t.Run(name+" of "+test.room+" by "+test.user, func(t *testing.T) {
				got := w.opening(request{user: test.user, query: fmt.Sprintf(query, test.room)})
				if test.want == "" && strings.Contains(got, " from {@three}") {
					return
				}
				if got != test.want {
					t.Errorf("got %s", got)
				}
			})
		}
	}
	t.Run("presence of people by nobody", func(t *testing.T) {
		if got := w.opening(request{query: `subscription { presence(userIds: ["ada"]) { id } }`}); got != "!UNAUTHENTICATED at presence" {
			t.Errorf("got %s", got)
		}
	})
	for name, arguments := range map[string]string{"neither": "", "null": "(roomId: null, userIds: null)", "both": `(roomId: "{tea}", userIds: [])`} {
		t.Run("presence of "+name, func(t *testing.T) {
			if got := w.opening(request{user: "bob", query: `subscription { presence` + arguments + ` { id } }`}); got != "!BAD_INPUT at presence" {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestResumeRule is the third and fifth point of docs/protocol.md: the first present of
// extensions.resume and the argument, else the tail.
func TestResumeRule(t *testing.T) {
	w := tea(t)
	room := w.filled("{tea}")
	w.must("ada", `{ rooms { edges { cursor } } }`, "{@tea}", "rooms.edges.0.cursor")
	w.say("ada", "{square}", "Elsewhere", "elsewhere")
	one, two := w.names["{@one}"], w.names["{@two}"]
	extension := func(v any) map[string]any { return map[string]any{"resume": v} }
	for _, field := range []string{"messageAdded", "roomEvents"} {
		for name, test := range map[string]struct {
			after      any
			extensions map[string]any
			want       string
		}{
			"nothing":                        {nil, nil, "from {@three}"},
			"empty":                          {"", extension(""), "from {@three}"},
			"null":                           {nil, extension(nil), "from {@three}"},
			"after":                          {one, nil, "from {@one}"},
			"after, resume empty":            {one, extension(""), "from {@one}"},
			"after, resume null":             {one, extension(nil), "from {@one}"},
			"resume":                         {nil, extension(two), "from {@two}"},
			"resume before after":            {one, extension(two), "from {@two}"},
			"resume before another room's":   {w.names["{@elsewhere}"], extension(two), "from {@two}"},
			"other extensions":               {one, map[string]any{"other": 1}, "from {@one}"},
			"after of another room":          {w.names["{@elsewhere}"], nil, "!BAD_INPUT in after"},
			"resume of another room":         {one, extension(w.names["{@elsewhere}"]), "!BAD_INPUT in resume"},
			"after of another list":          {w.names["{@tea}"], nil, "!BAD_INPUT in after"},
			"resume of another list":         {nil, extension(w.names["{@tea}"]), "!BAD_INPUT in resume"},
			"after that is junk":             {"junk", nil, "!BAD_INPUT in after"},
			"resume that is junk":            {nil, extension("junk"), "!BAD_INPUT in resume"},
			"after that is a number":         {1, nil, "!BAD_INPUT in after"},
			"resume that is a number":        {nil, extension(1), "!BAD_INPUT in resume"},
			"resume that is an object":       {nil, extension(map[string]any{}), "!BAD_INPUT in resume"},
			"after longer than any":          {strings.Repeat("A", 100_000), nil, "!BAD_INPUT in after"},
			"after that ends in a line":      {one + "\n", nil, "!BAD_INPUT in after"},
			"resume longer than any of ours": {nil, extension(strings.Repeat("A", 100_000)), "!BAD_INPUT in resume"},
		} {
			t.Run(field+" "+name, func(t *testing.T) {
				query := fmt.Sprintf(`subscription($after: Cursor) { %s(roomId: %q, after: $after) { __typename } }`, field, room)
				variables := map[string]any{}
				if test.after != nil {
					variables["after"] = test.after
				}
				want := strings.Replace(test.want, " in", " at "+field+" in", 1)
				got := w.opening(request{user: "bob", query: query, variables: variables, extensions: test.extensions})
				if strings.TrimPrefix(got, room+" ") != want {
					t.Errorf("got %s", got)
				}
			})
		}
	}
	for name, query := range map[string]string{
		"typing":             `subscription { typing(roomId: "{tea}") { users { id } } }`,
		"presence of a room": `subscription { presence(roomId: "{tea}") { id } }`,
	} {
		t.Run(name+" begins with the present, whatever is said", func(t *testing.T) {
			for _, resume := range []any{"junk", 1, one} {
				if got := w.opening(request{user: "bob", query: query, extensions: extension(resume)}); !strings.HasSuffix(got, " from {@three}") {
					t.Errorf("%v: got %s", resume, got)
				}
			}
		})
	}
}

// TestEvents: each kind of event as the subscriptions show it.
func TestEvents(t *testing.T) {
	w := tea(t)
	w.must("ada", `mutation { editMessage(input: {messageId: "{one}", content: "Uno"}) { message { id } } }`)
	w.must("ada", `mutation { deleteMessage(input: {messageId: "{two}"}) { message { id } } }`)
	w.must("ada", `mutation { updateRoom(input: {roomId: "{tea}", name: "Tea time"}) { room { id } } }`)
	w.must("ada", `mutation { setRole(input: {roomId: "{tea}", userId: "bob", role: ADMIN}) { member { id } } }`)
	w.must("ada", `mutation { addMember(input: {roomId: "{tea}", userId: "cyd"}) { member { id } } }`)
	w.must("cyd", `mutation { leaveRoom(input: {roomId: "{tea}"}) { room { id } } }`)
	w.must("ada", `mutation { removeMember(input: {roomId: "{tea}", userId: "bob"}) { room { id } } }`)
	const query = `subscription { roomEvents(roomId: "{tea}") { __typename room { name } actor { id }
		... on MessageSent { message { content replyTo { content } } } ... on MessageEdited { message { content } } ... on MessageDeleted { message { content } }
		... on MemberJoined { member { user { id } } } ... on MemberLeft { member { user { id } } } ... on MemberRemoved { member { user { id } } }
		... on MemberRoleChanged { member { user { id } role } } ... on RoomReset { reason } } }`
	opened := w.mustOpen(request{user: "ada", query: query})
	var got []string
	for _, source := range w.sources(opened.Spec.Topic, eventlog.Position{}) {
		got = append(got, strings.ReplaceAll(w.rendered(opened.Renderer, source), `"room":{"name":"Tea time"},`, ""))
	}
	want := []string{
		`{"roomEvents":{"__typename":"MemberJoined","actor":{"id":"ada"},"member":{"user":{"id":"ada"}}}}`,
		`{"roomEvents":{"__typename":"MemberJoined","actor":{"id":"ada"},"member":{"user":{"id":"bob"}}}}`,
		`{"roomEvents":{"__typename":"MessageSent","actor":{"id":"ada"},"message":{"content":"Uno","replyTo":null}}}`,
		`{"roomEvents":{"__typename":"MessageSent","actor":{"id":"bob"},"message":{"content":"","replyTo":null}}}`,
		`{"roomEvents":{"__typename":"MessageSent","actor":{"id":"bob"},"message":{"content":"Three","replyTo":{"content":"Uno"}}}}`,
		`{"roomEvents":{"__typename":"MessageEdited","actor":{"id":"ada"},"message":{"content":"Uno"}}}`,
		`{"roomEvents":{"__typename":"MessageDeleted","actor":{"id":"ada"},"message":{"content":""}}}`,
		`{"roomEvents":{"__typename":"RoomUpdated","actor":{"id":"ada"}}}`,
		`{"roomEvents":{"__typename":"MemberRoleChanged","actor":{"id":"ada"},"member":{"user":{"id":"bob"},"role":"ADMIN"}}}`,
		`{"roomEvents":{"__typename":"MemberJoined","actor":{"id":"ada"},"member":{"user":{"id":"cyd"}}}}`,
		`{"roomEvents":{"__typename":"MemberLeft","actor":{"id":"cyd"},"member":{"user":{"id":"cyd"}}}}`,
		`{"roomEvents":{"__typename":"MemberRemoved","actor":{"id":"ada"},"member":{"user":{"id":"bob"}}}}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	reset := delivery.Source{Payload: eventlog.Reset{Log: opened.Spec.Topic, Reason: eventlog.Trimmed}, Cursor: opened.Spec.Start}
	if got, want := w.rendered(opened.Renderer, reset), `{"roomEvents":{"__typename":"RoomReset","room":{"name":"Tea time"},"actor":null,"reason":"TRIMMED"}}`; got != want {
		t.Errorf("a reset: %s", got)
	}
	t.Run("what isn't an event is an error", func(t *testing.T) {
		for name, query := range map[string]string{
			"messageAdded": `subscription { messageAdded(roomId: "{tea}") { id } }`,
			"roomEvents":   `subscription { roomEvents(roomId: "{tea}") { at } }`,
			"typing":       `subscription { typing(roomId: "{tea}") { users { id } } }`,
			"presence":     `subscription { presence(roomId: "{tea}") { id } }`,
		} {
			renderer := w.mustOpen(request{user: "ada", query: query}).Renderer
			if got := w.rendered(renderer, delivery.Source{Payload: "nonsense"}); got != "null !INTERNAL at "+name {
				t.Errorf("%s: got %s", name, got)
			}
		}
	})
}

// TestStates: values of state topics as the subscriptions show them, from the present one on.
func TestStates(t *testing.T) {
	w := tea(t)
	if _, err := w.store.Renew(t.Context(), "node", time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Connect(t.Context(), "node", "device", presence.User{ID: "bob", Name: "Bob"}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		`subscription { typing(roomId: "{tea}") { room { name } users { id name } } }`:       `{"typing":{"room":{"name":"Tea"},"users":[{"id":"bob","name":"Bob"}]}}`,
		`subscription { presence(userIds: ["bob"]) { id status lastSeenAt user { name } } }`: `{"presence":{"id":"bob","status":"ONLINE","lastSeenAt":null,"user":{"name":"Bob"}}}`,
		`subscription { presence(roomId: "{tea}") { id status } }`:                           `{"presence":{"id":"ada","status":"OFFLINE"}} {"presence":{"id":"bob","status":"ONLINE"}}`,
	} {
		// Just now each time, so that it doesn't expire on a busy machine.
		w.must("bob", `mutation { setTyping(input: {roomId: "{tea}", typing: true}) { expiresAt } }`)
		opened := w.mustOpen(request{user: "ada", query: query})
		var told []string
		stop, err := opened.Spec.State(t.Context(), func(values []eventlog.Value) {
			for _, v := range values {
				told = append(told, w.rendered(opened.Renderer, delivery.Source{Payload: v.Payload}))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		stop()
		slices.Sort(told) // a value may come twice
		if got := strings.Join(slices.Compact(told), " "); got != want {
			t.Errorf("%s: got %s", query, got)
		}
	}
	want := `{"presence":[{"status":"ONLINE"},{"status":"OFFLINE"}]}`
	if got := w.must("ada", `{ presence(userIds: ["bob", "ada"]) { status } }`); got != want {
		t.Errorf("got %s", got)
	}
}

// TestPresenceUser: how presence shows those who connect.
func TestPresenceUser(t *testing.T) {
	if user, ok := resolvers.PresenceUser(t.Context()); ok {
		t.Errorf("nobody is %+v", user)
	}
	if user, ok := resolvers.PresenceUser(signedIn(t.Context(), "ada")); !ok || user != (presence.User{ID: "ada", Name: "Ada"}) {
		t.Errorf("ada is %+v", user)
	}
	nameless := auth.WithViewer(t.Context(), &auth.Viewer{ID: "ada", Name: "ada"})
	if user, ok := resolvers.PresenceUser(nameless); !ok || user != (presence.User{ID: "ada"}) {
		t.Errorf("one whose token names nobody is %+v", user)
	}
}

// TestTheRemovedSeeTheirRemoval: the last event of somebody's shows them as what they are then.
func TestTheRemovedSeeTheirRemoval(t *testing.T) {
	w := tea(t)
	opened := w.mustOpen(request{user: "bob", query: `subscription { roomEvents(roomId: "{tea}") { __typename room { viewerUnreadCount viewerMembership { role } } } }`})
	answers := w.mustOpen(request{user: "bob", query: `subscription { messageAdded(roomId: "{tea}") { content replyTo { content } } }`})
	w.must("ada", `mutation { removeMember(input: {roomId: "{tea}", userId: "bob"}) { room { id } } }`)
	sources := w.sources(opened.Spec.Topic, opened.Spec.Start.Position)
	want := `{"roomEvents":{"__typename":"MemberRemoved","room":{"viewerUnreadCount":0,"viewerMembership":null}}}`
	if got := w.rendered(opened.Renderer, sources[0]); got != want {
		t.Errorf("got %s", got)
	}
	three := w.sources(opened.Spec.Topic, eventlog.Position{})[4]
	for name, test := range map[string]struct {
		renderer delivery.Renderer
		want     string
	}{ // what came before the removal is rendered for all who could read it
		"together": {answers.Renderer, `{"messageAdded":{"content":"Three","replyTo":{"content":"One"}}}`},
		"alone":    {answers.Personal, `{"messageAdded":{"content":"Three","replyTo":null}}`},
	} {
		if got := w.rendered(test.renderer, three); got != test.want {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// TestAuthorizeAnew: the hub asks again whether a subscription may read, after a reset.
func TestAuthorizeAnew(t *testing.T) {
	w := tea(t)
	spec := w.mustOpen(request{user: "bob", query: `subscription { messageAdded(roomId: "{tea}") { id } }`}).Spec
	access, err := spec.Authorize(t.Context())
	if err != nil || !slices.Equal(access.Readable, spec.Readable) || !access.Readable.Contains(spec.Start.Position.Offset) {
		t.Errorf("got %v, %v", access, err)
	}
	w.must("ada", `mutation { removeMember(input: {roomId: "{tea}", userId: "bob"}) { room { id } } }`)
	if access, err := spec.Authorize(t.Context()); access.Readable != nil || chat.CodeOf(err) != chat.NotFound {
		t.Errorf("after the removal: %v, %v", access, err)
	}
}

// TestBackfill: where the log is trimmed, messageAdded goes on from the messages.
func TestBackfill(t *testing.T) {
	w := tea(t)
	query := `subscription { messageAdded(roomId: "{tea}", after: "{@one}") { content cursor } }`
	opened := w.mustOpen(request{user: "bob", query: query})
	for _, test := range []struct {
		after uint64
		limit int
		want  string
	}{
		{0, 2, "One Two"}, {1, 200, "Two Three"}, {3, 10, ""},
	} {
		pubs, err := opened.Spec.Backfill(t.Context(), test.after, test.limit)
		if err != nil {
			t.Fatal(err)
		}
		var contents []string
		for _, p := range pubs {
			source := delivery.Source{Payload: p.Payload, Cursor: eventlog.Cursor{Kind: eventlog.CursorLog, Log: opened.Spec.Topic, Position: p.Position, Seq: p.Seq}}
			text := w.rendered(opened.Renderer, source)
			contents = append(contents, at(t, []byte(text), "messageAdded.content"))
			if !opened.Spec.Filter.Has(p.Kind) || !strings.Contains(text, `"cursor":"{@`+strings.ToLower(contents[len(contents)-1])) {
				t.Errorf("got %s", text)
			}
		}
		if got := strings.Join(contents, " "); got != test.want {
			t.Errorf("after %d, at most %d: %s", test.after, test.limit, got)
		}
	}
	w.must("ada", `mutation { removeMember(input: {roomId: "{tea}", userId: "bob"}) { room { id } } }`)
	if _, err := opened.Spec.Backfill(t.Context(), 0, 10); chat.CodeOf(err) != chat.NotFound {
		t.Errorf("after the removal: %v", err)
	}
}

// TestStoreFailsWhileRendering: that is the hub's to try again, and never remembered.
func TestStoreFailsWhileRendering(t *testing.T) {
	w := tea(t)
	query := `subscription { messageAdded(roomId: "{tea}") { room { name } content } }`
	opened := w.mustOpen(request{user: "bob", query: query})
	source := w.sources(opened.Spec.Topic, eventlog.Position{})[2]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if payload, err := opened.Renderer.Render(ctx, source); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("given up: got %s, %v", payload, err)
	}
	if got := w.rendered(opened.Renderer, source); got != `{"messageAdded":{"room":{"name":"Tea"},"content":"One"}}` {
		t.Errorf("got %s", got)
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	payload, err := opened.Renderer.Render(t.Context(), source)
	if !errors.Is(err, eventlog.ErrUnavailable) {
		t.Fatalf("closed: got %s, %v", payload, err)
	}
	if got := w.payload(opened.Renderer.RenderFailure(t.Context(), source, err), source); got != "null !UNAVAILABLE at messageAdded" {
		t.Errorf("got %s", got)
	}
	for name, q := range map[string]request{
		"opening":   {user: "bob", query: query},
		"anonymous": {query: query},
	} {
		_, errs := w.open(q)
		if len(errs) != 1 || fmt.Sprint(errs[0].Extensions["code"]) == "INTERNAL" {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

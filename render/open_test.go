package render_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/99designs/gqlgen/graphql/handler/extension"

	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/render"
)

func TestOpenLeavesWhatTheResolverSays(t *testing.T) {
	r := newRig(t)
	after := eventlog.Cursor{Kind: eventlog.CursorLog, Log: "r_1", Seq: 3}
	r.root.open = func(_ context.Context, room string, from *eventlog.Cursor) (render.Spec, error) {
		return render.Spec{Spec: delivery.Spec{Topic: room, Start: *from, Principal: "ada"}}, nil
	}
	r.root.event = func(delivery.Source) (*chat.Message, error) { panic("nothing is rendered while opening") }
	opened := r.mustOpen(request{
		query:     `subscription($after: Cursor) { messageAdded(roomId: "r_1", after: $after) { id room { name } } }`,
		variables: map[string]any{"after": after.String()},
	})
	if opened.Spec.Topic != "r_1" || opened.Spec.Start != after || opened.Spec.Principal != "ada" || opened.Audience != "" {
		t.Errorf("got %+v", opened.Spec)
	}
}

func TestOpenRefuses(t *testing.T) {
	const message = `messageAdded(roomId: "r_1")`
	for name, test := range map[string]struct {
		query string
		want  string
	}{
		"the resolver's error":               {`subscription { messageAdded(roomId: "r_none") { id } }`, "no such room"},
		"an argument that isn't a cursor":    {`subscription { messageAdded(roomId: "r_1", after: "junk") { id } }`, "not a valid cursor"},
		"@defer":                             {`subscription { ` + message + ` { id ... @defer { content } } }`, render.ErrDefer.Error()},
		"@defer that is off":                 {`subscription { ` + message + ` { id ... @defer(if: false) { content } } }`, render.ErrDefer.Error()},
		"@defer on a spread":                 {`subscription { ` + message + ` { id ...F @defer } } fragment F on Message { content }`, render.ErrDefer.Error()},
		"@defer in a fragment of a fragment": {`subscription { ` + message + ` { id ...F } } fragment F on Message { ...G } fragment G on Message { ... @defer { content } }`, render.ErrDefer.Error()},
		"two aliases":                        {`subscription { a: ` + message + ` { id } b: ` + message + ` { id } }`, render.ErrOneField.Error()},
		"two fields":                         {`subscription { ` + message + ` { id } typing(roomId: "r_1") { users { id } } }`, "only one top level field"},
		"a field that is skipped":            {`subscription { ` + message + ` @skip(if: true) { id } }`, render.ErrOneField.Error()},
		"a fragment that isn't included":     {`subscription { ...F @include(if: false) } fragment F on Subscription { ` + message + ` { id } }`, render.ErrOneField.Error()},
		"__typename":                         {`subscription { __typename }`, "introspection top level field"},
		"__typename beside the field":        {`subscription { __typename ` + message + ` { id } }`, "only one top level field"},
		"__schema":                           {`subscription { __schema { types { name } } }`, "Cannot query field"},
		"a panic of the resolver":            {`subscription { messageAdded(roomId: "r_panic") { id } }`, "recovered"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			fine := r.root.open
			r.root.open = func(ctx context.Context, room string, after *eventlog.Cursor) (render.Spec, error) {
				switch room {
				case "r_none":
					return render.Spec{}, errors.New("no such room")
				case "r_panic":
					panic("!")
				}
				return fine(ctx, room, after)
			}
			opened, errs := r.tryOpen(request{query: test.query})
			if opened != nil || len(errs) == 0 || !strings.Contains(errs[0], test.want) {
				t.Errorf("got %v, %q", opened, errs)
			}
		})
	}
}

func TestOpenIsChargedForComplexityAndRenderingIsNot(t *testing.T) {
	r := newRig(t)
	query := request{query: `subscription { messageAdded(roomId: "r_1") { id content } }`}
	r.exec.Use(extension.FixedComplexityLimit(2))
	if _, errs := r.tryOpen(query); len(errs) != 1 || !strings.Contains(errs[0], "complexity") {
		t.Errorf("got %q", errs)
	}
	r = newRig(t)
	r.exec.Use(extension.FixedComplexityLimit(3))
	r.render(r.mustOpen(query).Renderer, hello())
}

// TestGroups: who shares a rendering. Each case lists requests and, for each, the group it is in.
func TestGroups(t *testing.T) {
	const byVariable = `subscription S($room: ID!, $after: Cursor, $long: Boolean = false) {
		messageAdded(roomId: $room, after: $after) { id content @include(if: $long) } }`
	with := func(pairs ...any) map[string]any {
		variables := map[string]any{"room": "r_1"}
		for i := 0; i < len(pairs); i += 2 {
			variables[pairs[i].(string)] = pairs[i+1]
		}
		return variables
	}
	cursor := func(seq uint64) string {
		return eventlog.Cursor{Kind: eventlog.CursorLog, Log: "r_1", Seq: seq}.String()
	}
	const personal = `subscription { messageAdded(roomId: "r_1") { id replyTo { id } } }`
	const inFragment = `subscription($after: Cursor) { ...F } fragment F on Subscription { messageAdded(roomId: "r_1", after: $after) { id } }`
	const nested = `subscription($after: Cursor) { messageAdded(roomId: "r_1", after: $after) { id room { messages(after: $after) { cursor } } } }`
	const twoOperations = `subscription A { messageAdded(roomId: "r_1") { id } } subscription B { messageAdded(roomId: "r_1") { id } }`
	for name, test := range map[string]struct {
		requests []request
		groups   string
	}{
		"different viewers": {[]request{
			{viewer: "ada", query: byVariable, variables: with()}, {viewer: "bob", query: byVariable, variables: with()},
		}, "aa"},
		"a default, given and not": {[]request{
			{query: byVariable, variables: with()}, {query: byVariable, variables: with("long", false)}, {query: byVariable, variables: with("long", true)},
		}, "aab"},
		"null is not nothing": {[]request{
			{query: byVariable, variables: with()}, {query: byVariable, variables: with("long", nil)},
		}, "ab"},
		"variables that the operation hasn't": {[]request{
			{query: byVariable, variables: with()}, {query: byVariable, variables: with("other", 1)},
		}, "aa"},
		"different rooms": {[]request{
			{query: byVariable, variables: with()}, {query: byVariable, variables: with("room", "r_2")},
		}, "ab"},
		"where they start": {[]request{
			{query: byVariable, variables: with("after", cursor(1))}, {query: byVariable, variables: with("after", cursor(2))}, {query: byVariable, variables: with()},
		}, "aaa"},
		"where they start, in a fragment": {[]request{
			{query: inFragment, variables: map[string]any{"after": cursor(1)}}, {query: inFragment, variables: map[string]any{"after": cursor(2)}},
		}, "aa"},
		"where they start, used elsewhere too": {[]request{
			{viewer: "ada", query: nested, variables: map[string]any{"after": cursor(1)}}, {viewer: "ada", query: nested, variables: map[string]any{"after": cursor(2)}},
		}, "ab"},
		"different documents": {[]request{
			{query: byVariable, variables: with()}, {query: byVariable + " ", variables: with()},
		}, "ab"},
		"several operations in one document": {[]request{
			{query: twoOperations, operation: "A"}, {query: twoOperations, operation: "B"}, {query: twoOperations, operation: "A"},
		}, "aba"},
		"a field that depends on the viewer": {[]request{
			{viewer: "ada", query: personal}, {viewer: "bob", query: personal}, {viewer: "ada", query: personal},
		}, "aba"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			var groups []string
			var got strings.Builder
			var kept []*render.Opened
			for _, q := range test.requests {
				opened := r.mustOpen(q)
				at := slices.Index(groups, opened.Group)
				if at < 0 {
					at = len(groups)
					groups = append(groups, opened.Group)
				}
				got.WriteByte("abc"[at])
				kept = append(kept, opened)
			}
			if got.String() != test.groups {
				t.Errorf("groups are %s, not %s", got.String(), test.groups)
			}
			checkShared(t, kept)
		})
	}
}

// checkShared: one group of everyone's has one renderer, and no other two have.
func checkShared(t *testing.T, all []*render.Opened) {
	t.Helper()
	for i, a := range all {
		for _, b := range all[:i] {
			if shared := a.Renderer == b.Renderer; shared != (a.Group == b.Group && a.Audience == "") {
				t.Errorf("renderers shared: %v, but groups %q and %q", shared, a.Group, b.Group)
			}
		}
	}
}

// TestAudience: which selections make a rendering personal.
func TestAudience(t *testing.T) {
	for name, test := range map[string]struct {
		query    string
		personal bool
	}{
		"nothing marked":           {`subscription { messageAdded(roomId: "r_1") { id room { name } } }`, false},
		"a marked field":           {`subscription { messageAdded(roomId: "r_1") { replyTo { id } } }`, true},
		"an alias":                 {`subscription { messageAdded(roomId: "r_1") { id x: replyTo { id } } }`, true},
		"deep":                     {`subscription { messageAdded(roomId: "r_1") { room { viewerUnreadCount } } }`, true},
		"in a fragment":            {`subscription { messageAdded(roomId: "r_1") { ...F } } fragment F on Message { ...G } fragment G on Message { replyTo { id } }`, true},
		"skipped":                  {`subscription { messageAdded(roomId: "r_1") { id replyTo @skip(if: true) { id } } }`, true},
		"in an inline fragment":    {`subscription { roomEvents(roomId: "r_1") { at ... on MessageSent { message { replyTo { id } } } } }`, true},
		"of an interface":          {`subscription { roomEvents(roomId: "r_1") { at actor { id } } }`, false},
		"below an interface":       {`subscription { roomEvents(roomId: "r_1") { room { typing { id } } } }`, true},
		"in a fragment at the top": {`subscription { ...F } fragment F on Subscription { messageAdded(roomId: "r_1") { replyTo { id } } }`, true},
	} {
		t.Run(name, func(t *testing.T) {
			opened := newRig(t).mustOpen(request{viewer: "ada", query: test.query})
			want := ""
			if test.personal {
				want = "user:ada"
			}
			if opened.Audience != want {
				t.Errorf("the audience is %q", opened.Audience)
			}
		})
	}
	t.Run("marked in one implementor, selected on the interface", func(t *testing.T) {
		r := newRig(t, "  \"Who left.\"\n  actor: User", "  \"Who left.\"\n  actor: User @viewer")
		opened := r.mustOpen(request{viewer: "ada", query: `subscription { roomEvents(roomId: "r_1") { actor { id } } }`})
		if opened.Audience != "user:ada" {
			t.Errorf("the audience is %q", opened.Audience)
		}
	})
	t.Run("marked in the interface", func(t *testing.T) {
		r := newRig(t, "  \"Who did it; null for the server.\"\n  actor: User", "  \"Who did it; null for the server.\"\n  actor: User @viewer")
		opened := r.mustOpen(request{viewer: "ada", query: `subscription { roomEvents(roomId: "r_1") { actor { id } } }`})
		if opened.Audience != "user:ada" {
			t.Errorf("the audience is %q", opened.Audience)
		}
	})
}

// TestConcurrentOpening: those who come at the same time share too.
func TestConcurrentOpening(t *testing.T) {
	r := newRig(t)
	opened := make([]*render.Opened, 50)
	var all sync.WaitGroup
	for i := range opened {
		all.Go(func() {
			opened[i], _ = r.tryOpen(request{query: `subscription { messageAdded(roomId: "r_1") { id } }`})
		})
	}
	all.Wait()
	for _, o := range opened {
		if o == nil || o.Renderer != opened[0].Renderer || o.Group != opened[0].Group {
			t.Fatalf("got %+v", o)
		}
	}
}

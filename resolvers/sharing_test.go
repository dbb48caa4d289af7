package resolvers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"parley/chat"
	"parley/delivery"
	"parley/render"
)

// scaled returns the reduced or, for `make prove`, the full count.
func scaled(reduced, full int) int {
	if os.Getenv("PARLEY_PROVE") == "1" {
		return full
	}
	return reduced
}

// tally is what a run of the property has seen.
type tally struct {
	everyone, history, personal int // documents, by whom their renderings are shared with
	together, apart             int // pairs of readers of a document that reaches the history
	renderings                  int // compared
	differing                   int // events that look different to different viewers
	moved                       int // shared renderings whose audience may read something else by now
	late                        int // renderings for one whose access had ended by then
	refused                     int // shared renderings that turned out to depend on the viewer
	states                      int // values of typing and presence rendered

	mu       sync.Mutex     // guards resolved, for fields are resolved at once
	resolved map[string]int // fields, as Type.field
	used     map[string]int // constructs of the language
}

func (c *tally) String() string {
	return fmt.Sprintf("documents shared by everyone %d, by history %d, by nobody %d; pairs of readers that share a history %d, that don't %d; "+
		"%d renderings compared, %d of them of states; %d events differ between viewers; %d audiences had moved, %d access had ended, %d refused",
		c.everyone, c.history, c.personal, c.together, c.apart, c.renderings, c.states, c.differing, c.moved, c.late, c.refused)
}

func newTally() *tally { return &tally{resolved: map[string]int{}, used: map[string]int{}} }

// TestSharedRendering: over random documents, variables, rooms and viewers, what viewers share is,
// byte by byte, what each of them would get alone, also while memberships and the room's settings
// change; and what depends on the viewer isn't shared.
func TestSharedRendering(t *testing.T) {
	seen := newTally()
	byHistory := func(field string) bool { return field == "messages" || field == "replyTo" }
	each := slices.Sorted(maps.Keys(personal))
	for n := range scaled(150, 10_000) {
		seen.check(t, n, [...]func(string) bool{
			func(string) bool { return true }, byHistory, func(string) bool { return false },
			func(field string) bool { return field == each[n/4%len(each)] }, // no other one covers up for it
		}[n%4])
	}
	t.Log(seen)
	if seen.refused != 0 {
		t.Error("a field lacks its @viewer")
	}
	if min(seen.everyone, seen.history, seen.personal, seen.together, seen.apart, seen.differing, seen.moved, seen.late, seen.states) == 0 {
		t.Error("the test has seen too little")
	}
	seen.covers(t, newClub(t, newCompany()).schema)
}

// covers fails unless everything that a subscription can ask for was resolved, and every construct of the language used.
func (c *tally) covers(t *testing.T, schema *ast.Schema) {
	t.Helper()
	var missing []string
	fields := reachable(schema, schema.Subscription)
	for _, field := range fields {
		if c.resolved[field] == 0 {
			missing = append(missing, field)
		}
	}
	for _, construct := range constructs {
		if c.used[construct] == 0 {
			missing = append(missing, construct)
		}
	}
	t.Logf("%d fields that subscriptions reach, %d constructs: %v", len(fields), len(constructs), c.used)
	if len(missing) > 0 {
		t.Errorf("never tried: %v", missing)
	}
}

// reachable are the fields that are reached from a type, as Type.field.
func reachable(schema *ast.Schema, from *ast.Definition) (fields []string) {
	known := map[string]bool{}
	var visit func(*ast.Definition)
	visit = func(on *ast.Definition) {
		if known[on.Name] {
			return
		}
		known[on.Name] = true
		if on.IsAbstractType() {
			for _, possible := range schema.GetPossibleTypes(on) {
				visit(possible)
			}
			return
		}
		for _, f := range on.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			fields = append(fields, on.Name+"."+f.Name)
			if result := schema.Types[f.Type.Name()]; result.IsCompositeType() {
				visit(result)
			}
		}
	}
	visit(from)
	return fields
}

// TestSharedRenderingNeedsEachMark: with any one @viewer taken out of the schema, documents that
// reach the field are found out when they are rendered, and everybody gets their own after all.
func TestSharedRenderingNeedsEachMark(t *testing.T) {
	for field, edit := range map[string][2]string{
		"Room.messages":          {"): MessageConnection! @viewer(by: HISTORY)", "): MessageConnection!"},
		"Room.members":           {"): RoomMemberConnection! @viewer", "): RoomMemberConnection!"},
		"Room.typing":            {"typing: [User!]! @viewer", "typing: [User!]!"},
		"Room.viewerMembership":  {"viewerMembership: RoomMember @viewer", "viewerMembership: RoomMember"},
		"Room.viewerUnreadCount": {"viewerUnreadCount: Int! @viewer", "viewerUnreadCount: Int!"},
		"Message.replyTo":        {"replyTo: Message @viewer(by: HISTORY)", "replyTo: Message"},
	} {
		t.Run(field, func(t *testing.T) {
			seen := newTally()
			_, name, _ := strings.Cut(field, ".")
			for n := 0; seen.refused == 0 && n < 200; n++ {
				seen.check(t, n, func(marked string) bool { return marked == name }, edit[0], edit[1])
			}
			t.Log(seen)
			if seen.refused == 0 {
				t.Error("nobody noticed")
			}
		})
	}
}

// TestMarkedFields: the author knows which fields depend on the viewer, as the schema does.
func TestMarkedFields(t *testing.T) {
	for _, definition := range newClub(t, newCompany()).schema.Types {
		for _, f := range definition.Fields {
			marked := f.Directives.ForName("viewer") != nil
			if fine := definition.Name == "Room" || definition.Name == "Message"; fine && marked != personal[f.Name] || !fine && marked {
				t.Errorf("%s.%s: marked is %v", definition.Name, f.Name, marked)
			}
		}
	}
}

// documentsPerRoom is how many documents are tried on one random room.
const documentsPerRoom = 20

// rooms are the random rooms of a test, by number and edits of the schema.
var rooms = map[string]*history{}

// check tries the n-th random document, with those of the fields that depend on the viewer.
func (c *tally) check(t *testing.T, n int, with func(field string) bool, edits ...string) {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(n), 2026))
	room := fmt.Sprint(t.Name(), n/documentsPerRoom)
	if rooms[room] == nil {
		clear(rooms)
		rooms[room] = randomHistory(t, rand.New(rand.NewPCG(uint64(n/documentsPerRoom), 7)), edits...)
		rooms[room].exec.AroundFields(c.resolve)
	}
	h := rooms[room]
	h.Rand = random
	document := (&author{Rand: random, schema: h.schema, room: h.room, cursors: h.cursors, personal: with, used: c.used}).subscription()
	var readers []*reader
	for _, user := range h.readers() {
		opened := h.mustOpen(document.by(user))
		readers = append(readers, &reader{user: user, opened: opened, sharing: opened.Sharing, alone: h.alone(document.by(user))})
	}
	c.group(h, readers)
	for _, source := range h.someSources(readers[0].opened.Spec) {
		c.compare(h, readers, source)
	}
	c.changing(h, readers)
	if t.Failed() {
		t.Fatalf("document %d:\n%s\n%v", n, document.query, document.variables)
	}
}

// resolve counts a field that is resolved.
func (c *tally) resolve(ctx context.Context, next graphql.Resolver) (any, error) {
	field := graphql.GetFieldContext(ctx)
	c.mu.Lock()
	c.resolved[field.Object+"."+field.Field.Name]++
	c.mu.Unlock()
	return next(ctx)
}

func (q request) by(user string) request {
	q.user = user
	return q
}

// reader is a viewer of a document.
type reader struct {
	user    string
	opened  *render.Opened
	sharing delivery.Sharing
	alone   delivery.Renderer
	// ended is the entry by which the viewer's access has ended since; 0 for none.
	ended uint64
}

// group looks at who shares with whom: everybody, nobody, or those who may read the same.
func (c *tally) group(h *history, readers []*reader) {
	h.Helper()
	byHistory := readers[0].opened.Share != nil
	personal := strings.HasPrefix(readers[0].sharing.Audience, "user:") ||
		strings.HasPrefix(readers[0].opened.Spec.Topic, "presence-of-users/") // a feed for each viewer
	switch {
	case byHistory:
		c.history++
	case personal:
		c.personal++
	default:
		c.everyone++
	}
	for i, a := range readers {
		for _, b := range readers[:i] {
			same := a.sharing.Group == b.sharing.Group
			want := !personal && (!byHistory || h.readAlike(a.user, b.user))
			if same != want || same && a.sharing.Renderer != b.sharing.Renderer {
				h.Errorf("%s and %s share: %v, with %q and %q", a.user, b.user, same, a.sharing.Audience, b.sharing.Audience)
			}
			switch {
			case byHistory && same:
				c.together++
			case byHistory:
				c.apart++
			}
		}
	}
}

// readAlike reports whether two viewers have come between the same messages, and never left.
func (h *history) readAlike(a, b string) bool {
	h.Helper()
	all, one := h.access(a), h.access(b)
	return len(all.Readable) == 1 && len(one.Readable) == 1 &&
		(all.Room.History == chat.HistoryAll || all.Member.JoinedSeq == one.Member.JoinedSeq)
}

// compare renders an event for all readers of a document together and for each alone.
func (c *tally) compare(h *history, readers []*reader, source delivery.Source) {
	h.Helper()
	var seen []string
	for _, r := range readers {
		if r.ended > 0 && (r.opened.Spec.State != nil || source.Cursor.Position.Offset > r.ended) {
			continue
		}
		if r.opened.Spec.State != nil {
			c.states++
		}
		alone := payload(h, r.alone, source)
		together, ok := c.render(h, r, source)
		switch {
		case !ok:
		case h.access(r.user).Member == nil:
			c.late++
			h.hides(r, source, together)
		case canonical(h, together) != alone:
			h.Errorf("for %s (%q)\ntogether %s\nalone    %s", r.user, r.sharing.Audience, canonical(h, together), alone)
		}
		c.renderings++
		seen = append(seen, alone)
	}
	if len(slices.Compact(seen)) > 1 {
		c.differing++
	}
}

// render renders an event as the hub does for somebody of a group; false for one who may no longer
// see it.
func (c *tally) render(h *history, r *reader, source delivery.Source) ([]byte, bool) {
	h.Helper()
	text, err := rendered(h.Context(), r.sharing.Renderer, source)
	if errors.Is(err, delivery.ErrAudienceMoved) {
		c.moved++
		access, err := r.opened.Spec.Authorize(h.Context())
		if err != nil {
			return nil, false
		}
		r.sharing = r.opened.Share(access)
		return c.render(h, r, source)
	}
	if errors.Is(err, delivery.ErrNotShareable) {
		c.refused++
		text, err = r.opened.Personal.Render(h.Context(), source)
	}
	if err != nil {
		h.Error(err)
	}
	return text, true
}

// changing compares what happens next, after more has happened.
func (c *tally) changing(h *history, readers []*reader) {
	h.Helper()
	tail := h.access("ada").Room.Tail
	for range 8 {
		h.happen()
	}
	if h.IntN(3) == 0 {
		h.turn()
	}
	next := h.sources(h.room, tail)
	for _, source := range slices.Backward(next) {
		event, ok := source.Payload.(*chat.Event)
		if !ok || event.Kind != chat.KindMemberLeft && event.Kind != chat.KindMemberRemoved {
			continue
		}
		for _, r := range readers {
			if r.user == event.Member.User.ID {
				r.ended = event.Position.Offset
			}
		}
	}
	if readers[0].opened.Spec.State != nil {
		next = h.states(readers[0].opened.Spec)
	}
	for _, source := range next {
		if readers[0].opened.Spec.State != nil {
			c.compare(h, readers, source)
		} else if event, ok := source.Payload.(*chat.Event); ok && readers[0].opened.Spec.Filter.Has(event.Kind) {
			c.compare(h, readers, source)
		}
	}
	h.add("ada", "bob")
}

// hides fails if a rendering shows a message that was sent after its reader's access had ended.
func (h *history) hides(r *reader, source delivery.Source, text []byte) {
	h.Helper()
	for _, later := range h.sources(h.room, source.Cursor.Position) {
		event, ok := later.Payload.(*chat.Event)
		if ok && event.Kind == chat.KindMessageSent && event.Position.Offset > r.ended && bytes.Contains(text, []byte(event.Message.ID())) {
			h.Errorf("%s, whose access ended at %d, is shown %s: %s", r.user, r.ended, event.Message.ID(), text)
		}
	}
}

// alone opens the document where nobody else has opened it, and returns the renderer of this viewer,
// by whose access everything is judged: there every mark is one of the viewer's.
func (h *history) alone(q request) delivery.Renderer {
	h.Helper()
	if h.lonely == nil {
		lonely := *h.world
		lonely.assemble(h.resolver, "@viewer(by: HISTORY)", "@viewer", "@viewer(by: HISTORY)", "@viewer")
		lonely.opener.Plain = nil // all is the executor's
		h.lonely = &lonely
	}
	return h.lonely.mustOpen(q).Personal
}

func payload(h *history, r delivery.Renderer, source delivery.Source) string {
	h.Helper()
	text, err := r.Render(h.Context(), source)
	if err != nil {
		h.Error(err)
	}
	return canonical(h, text)
}

var timestamps = regexp.MustCompile(`"\d{4}-[^"]*Z"`)

// canonical is a payload but for what differs from one rendering to the next: the order of errors,
// and when a reset was noticed, which no store knows.
func canonical(h *history, payload []byte) string {
	h.Helper()
	text := string(timestamps.ReplaceAllFunc(payload, func(stamp []byte) []byte {
		if string(stamp[1:5]) > yesteryear().AddDate(1, 0, 0).Format("2006") {
			return []byte(`"now"`)
		}
		return stamp
	}))
	if !strings.Contains(text, `,"errors":[`) {
		return text
	}
	var response struct {
		Data, Extensions json.RawMessage
		Errors           []json.RawMessage
	}
	unmarshal(h, []byte(text), &response)
	slices.SortFunc(response.Errors, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
	return fmt.Sprintf("%s %s %s", response.Data, response.Extensions, response.Errors)
}

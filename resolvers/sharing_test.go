package resolvers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

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
	shared, personal int // documents
	renderings       int // compared
	differing        int // events that look different to different viewers
	refused          int // shared renderings that turned out to depend on the viewer
}

// TestSharedRendering: over random documents, variables, rooms and viewers, what viewers share is,
// byte by byte, what each of them would get alone; and what depends on the viewer isn't shared.
func TestSharedRendering(t *testing.T) {
	var seen tally
	for n := range scaled(200, 2000) {
		seen.check(t, n, func(string) bool { return n%2 == 0 })
	}
	t.Logf("%+v", seen)
	if seen.shared == 0 || seen.personal == 0 || seen.differing == 0 || seen.refused != 0 {
		t.Errorf("the test has seen too little, or a field without its @viewer: %+v", seen)
	}
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
			var seen tally
			_, name, _ := strings.Cut(field, ".")
			for n := 0; seen.refused == 0 && n < 200; n++ {
				seen.check(t, n, func(marked string) bool { return marked == name }, edit[0], edit[1])
			}
			t.Logf("%+v", seen)
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
	}
	h := rooms[room]
	h.Rand = random
	document := (&author{Rand: random, schema: h.schema, room: h.room, cursors: h.cursors, personal: with}).subscription()
	readers := h.readers()
	opened := make([]*render.Opened, len(readers))
	for i, user := range readers {
		opened[i] = h.mustOpen(document.by(user))
	}
	c.compare(h, document, readers, opened)
	if t.Failed() {
		t.Fatalf("document %d, of %v:\n%s\n%v", n, readers, document.query, document.variables)
	}
}

func (q request) by(user string) request {
	q.user = user
	return q
}

// compare renders some events for all readers of a document together and for each alone.
func (c *tally) compare(h *history, document request, readers []string, opened []*render.Opened) {
	h.Helper()
	shareable := opened[0].Spec.Audience == ""
	if shareable {
		c.shared++
	} else {
		c.personal++
	}
	groups := map[string]bool{}
	for _, o := range opened {
		groups[o.Group] = true
	}
	if want := map[bool]int{true: 1, false: len(readers)}[shareable]; len(groups) != want {
		h.Errorf("%d readers are in %d groups", len(readers), len(groups))
	}
	alone := make([]delivery.Renderer, len(readers))
	for i, user := range readers {
		alone[i] = h.alone(document.by(user))
	}
	for _, source := range h.someSources(opened[0].Spec) {
		var seen []string
		for i, user := range readers {
			alone := payload(h, alone[i], source)
			together, err := opened[i].Renderer.Render(h.Context(), source)
			if errors.Is(err, delivery.ErrNotShareable) {
				c.refused++
				together, err = opened[i].Personal.Render(h.Context(), source)
			}
			if got := canonical(h, together); err != nil || got != alone {
				h.Errorf("for %s: %v\ntogether %s\nalone    %s", user, err, got, alone)
			}
			c.renderings++
			seen = append(seen, alone)
		}
		if len(slices.Compact(seen)) > 1 {
			c.differing++
		}
	}
}

// alone opens the document where nobody else has opened it, and returns the renderer of this viewer.
func (h *history) alone(q request) delivery.Renderer {
	h.Helper()
	lonely := *h.world
	lonely.opener = render.NewOpener(h.schema, nil)
	return lonely.mustOpen(q).Personal
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

package resolvers_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/delivery"
	"parley/eventlog"
)

const pages = `subscription { messageAdded(roomId: "{tea}") { content room {
	messages(last: 2) { edges { node { content } } pageInfo { hasNextPage } cursor } } } }`

// TestEventReachesUpToItself: what an event shows of the history ends with the event, whenever it is
// rendered and for whomever, so that one who has left since sees nothing newer.
func TestEventReachesUpToItself(t *testing.T) {
	w := tea(t)
	ada, bob := w.mustOpen(request{user: "ada", query: pages}), w.mustOpen(request{user: "bob", query: pages})
	personal := w.mustOpen(request{user: "ada", query: strings.Replace(pages, "content room {", "content room { viewerMembership { role }", 1)})
	if ada.Group != bob.Group || ada.Renderer != bob.Renderer || ada.Audience != "" {
		t.Errorf("ada's audience is %q, bob's %q", ada.Audience, bob.Audience)
	}
	w.say("ada", "{tea}", "Fourth", "fourth")
	w.must("bob", `mutation { leaveRoom(input: {roomId: "{tea}"}) { room { id } } }`)
	w.say("ada", "{tea}", "Secret", "secret")
	next := w.sources(w.names["{tea}"], ada.Spec.Start.Position)
	for i, want := range map[int]string{0: "Three Fourth", 2: "Fourth Secret"} {
		contents := strings.Fields(want)
		page := fmt.Sprintf(`"messages":{"edges":[{"node":{"content":%q}},{"node":{"content":%q}}],"pageInfo":{"hasNextPage":false},"cursor":%q}`,
			contents[0], contents[1], next[i].Cursor)
		for name, renderer := range map[string]delivery.Renderer{"shared": bob.Renderer, "alone": ada.Personal, "personal": personal.Renderer} {
			payload, err := renderer.Render(t.Context(), next[i])
			if err != nil || !strings.Contains(string(payload), page) {
				t.Errorf("%s, event %d: %s, %v; want %s", name, i, payload, err, page)
			}
		}
	}
}

// TestHistorySettingMoves: who shared with everybody is told apart once the room hides its history
// from newcomers, and back.
func TestHistorySettingMoves(t *testing.T) {
	w := tea(t)
	w.must("ada", `mutation { addMember(input: {roomId: "{tea}", userId: "cyd"}) { room { id } } }`)
	w.must("ada", `mutation { addMember(input: {roomId: "{tea}", userId: "dan"}) { room { id } } }`)
	set := func(history string) {
		w.must("ada", `mutation { updateRoom(input: {roomId: "{tea}", history: `+history+`}) { room { id } } }`)
	}
	users := []string{"ada", "bob", "cyd", "dan"}
	sharing, authorize := map[string]delivery.Sharing{}, map[string]func() delivery.Sharing{}
	for _, user := range users {
		opened := w.mustOpen(request{user: user, query: pages})
		sharing[user] = opened.Sharing
		authorize[user] = func() delivery.Sharing {
			access, err := opened.Spec.Authorize(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return opened.Share(access)
		}
	}
	w.say("ada", "{tea}", "Fourth", "fourth")
	sources := w.sources(w.names["{tea}"], eventlog.Position{})
	last := sources[len(sources)-1]
	// shows fails unless each user is in the group named, after a change of the setting, and whoever is
	// in the first one sees what was said before all had come.
	shows := func(setting, groups string) {
		t.Helper()
		var seen []string
		for i, user := range users {
			if _, err := sharing[user].Renderer.Render(t.Context(), last); setting != "" && !errors.Is(err, delivery.ErrAudienceMoved) {
				t.Errorf("after %s, %s's old rendering: %v", setting, user, err)
			}
			sharing[user] = authorize[user]()
			payload, err := sharing[user].Renderer.Render(t.Context(), last)
			if err != nil || strings.Contains(string(payload), `"content":"Three"`) != (groups[i] == 'a') {
				t.Errorf("after %s, %s sees %s, %v", setting, user, payload, err)
			}
			if !slices.Contains(seen, sharing[user].Group) {
				seen = append(seen, sharing[user].Group)
			}
			if at := slices.Index(seen, sharing[user].Group); groups[i] != "abcd"[at] {
				t.Errorf("after %s, %s is in group %d, not as in %s", setting, user, at, groups)
			}
		}
	}
	shows("", "aaaa")
	set("SINCE_JOINED")
	shows("SINCE_JOINED", "aabb")
	set("ALL")
	shows("ALL", "aaaa")
}

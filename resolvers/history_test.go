package resolvers_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/presence"
)

var everybody = []string{"ada", "bob", "cyd", "dan", "eve"}

// history is a room in which a good deal has happened, by chance.
type history struct {
	*world
	*rand.Rand
	room    string
	cursors []string
	ids     []string
	lonely  *world // where nobody shares
}

// randomHistory makes a room of ada's, who stays its owner, and lets the others come, go, write and
// change things; sometimes they may not, which is part of life.
func randomHistory(t testing.TB, random *rand.Rand, edits ...string) *history {
	h := &history{world: newWorld(t, edits...), Rand: random}
	visible := []chat.RoomHistory{chat.HistoryAll, chat.HistorySinceJoined}[random.IntN(2)]
	room, err := h.resolver.Chat.CreateRoom(t.Context(), chat.User{ID: "ada", Name: "Ada"}, chat.CreateRoom{
		Type: chat.Group, Visibility: chat.Private, History: visible, Metadata: []byte(`{"a":[1,"\u2028<>"]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.room = room.ID
	h.add("ada", "bob")
	for range 60 {
		h.happen()
	}
	h.add("ada", "bob")
	for _, user := range []string{"ada", "bob"} {
		if err := h.store.SetTyping(t.Context(), h.room, presence.User{ID: user}, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	for _, source := range h.sources(h.room, eventlog.Position{}) {
		h.cursors = append(h.cursors, source.Cursor.String())
	}
	return h
}

// happen lets one thing happen that is allowed, or is refused.
func (h *history) happen() {
	h.Helper()
	ctx, service := h.Context(), h.resolver.Chat
	who := chat.User{ID: everybody[h.IntN(len(everybody))]}
	whom := everybody[1+h.IntN(len(everybody)-1)]
	id := ""
	if len(h.ids) > 0 {
		id = h.ids[h.IntN(len(h.ids))]
	}
	var err error
	switch h.IntN(12) {
	case 0, 1, 2, 3:
		send := chat.SendMessage{RoomID: h.room, Content: fmt.Sprintf("%d \"\n<&\u2028é\U0001f600", h.Int()), ClientID: fmt.Sprint(h.Int())}
		if h.IntN(2) == 0 {
			send.ReplyToID = id
		}
		var sent chat.Sent
		if sent, err = service.SendMessage(ctx, who, send); err == nil {
			h.ids = append(h.ids, sent.ID())
		}
	case 4:
		_, err = service.EditMessage(ctx, who, id, fmt.Sprint("edited ", h.Int()))
	case 5:
		_, err = service.DeleteMessage(ctx, who, id)
	case 6:
		h.add("ada", whom)
	case 7:
		_, err = service.RemoveMember(ctx, who, h.room, whom)
	case 8:
		_, err = service.LeaveRoom(ctx, chat.User{ID: whom}, h.room)
	case 9:
		_, err = service.SetRole(ctx, chat.User{ID: "ada"}, h.room, whom, []chat.Role{chat.Owner, chat.Admin, chat.Ordinary}[h.IntN(3)])
	case 10:
		name := fmt.Sprint("Room ", h.Int())
		_, err = service.UpdateRoom(ctx, who, chat.UpdateRoom{RoomID: h.room, Name: chat.Optional[string]{Set: true, Value: &name}})
	case 11:
		_, _, err = service.MarkRead(ctx, who, h.room, 1+h.IntN(5))
	}
	switch chat.CodeOf(err) {
	case "", chat.Forbidden, chat.NotFound, chat.BadInput, chat.Conflict:
	default:
		h.Fatal(err)
	}
}

func (h *history) add(actor, user string) {
	h.Helper()
	_, _, err := h.resolver.Chat.AddMember(h.Context(), chat.User{ID: actor}, h.room, user, chat.Ordinary)
	if code := chat.CodeOf(err); code != "" && code != chat.Conflict && code != chat.Forbidden && code != chat.NotFound {
		h.Fatal(err)
	}
}

// turn changes what newcomers may read.
func (h *history) turn() {
	h.Helper()
	setting := chat.HistoryAll
	if h.access("ada").Room.History == setting {
		setting = chat.HistorySinceJoined
	}
	change := chat.UpdateRoom{RoomID: h.room, History: chat.Optional[chat.RoomHistory]{Set: true, Value: &setting}}
	if _, err := h.resolver.Chat.UpdateRoom(h.Context(), chat.User{ID: "ada"}, change); err != nil {
		h.Fatal(err)
	}
}

// access is what somebody may see of the room; nothing for a stranger.
func (h *history) access(user string) chat.Access {
	h.Helper()
	access, err := h.resolver.Chat.Access(h.Context(), user, h.room)
	if err != nil && chat.CodeOf(err) != chat.NotFound {
		h.Fatal(err)
	}
	return access
}

// readers are those who may follow the room now.
func (h *history) readers() (readers []string) {
	h.Helper()
	for _, user := range everybody {
		if h.access(user).Member != nil {
			readers = append(readers, user)
		}
	}
	return readers
}

// someSources are a few of the entries that a subscription shows, and a reset where it does.
func (h *history) someSources(spec delivery.Spec) []delivery.Source {
	h.Helper()
	if spec.State != nil {
		return h.states(spec)
	}
	var shown []delivery.Source
	for _, source := range h.sources(h.room, eventlog.Position{}) {
		if event, ok := source.Payload.(*chat.Event); ok && spec.Filter.Has(event.Kind) {
			shown = append(shown, source)
		}
	}
	h.Shuffle(len(shown), func(i, j int) { shown[i], shown[j] = shown[j], shown[i] })
	slices.SortStableFunc(shown, rarer(shown)) // different ones first
	shown = shown[:min(len(shown), 5)]
	if spec.ShowReset {
		shown = append(shown, delivery.Source{Payload: eventlog.Reset{Log: h.room, Reason: eventlog.HistoryLost}, Cursor: spec.Start})
	}
	return shown
}

// rarer sorts events by how many of their kind come before them.
func rarer(events []delivery.Source) func(a, b delivery.Source) int {
	kinds, place := map[eventlog.Kind]int{}, map[delivery.Source]int{}
	for _, source := range events {
		kind := source.Payload.(*chat.Event).Kind
		place[source] = kinds[kind]
		kinds[kind]++
	}
	return func(a, b delivery.Source) int { return place[a] - place[b] }
}

// states are values that a subscription to typing or presence shows.
func (h *history) states(spec delivery.Spec) []delivery.Source {
	if spec.Topic == eventlog.TypingTopic(h.room) {
		typing := presence.Typing{RoomID: h.room}
		for _, user := range everybody {
			if h.IntN(2) == 0 {
				typing.Users = append(typing.Users, presence.User{ID: user, Name: strings.ToUpper(user)})
			}
		}
		return []delivery.Source{{Payload: &typing}}
	}
	seen := yesteryear()
	status := []presence.Status{presence.Online, presence.Away, presence.Busy, presence.Offline}[h.IntN(4)]
	there := presence.Presence{User: presence.User{ID: everybody[h.IntN(len(everybody))]}, Status: status, LastSeenAt: &seen}
	return []delivery.Source{{Payload: &there}}
}

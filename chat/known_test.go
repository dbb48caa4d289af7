package chat_test

import (
	"testing"

	"parley/chat"
)

// TestWhoSendsAgainIsKnown: a membership is read once, and again when it may have changed.
func TestWhoSendsAgainIsKnown(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	w.add(ada, room.ID, bob, chat.Ordinary)
	read := func(what string, want int64, call func()) {
		t.Helper()
		before := w.store.views.Load()
		call()
		if n := w.store.views.Load() - before; n != want {
			t.Errorf("%s: read %d times, want %d", what, n, want)
		}
	}
	send := func() { w.send(bob, room.ID, "hi") }
	read("the first time", 1, send)
	read("again", 0, send)
	first := w.send(bob, room.ID, "first")
	read("an answer, to what is there now", 1, func() {
		_, err := w.SendMessage(t.Context(), bob, chat.SendMessage{RoomID: room.ID, Content: "hi", ReplyToID: first.ID()})
		w.must(err)
	})
	bob := bob
	bob.Name = "Robert"
	read("under another name", 0, func() { w.send(bob, room.ID, "hi") })
	_, err := w.SetRole(t.Context(), ada, room.ID, bob.ID, chat.Admin)
	w.must(err)
	read("in another role", 1, send)

	w.remove(ada, room.ID, bob)
	for range 2 {
		read("after being removed", 1, func() {
			_, err := w.SendMessage(t.Context(), bob, chat.SendMessage{RoomID: room.ID, Content: "still here?"})
			w.refused("after being removed", err, "NOT_FOUND")
		})
	}
	w.add(ada, room.ID, bob, chat.Ordinary)
	read("a member again", 1, send)
	read("and again", 0, send)
}

// TestWhoIsKnownMayRepeat: it isn't for the rates to refuse what was written.
func TestWhoIsKnownMayRepeat(t *testing.T) {
	w := limitedWorld(t, chat.Limits{Rates: chat.Rates{User: slow(3)}})
	room := w.create(ada, privateGroup)
	in := chat.SendMessage{RoomID: room.ID, Content: "hi", ClientID: "key"}
	first, err := w.SendMessage(t.Context(), ada, in)
	w.must(err)
	w.send(ada, room.ID, "second")
	w.send(ada, room.ID, "third")
	again, err := w.SendMessage(t.Context(), ada, in)
	if w.must(err); again.ID() != first.ID() {
		t.Errorf("another message: %+v", again)
	}
	_, err = w.SendMessage(t.Context(), ada, chat.SendMessage{RoomID: room.ID, Content: "fourth"})
	w.refused("the fourth", err, "RATE_LIMITED")
}

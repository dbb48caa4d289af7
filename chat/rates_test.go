package chat_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley/chat"
	"parley/eventlog"
	"parley/ratelimit"
)

// slow doesn't refill while a test runs.
func slow(burst int) ratelimit.Limit {
	return ratelimit.Limit{Count: 1, Period: 10 * time.Minute, Burst: burst}
}

// limited fails unless err is RATE_LIMITED and says when to come back.
func (w *world) limited(what string, err error) {
	w.Helper()
	w.refused(what, err, "RATE_LIMITED")
	if own, ok := errors.AsType[*chat.Error](err); ok && own.RetryAfter <= 0 {
		w.Errorf("%s: no time to come back", what)
	}
}

func TestUserRate(t *testing.T) {
	w := limitedWorld(t, chat.Limits{Rates: chat.Rates{User: slow(4)}})
	room := w.create(ada, publicGroup)
	send := func(by chat.User, key string) (chat.Sent, error) {
		return w.SendMessage(t.Context(), by, chat.SendMessage{RoomID: room.ID, Content: "hi", ClientID: key})
	}
	first, err := send(ada, "first")
	w.must(err)
	_, err = w.EditMessage(t.Context(), ada, first.ID(), "hello")
	w.must(err)
	again, err := w.EditMessage(t.Context(), ada, first.ID(), "hello") // changes nothing, costs nothing
	w.must(err)
	_, err = w.UpdateRoom(t.Context(), ada, chat.UpdateRoom{RoomID: room.ID, Topic: set("tea")})
	w.must(err)
	for range 3 {
		if repeat, err := send(ada, "first"); err != nil || repeat.ID() != again.ID() {
			t.Fatalf("%v, %v", repeat, err)
		}
	}
	_, err = send(ada, "second")
	w.must(err)

	w.quiet("a limited user", func() {
		_, err = send(ada, "third")
		w.limited("sending", err)
		_, err = w.EditMessage(t.Context(), ada, first.ID(), "bye")
		w.limited("editing", err)
		_, err = w.DeleteMessage(t.Context(), ada, first.ID())
		w.limited("deleting", err)
		_, _, err = w.AddMember(t.Context(), ada, room.ID, cyd.ID, chat.Ordinary)
		w.limited("adding", err)
		if repeat, err := send(ada, "first"); err != nil || repeat.ID() != first.ID() {
			t.Errorf("a repeat by one who is limited: %v, %v", repeat, err)
		}
	})
	_, _, err = w.JoinRoom(t.Context(), bob, room.ID)
	w.must(err)
	_, err = send(bob, "")
	w.must(err)

	other := w.create(ada, publicGroup)
	_, err = w.SendMessage(t.Context(), ada, chat.SendMessage{RoomID: other.ID, Content: "hi"})
	w.limited("in another room, by this node", err)
}

func TestRoomRate(t *testing.T) {
	w := limitedWorld(t, chat.Limits{Rates: chat.Rates{Room: slow(3)}})
	room, other := w.create(ada, publicGroup), w.create(ada, publicGroup)
	_, _, err := w.JoinRoom(t.Context(), bob, room.ID)
	w.must(err)
	var last chat.Sent
	for _, by := range []chat.User{ada, bob, ada} {
		last, err = w.SendMessage(t.Context(), by, chat.SendMessage{RoomID: room.ID, Content: "hi"})
		w.must(err)
	}
	_, err = w.SendMessage(t.Context(), bob, chat.SendMessage{RoomID: room.ID, Content: "hi"})
	w.limited("sending", err)
	_, err = w.EditMessage(t.Context(), ada, last.ID(), "bye")
	w.limited("editing", err)
	_, err = w.SendMessage(t.Context(), ada, chat.SendMessage{RoomID: other.ID, Content: "hi"})
	w.must(err)
	// Who keeps order in a flooded room isn't held up by the flood.
	_, err = w.DeleteMessage(t.Context(), ada, last.ID())
	w.must(err)
	_, err = w.RemoveMember(t.Context(), ada, room.ID, bob.ID)
	w.must(err)
}

func TestCreationRate(t *testing.T) {
	w := limitedWorld(t, chat.Limits{Rates: chat.Rates{Creation: slow(2)}})
	_, err := w.CreateRoom(t.Context(), ada, chat.CreateRoom{Type: chat.Direct})
	w.refused("a room that can't be", err, "BAD_INPUT type")
	w.create(ada, privateGroup)
	w.create(ada, privateGroup)
	_, err = w.CreateRoom(t.Context(), ada, privateGroup)
	w.limited("the third", err)
	w.create(bob, privateGroup)
}

// TestRefusedChangesAreFree: what surely wasn't written costs nothing of the user's rate on this node; what
// may have been does, and so does a flood that the store has to refuse.
func TestRefusedChangesAreFree(t *testing.T) {
	const burst = 2
	for name, c := range map[string]struct {
		append  error
		repeat  bool
		verdict string
		free    bool
	}{
		"others came first":        {append: chat.ErrMoved, verdict: "CONFLICT", free: true},
		"another one's clientId":   {append: chat.Errorf(chat.Conflict, "used"), verdict: "CONFLICT", free: true},
		"the room has gone":        {append: chat.Errorf(chat.NotFound, "gone"), verdict: "NOT_FOUND", free: true},
		"a repeat":                 {repeat: true, verdict: "ok", free: true},
		"who knows":                {append: eventlog.ErrUnavailable, verdict: "UNAVAILABLE"},
		"who knows, hung up":       {append: context.Canceled, verdict: "UNAVAILABLE"},
		"too often in the room":    {append: &ratelimit.Exceeded{Name: "room", RetryAfter: time.Second}, verdict: "RATE_LIMITED"},
		"something is wrong there": {append: errors.New("oops"), verdict: "INTERNAL"},
	} {
		t.Run(name, func(t *testing.T) {
			refused := c.append
			store := &fakeStore{view: ownerView, append: func(chat.Append) (chat.Appended, error) {
				return chat.Appended{Message: &chat.Message{}, Repeat: c.repeat}, refused
			}}
			w := &world{T: t, Service: chat.NewService(store, &fakeLog{}, chat.Limits{Rates: chat.Rates{User: slow(burst)}})}
			send := func() error {
				_, err := w.SendMessage(t.Context(), ada, chat.SendMessage{RoomID: "r_1", Content: "hi"})
				return err
			}
			for range burst {
				w.refused("the store's", send(), c.verdict)
			}
			if !c.free {
				store.append = nil // isn't asked
				w.limited("beyond the burst", send())
				return
			}
			w.refused("beyond the burst", send(), c.verdict)
			refused, c.repeat = nil, false
			for range burst {
				w.must(send())
			}
			w.limited("after the burst", send())
		})
	}
}

package chat_test

import (
	"testing"

	"parley/chat"
)

func TestMarkRead(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	w.add(ada, room.ID, bob, chat.Ordinary)
	for range 5 {
		w.send(ada, room.ID, "hi")
	}
	for _, tt := range []struct {
		seq  int
		read uint64
		want string
	}{
		{0, 0, "ok"}, {3, 3, "ok"}, {2, 3, "ok"}, {3, 3, "ok"}, {5, 5, "ok"},
		{6, 0, "BAD_INPUT seq"}, {-1, 0, "BAD_INPUT seq"}, {1 << 40, 0, "BAD_INPUT seq"},
	} {
		of, member, err := w.MarkRead(t.Context(), bob, room.ID, tt.seq)
		w.refused("marking", err, tt.want)
		if err == nil && (of.ID != room.ID || member.LastReadSeq != tt.read || member.LastDeliveredSeq != tt.read) {
			t.Errorf("seq %d: %+v", tt.seq, member)
		}
	}
}

func TestUnread(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.send(ada, room.ID, "before bob")
	w.add(ada, room.ID, bob, chat.Ordinary)
	expect := func(what, user string, want int) {
		t.Helper()
		if got, err := w.Unread(t.Context(), user, room.ID); err != nil || got != want {
			t.Errorf("%s: %d unread by %s (%v), want %d", what, got, user, err, want)
		}
	}
	expect("at joining", "bob", 0)
	expect("no member", "eve", 0)
	var messages []chat.Message
	for range 4 {
		messages = append(messages, w.send(ada, room.ID, "hi"))
	}
	expect("four sent", "bob", 4)
	expect("by the sender", "ada", 0)
	_, _, err := w.MarkRead(t.Context(), bob, room.ID, int(messages[0].Seq))
	w.must(err)
	expect("one read", "bob", 3)
	for _, i := range []int{0, 2} {
		_, err := w.DeleteMessage(t.Context(), ada, messages[i].ID())
		w.must(err)
	}
	expect("one read and one unread deleted", "bob", 2)
	_, err = w.EditMessage(t.Context(), ada, messages[1].ID(), "edited")
	w.must(err)
	expect("an edit", "bob", 2)
	w.send(bob, room.ID, "an answer")
	expect("having answered", "bob", 0)
	expect("answered", "ada", 1)
	_, err = w.LeaveRoom(t.Context(), bob, room.ID)
	w.must(err)
	w.send(ada, room.ID, "while away")
	expect("having left", "bob", 0)
	_, _, err = w.JoinRoom(t.Context(), bob, room.ID)
	w.must(err)
	expect("having come back", "bob", 0)
	w.send(ada, room.ID, "welcome back")
	expect("since coming back", "bob", 1)
}

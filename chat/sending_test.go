package chat_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/chat"
)

func TestSendMessage(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	w.add(ada, room.ID, bob, chat.Ordinary)
	first := w.send(ada, room.ID, " hi \n")
	second, err := w.SendMessage(t.Context(), bob, chat.SendMessage{
		RoomID: room.ID, Content: "hello", ClientID: "key", ReplyToID: first.ID(),
	})
	w.must(err)
	if first.Seq != 1 || first.Content != " hi \n" || first.Sender != ada || first.Type != chat.Text {
		t.Errorf("first: %+v", first)
	}
	if second.Seq != 2 || second.ReplyToSeq != 1 || second.ClientID != "key" || second.Sender != bob {
		t.Errorf("second: %+v", second)
	}
	read, err := w.Message(t.Context(), "ada", second.ID())
	w.must(err)
	if diff := cmp.Diff(second.Message, read); diff != "" {
		t.Errorf("read again: %s", diff)
	}
	if member, err := w.Member(t.Context(), "bob", room.ID, "bob"); err != nil || member.User != bob {
		t.Errorf("the name isn't learned from the token: %+v, %v", member, err)
	}
}

func TestContentOfMessages(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	message := w.send(ada, room.ID, "hi")
	for _, tt := range []struct{ name, content, want string }{
		{"8,192 bytes", strings.Repeat("x", 8192), "ok"},
		{"8,193 bytes", strings.Repeat("x", 8193), "BAD_INPUT content"},
		{"too long in bytes, not in characters", strings.Repeat("é", 4097), "BAD_INPUT content"},
		{"empty", "", "BAD_INPUT content"},
		{"blank", " \t\r\n\u00a0\u2003", "BAD_INPUT content"},
		{"not UTF-8", "a\xffb", "BAD_INPUT content"},
		{"half of a surrogate pair", "\xed\xa0\x80", "BAD_INPUT content"},
		{"NUL", "a\x00b", "BAD_INPUT content"},
		{"line breaks and tabs", "a\r\n\tb", "ok"},
		{"everything else", "👩‍👩‍👧 \u202e \x7f </script>", "ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sent, err := w.SendMessage(t.Context(), ada, chat.SendMessage{RoomID: room.ID, Content: tt.content})
			if got := verdict(err); got != tt.want || err == nil && sent.Content != tt.content {
				t.Errorf("sent: %s, %q", got, sent.Content)
			}
			edited, err := w.EditMessage(t.Context(), ada, message.ID(), tt.content)
			if got := verdict(err); got != tt.want || err == nil && edited.Content != tt.content {
				t.Errorf("edited: %s, %q", got, edited.Content)
			}
		})
	}
}

func TestLimitsOfMessagesAreSettings(t *testing.T) {
	w := limitedWorld(t, chat.Limits{ContentBytes: 3, ClientIDBytes: 2})
	room := w.create(ada, privateGroup)
	_, err := w.SendMessage(t.Context(), ada, chat.SendMessage{RoomID: room.ID, Content: "four"})
	w.refused("content", err, "BAD_INPUT content")
	_, err = w.SendMessage(t.Context(), ada, chat.SendMessage{RoomID: room.ID, Content: "abc", ClientID: "key"})
	w.refused("clientId", err, "BAD_INPUT clientId")
	_, err = w.SendMessage(t.Context(), ada, chat.SendMessage{RoomID: room.ID, Content: "abc", ClientID: "k1"})
	w.refused("both at the bound", err, "ok")
}

func TestClientIDs(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	for _, tt := range []struct{ name, id, want string }{
		{"128 bytes", strings.Repeat("x", 128), "ok"},
		{"129 bytes", strings.Repeat("x", 129), "BAD_INPUT clientId"},
		{"too long in bytes, not in characters", strings.Repeat("é", 65), "BAD_INPUT clientId"},
		{"control characters", "a\nb", "BAD_INPUT clientId"},
		{"not UTF-8", "\xff", "BAD_INPUT clientId"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.SendMessage(t.Context(), ada, chat.SendMessage{RoomID: room.ID, Content: "hi", ClientID: tt.id})
			if got := verdict(err); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestARepeatedRequestMakesOneMessage(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	w.add(ada, room.ID, bob, chat.Ordinary)
	other := w.send(ada, room.ID, "other")
	in := chat.SendMessage{RoomID: room.ID, Content: "hi", ClientID: "key"}
	first, err := w.SendMessage(t.Context(), bob, in)
	w.must(err)

	repeat := func(what string) {
		t.Helper()
		w.quiet(what, func() {
			again, err := w.SendMessage(t.Context(), bob, in)
			w.refused(what, err, "ok")
			if again.ID() != first.ID() {
				t.Errorf("%s: another message: %+v", what, again)
			}
		})
	}
	repeat("the same again")
	changed, replying := in, in
	changed.Content, replying.ReplyToID = "ho", other.ID()
	for name, in := range map[string]chat.SendMessage{"other content": changed, "another reply": replying} {
		w.quiet(name, func() {
			_, err := w.SendMessage(t.Context(), bob, in)
			w.refused(name, err, "CONFLICT clientId")
		})
	}
	if mine, err := w.SendMessage(t.Context(), ada, in); err != nil || mine.ID() == first.ID() {
		t.Errorf("somebody else's key: %v, %v", mine, err)
	}
	without := w.send(bob, room.ID, "hi")
	if again := w.send(bob, room.ID, "hi"); again.ID() == without.ID() {
		t.Error("without a key the second is the first")
	}

	w.remove(ada, room.ID, bob)
	repeat("after being removed")
	changed.ClientID = "new"
	_, err = w.SendMessage(t.Context(), bob, changed)
	w.refused("a new one after being removed", err, "NOT_FOUND")
}

func TestARepeatThatComesInBetween(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.add(ada, room.ID, bob, chat.Ordinary)
	in := chat.SendMessage{RoomID: room.ID, Content: "hi", ClientID: "key"}
	var first chat.Sent
	send := func(in chat.SendMessage) func() {
		return func() {
			var err error
			first, err = w.SendMessage(t.Context(), bob, in)
			w.must(err)
		}
	}
	w.store.beforeAppend = send(in)
	again, err := w.SendMessage(t.Context(), bob, in)
	w.must(err)
	if again.ID() != first.ID() {
		t.Errorf("two messages: %s and %s", first.ID(), again.ID())
	}
	in.ClientID = "other"
	w.store.beforeAppend = send(in)
	in.Content = "ho"
	_, err = w.SendMessage(t.Context(), bob, in)
	if chat.CodeOf(err) != chat.Conflict {
		t.Errorf("other content: %v", err)
	}
	in.ClientID = "third"
	w.store.beforeAppend = func() { send(in)(); w.remove(ada, room.ID, bob) }
	again, err = w.SendMessage(t.Context(), bob, in)
	if err != nil || again.ID() != first.ID() {
		t.Errorf("removed after the first: %v, %v", again, err)
	}
}

func TestSendingMeetsARemoval(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.add(ada, room.ID, bob, chat.Ordinary)
	w.store.beforeAppend = func() { w.remove(ada, room.ID, bob) }
	_, err := w.SendMessage(t.Context(), bob, chat.SendMessage{RoomID: room.ID, Content: "hi"})
	w.refused("sending", err, "FORBIDDEN")
}

func TestSendersDontConflictWithRoomChanges(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	for i := range 10 {
		w.store.beforeAppend = func() {
			w.store.beforeAppend = nil
			w.must(updating(chat.UpdateRoom{Topic: set(fmt.Sprint(i))})(w, ada, room.ID, nil))
		}
		before := w.store.appends.Load()
		w.send(ada, room.ID, "hi")
		if n := w.store.appends.Load() - before; n != 2 {
			t.Fatalf("%d appends for a change and a message", n)
		}
	}
}

func TestReplies(t *testing.T) {
	w := newWorld(t)
	room, elsewhere := w.create(ada, sinceJoined), w.create(ada, privateGroup)
	before := w.send(ada, room.ID, "before bob")
	other := w.send(ada, elsewhere.ID, "elsewhere")
	w.add(ada, room.ID, bob, chat.Ordinary)
	deleted := w.send(bob, room.ID, "oops")
	_, err := w.DeleteMessage(t.Context(), bob, deleted.ID())
	w.must(err)
	seen := w.send(ada, room.ID, "hi bob")
	resalted := chat.MessageID(room.ID, seen.Seq, "other")
	for _, tt := range []struct{ name, id, want string }{
		{"one that is there", seen.ID(), "ok"},
		{"a tombstone", deleted.ID(), "ok"},
		{"one from before joining", before.ID(), "BAD_INPUT replyToId"},
		{"one of another room", other.ID(), "BAD_INPUT replyToId"},
		{"one that never was", chat.MessageID(room.ID, 99, "salt"), "BAD_INPUT replyToId"},
		{"one of another life of the log", resalted, "BAD_INPUT replyToId"},
		{"no message", "hello", "BAD_INPUT replyToId"},
		{"a room", room.ID, "BAD_INPUT replyToId"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := chat.SendMessage{RoomID: room.ID, Content: "re", ReplyToID: tt.id}
			if _, err := w.SendMessage(t.Context(), bob, in); verdict(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestAReplyMeetsHistoryBeingHidden(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	before := w.send(ada, room.ID, "before bob")
	w.add(ada, room.ID, bob, chat.Ordinary)
	w.store.beforeAppend = func() {
		w.must(updating(chat.UpdateRoom{History: set(chat.HistorySinceJoined)})(w, ada, room.ID, nil))
	}
	_, err := w.SendMessage(t.Context(), bob, chat.SendMessage{RoomID: room.ID, Content: "re", ReplyToID: before.ID()})
	w.refused("replying", err, "BAD_INPUT replyToId")
}

func TestEditMessage(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	message := w.send(ada, room.ID, "hi")
	edited, err := w.EditMessage(t.Context(), ada, message.ID(), "hello")
	w.must(err)
	if edited.Content != "hello" || edited.EditedAt == nil || edited.ID() != message.ID() || edited.Cursor() != message.Cursor() {
		t.Errorf("got %+v", edited)
	}
	w.quiet("the same again", func() {
		again, err := w.EditMessage(t.Context(), ada, message.ID(), "hello")
		w.must(err)
		if diff := cmp.Diff(edited, again); diff != "" {
			t.Error(diff)
		}
	})
	w.store.beforeAppend = func() {
		_, err := w.EditMessage(t.Context(), ada, message.ID(), "first")
		w.must(err)
	}
	if last, err := w.EditMessage(t.Context(), ada, message.ID(), "second"); err != nil || last.Content != "second" {
		t.Errorf("the later of two edits: %+v, %v", last, err)
	}
	w.store.beforeAppend = func() {
		_, err := w.DeleteMessage(t.Context(), ada, message.ID())
		w.must(err)
	}
	_, err = w.EditMessage(t.Context(), ada, message.ID(), "too late")
	w.refused("deleted meanwhile", err, "CONFLICT")
	w.quiet("a tombstone", func() {
		_, err := w.EditMessage(t.Context(), ada, message.ID(), "too late")
		w.refused("deleted", err, "CONFLICT")
	})
}

func TestDeleteMessage(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	w.add(ada, room.ID, bob, chat.Ordinary)
	message := w.send(ada, room.ID, "hi")
	deleted, err := w.DeleteMessage(t.Context(), ada, message.ID())
	w.must(err)
	if !deleted.Deleted() || deleted.Content != "" || deleted.ID() != message.ID() {
		t.Errorf("got %+v", deleted)
	}
	w.quiet("again", func() {
		again, err := w.DeleteMessage(t.Context(), ada, message.ID())
		w.must(err)
		if diff := cmp.Diff(deleted, again); diff != "" {
			t.Error(diff)
		}
		_, err = w.DeleteMessage(t.Context(), bob, message.ID())
		w.refused("by one who may not", err, "FORBIDDEN")
	})
	for _, id := range []string{"", "m_", "hello", room.ID, chat.MessageID(room.ID, 9, "salt"), chat.MessageID(room.ID, message.Seq, "other")} {
		_, err := w.DeleteMessage(t.Context(), ada, id)
		w.refused("deleting "+id, err, "NOT_FOUND")
		_, err = w.EditMessage(t.Context(), ada, id, "x")
		w.refused("editing "+id, err, "NOT_FOUND")
	}
}

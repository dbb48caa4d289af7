package chat_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/chat"
)

// audience is the one that a member is of.
func (w *world) audience(user, room string) chat.Audience {
	w.Helper()
	access, err := w.Access(w.Context(), user, room)
	w.must(err)
	w.must(access.MustRead())
	return access.Audience()
}

// TestAudiences: who is of one audience reads the same messages, and whoever reads the same is of
// one, but for those who were away.
func TestAudiences(t *testing.T) {
	for history, want := range map[chat.RoomHistory]map[string]string{
		chat.HistoryAll: {
			"ada": "", "early 1": "", "early 2": "", "late 1": "", "late 2": "", "last": "",
			"back": "ALL 0-9 >2",
		},
		chat.HistorySinceJoined: {
			"ada": "SINCE_JOINED >0", "early 1": "SINCE_JOINED >0", "early 2": "SINCE_JOINED >0",
			"late 1": "SINCE_JOINED >1", "late 2": "SINCE_JOINED >1", "last": "SINCE_JOINED >2",
			"back": "SINCE_JOINED 4-9 >2",
		},
	} {
		t.Run(string(history), func(t *testing.T) {
			w := newWorld(t)
			in := privateGroup
			in.History = history
			room := w.create(ada, in).ID
			add := func(users ...string) {
				for _, user := range users {
					w.add(ada, room, chat.User{ID: user}, chat.Ordinary)
				}
			}
			add("early 1", "early 2", "back")
			w.send(ada, room, "1")
			add("late 1", "late 2")
			w.remove(ada, room, chat.User{ID: "back"})
			w.send(ada, room, "2")
			add("back", "last")
			w.send(ada, room, "3")

			names, read := map[string]string{}, map[string]string{}
			for user := range want {
				audience := w.audience(user, room)
				names[user] = audience.Name
				own, err := w.Messages(t.Context(), user, room, chat.PageArgs{})
				w.must(err)
				all, err := w.MessagesFor(t.Context(), audience, chat.PageArgs{})
				w.must(err)
				if diff := cmp.Diff(contents(own.Messages), contents(all.Messages)); diff != "" {
					t.Errorf("%s and their audience: %s", user, diff)
				}
				if before, ok := read[audience.Name]; ok && before != fmt.Sprint(contents(own.Messages)) {
					t.Errorf("of one audience: %s reads %s, others %s", user, contents(own.Messages), before)
				}
				read[audience.Name] = fmt.Sprint(contents(own.Messages))
			}
			if diff := cmp.Diff(want, names); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAudienceReads: pages and replies for an audience are those of its members, up to an entry.
func TestAudienceReads(t *testing.T) {
	for _, history := range []chat.RoomHistory{chat.HistoryAll, chat.HistorySinceJoined} {
		w := newWorld(t)
		room, sent := hole(w, history)
		audience := w.audience("bob", room.ID)
		for content, message := range sent {
			own, err := w.Reply(t.Context(), "bob", room.ID, message.Seq)
			w.must(err)
			reply, err := w.ReplyFor(t.Context(), audience, message.Seq)
			w.must(err)
			if diff := cmp.Diff(own, reply); diff != "" {
				t.Errorf("reply %q: %s", content, diff)
			}
			for _, size := range []int{0, 1, 2, 10} {
				page := chat.PageArgs{First: &size, Until: message.Sent.Offset}
				own, err := w.Messages(t.Context(), "bob", room.ID, page)
				w.must(err)
				all, err := w.MessagesFor(t.Context(), audience, page)
				w.must(err)
				if diff := cmp.Diff(own, all); diff != "" {
					t.Errorf("%d until %q: %s", size, content, diff)
				}
				for _, m := range all.Messages {
					if m.Seq > message.Seq {
						t.Errorf("%d until %q: shows %q", size, content, m.Content)
					}
				}
			}
		}
		if none, err := w.ReplyFor(t.Context(), audience, 0); none != nil || err != nil {
			t.Errorf("no reply: %v, %v", none, err)
		}
		_, err := w.MessagesFor(t.Context(), audience, chat.PageArgs{First: ptr(1), Last: ptr(1)})
		w.refused("first and last", err, "BAD_INPUT first")
	}
}

// TestAudienceMoves: what rests on another history setting isn't read.
func TestAudienceMoves(t *testing.T) {
	w := newWorld(t)
	room, sent := hole(w, chat.HistoryAll)
	old := w.audience("bob", room.ID)
	since := chat.HistorySinceJoined
	_, err := w.UpdateRoom(t.Context(), ada, chat.UpdateRoom{RoomID: room.ID, History: chat.Optional[chat.RoomHistory]{Set: true, Value: &since}})
	w.must(err)
	if _, err := w.MessagesFor(t.Context(), old, chat.PageArgs{}); !errors.Is(err, chat.ErrMoved) {
		t.Errorf("a page: %v", err)
	}
	if _, err := w.ReplyFor(t.Context(), old, sent["with 1"].Seq); !errors.Is(err, chat.ErrMoved) {
		t.Errorf("a reply: %v", err)
	}
	if reply, err := w.Reply(t.Context(), "bob", room.ID, sent["before"].Seq); reply != nil || err != nil {
		t.Errorf("bob's reply: %v, %v", reply, err)
	}
	name := "renamed"
	now := w.audience("bob", room.ID)
	_, err = w.UpdateRoom(t.Context(), ada, chat.UpdateRoom{RoomID: room.ID, Name: chat.Optional[string]{Set: true, Value: &name}})
	w.must(err)
	if reply, err := w.ReplyFor(t.Context(), now, sent["with 1"].Seq); err != nil || reply == nil {
		t.Errorf("after another change: %v, %v", reply, err)
	}
}

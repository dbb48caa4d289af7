package chat_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley/chat"
	"parley/eventlog"
)

// hole makes a room in which bob wasn't a member for a while: he joined after "before", was away
// during "away" and came back before "after". Bob's own are "with 1" and "with 2".
func hole(w *world, history chat.RoomHistory) (room chat.Room, sent map[string]chat.Message) {
	in := privateGroup
	in.History = history
	room = w.create(ada, in)
	sent = make(map[string]chat.Message)
	say := func(sender chat.User, content string) { sent[content] = w.send(sender, room.ID, content) }
	say(ada, "before")
	w.add(ada, room.ID, bob, chat.Ordinary)
	say(bob, "with 1")
	w.remove(ada, room.ID, bob)
	say(ada, "away")
	w.add(ada, room.ID, bob, chat.Ordinary)
	say(bob, "with 2")
	say(ada, "after")
	return room, sent
}

func TestWhatOneMayReadOfAHistoryWithAHole(t *testing.T) {
	for _, tt := range []struct {
		history chat.RoomHistory
		want    []string
	}{
		{chat.HistoryAll, []string{"before", "with 1", "with 2", "after"}},
		{chat.HistorySinceJoined, []string{"with 1", "with 2", "after"}},
	} {
		t.Run(string(tt.history), func(t *testing.T) {
			w := newWorld(t)
			room, sent := hole(w, tt.history)
			page, err := w.Messages(t.Context(), "bob", room.ID, chat.PageArgs{})
			w.must(err)
			if diff := cmp.Diff(tt.want, contents(page.Messages)); diff != "" {
				t.Errorf("page: %s", diff)
			}
			for content, message := range sent {
				readable := slices.Contains(tt.want, content)
				_, err := w.Message(t.Context(), "bob", message.ID())
				if got := err == nil; got != readable || err != nil && verdict(err) != "NOT_FOUND" {
					t.Errorf("message %q: %v", content, err)
				}
				reply, err := w.Reply(t.Context(), "bob", room.ID, message.Seq)
				w.must(err)
				if got := reply != nil; got != readable {
					t.Errorf("reply %q: %v", content, reply)
				}
			}
			if reply, err := w.Reply(t.Context(), "ada", room.ID, sent["away"].Seq); err != nil || reply == nil {
				t.Errorf("ada's reply: %v, %v", reply, err)
			}
			events, err := w.Events(t.Context(), "bob", room.ID, ptr(logCursor(room.ID)), nil)
			w.must(err)
			var seen []string
			for _, message := range messagesOf(events, chat.KindMessageSent) {
				seen = append(seen, message.Content)
			}
			if diff := cmp.Diff(tt.want, seen); diff != "" {
				t.Errorf("events: %s", diff)
			}
		})
	}
}

func TestRepliesToNothing(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	for _, seq := range []uint64{0, 1, 1 << 52} {
		if reply, err := w.Reply(t.Context(), "ada", room.ID, seq); reply != nil || err != nil {
			t.Errorf("seq %d: %v, %v", seq, reply, err)
		}
	}
}

func TestMessageOfAnotherLifeOfTheLog(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	message := w.send(ada, room.ID, "hi")
	_, err := w.Message(t.Context(), "ada", chat.MessageID(room.ID, message.Seq, "other"))
	w.refused("another salt", err, "NOT_FOUND")
}

func TestAMessageNewerThanTheRightToSeeIt(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.add(ada, room.ID, bob, chat.Ordinary)
	message := w.send(ada, room.ID, "hi")
	w.store.afterMessage = func() { w.remove(ada, room.ID, bob) }
	_, err := w.Message(t.Context(), "bob", message.ID())
	w.refused("removed meanwhile", err, "NOT_FOUND")

	w.add(ada, room.ID, bob, chat.Ordinary)
	w.store.beforeMessages = func() { w.remove(ada, room.ID, bob); w.send(ada, room.ID, "secret") }
	_, err = w.Messages(t.Context(), "bob", room.ID, chat.PageArgs{})
	w.refused("a page, removed meanwhile", err, "FORBIDDEN")

	w.add(ada, room.ID, bob, chat.Ordinary)
	w.store.afterMembers = func() { w.remove(ada, room.ID, bob) }
	_, err = w.Members(t.Context(), "bob", room.ID, nil, nil)
	w.refused("members, removed meanwhile", err, "FORBIDDEN")
}

func TestAPageMeetsHistoryBeingHidden(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.send(ada, room.ID, "before bob")
	w.add(ada, room.ID, bob, chat.Ordinary)
	w.store.beforeMessages = func() {
		w.must(updating(chat.UpdateRoom{History: set(chat.HistorySinceJoined)})(w, ada, room.ID, nil))
	}
	page, err := w.Messages(t.Context(), "bob", room.ID, chat.PageArgs{})
	if err != nil || len(page.Messages) != 0 {
		t.Errorf("got %v, %v", contents(page.Messages), err)
	}
}

func TestPagesOfMessages(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	var sent []chat.Message
	for i := range 120 {
		sent = append(sent, w.send(ada, room.ID, fmt.Sprint(i+1)))
	}
	at := func(seq int) *eventlog.Cursor { return ptr(sent[seq-1].Cursor()) }
	for _, tt := range []struct {
		name                string
		args                chat.PageArgs
		from, to            int // seqs, included; 0 and 0 for none
		hasBefore, hasAfter bool
	}{
		{"nothing said", chat.PageArgs{}, 71, 120, true, false},
		{"first", chat.PageArgs{First: ptr(3)}, 1, 3, false, true},
		{"last", chat.PageArgs{Last: ptr(3)}, 118, 120, true, false},
		{"at most", chat.PageArgs{First: ptr(100)}, 1, 100, false, true},
		{"first after", chat.PageArgs{First: ptr(3), After: at(5)}, 6, 8, true, true},
		{"last before", chat.PageArgs{Last: ptr(3), Before: at(5)}, 2, 4, true, true},
		{"first before", chat.PageArgs{First: ptr(3), Before: at(3)}, 1, 2, false, true},
		{"last after", chat.PageArgs{Last: ptr(3), After: at(118)}, 119, 120, true, false},
		{"before", chat.PageArgs{Before: at(4)}, 1, 3, false, true},
		{"after", chat.PageArgs{After: at(60)}, 71, 120, true, false},
		{"after the end", chat.PageArgs{First: ptr(3), After: at(120)}, 0, 0, true, false},
		{"before the beginning", chat.PageArgs{Last: ptr(3), Before: at(1)}, 0, 0, false, true},
		{"before the log", chat.PageArgs{Last: ptr(3), Before: ptr(logCursor(room.ID))}, 0, 0, false, true},
		{"after the log's beginning", chat.PageArgs{First: ptr(1), After: ptr(logCursor(room.ID))}, 1, 1, false, true},
		{"first 0", chat.PageArgs{First: ptr(0)}, 0, 0, false, true},
		{"last 0", chat.PageArgs{Last: ptr(0)}, 0, 0, true, false},
		{"first 0 after the end", chat.PageArgs{First: ptr(0), After: at(120)}, 0, 0, true, false},
		{"zero cursors", chat.PageArgs{First: ptr(1), After: &eventlog.Cursor{}, Before: &eventlog.Cursor{}}, 1, 1, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page, err := w.Messages(t.Context(), "ada", room.ID, tt.args)
			w.must(err)
			var want []string
			for seq := max(tt.from, 1); seq <= tt.to; seq++ {
				want = append(want, fmt.Sprint(seq))
			}
			if diff := cmp.Diff(want, contents(page.Messages)); diff != "" {
				t.Error(diff)
			}
			if page.HasBefore != tt.hasBefore || page.HasAfter != tt.hasAfter {
				t.Errorf("before %t, after %t", page.HasBefore, page.HasAfter)
			}
			if page.Room.Cursor() != *w.tail(room.ID) {
				t.Errorf("read at %v", page.Room.Cursor())
			}
		})
	}
}

func TestPagesOfMessagesRefuse(t *testing.T) {
	w := newWorld(t)
	room, other := w.create(ada, privateGroup), w.create(ada, privateGroup)
	members := &eventlog.Cursor{Kind: eventlog.CursorMembers, Log: room.ID, Key: "ada"}
	for _, tt := range []struct {
		name string
		args chat.PageArgs
		want string
	}{
		{"both ends", chat.PageArgs{First: ptr(1), Last: ptr(1)}, "BAD_INPUT first"},
		{"a negative first", chat.PageArgs{First: ptr(-1)}, "BAD_INPUT first"},
		{"a negative last", chat.PageArgs{Last: ptr(-1)}, "BAD_INPUT last"},
		{"first 101", chat.PageArgs{First: ptr(101)}, "BAD_INPUT first"},
		{"last 101", chat.PageArgs{Last: ptr(101)}, "BAD_INPUT last"},
		{"after in another room", chat.PageArgs{After: w.tail(other.ID)}, "BAD_INPUT after"},
		{"before in another room", chat.PageArgs{Before: w.tail(other.ID)}, "BAD_INPUT before"},
		{"after of another kind", chat.PageArgs{After: members}, "BAD_INPUT after"},
		{"before of another kind", chat.PageArgs{Before: members}, "BAD_INPUT before"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := w.Messages(t.Context(), "ada", room.ID, tt.args); verdict(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	future := eventlog.Cursor{Kind: eventlog.CursorLog, Log: room.ID, Seq: 1<<64 - 1}
	page, err := w.Messages(t.Context(), "ada", room.ID, chat.PageArgs{First: ptr(1), After: &future})
	if err != nil || len(page.Messages) != 0 {
		t.Errorf("after the future: %v, %v", page.Messages, err)
	}
	_, err = w.Messages(t.Context(), "ada", room.ID, chat.PageArgs{Last: ptr(1), Before: &future})
	w.refused("before the future", err, "ok")
}

// Paging in any steps, from either end, shows what may be read once, in order.
func TestPagingShowsAllOnce(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, sinceJoined)
	var want []string
	for i := range 60 {
		switch i {
		case 7, 31:
			w.add(ada, room.ID, bob, chat.Ordinary)
		case 19, 52:
			w.remove(ada, room.ID, bob)
		}
		w.send(ada, room.ID, fmt.Sprint(i))
		if i >= 7 && i < 19 || i >= 31 && i < 52 {
			want = append(want, fmt.Sprint(i))
		}
	}
	w.add(ada, room.ID, bob, chat.Ordinary)
	rapid.Check(t, func(t *rapid.T) {
		var got []string
		forward, args := rapid.Bool().Draw(t, "forward"), chat.PageArgs{}
		for range 100 {
			size := rapid.IntRange(1, 20).Draw(t, "size")
			if forward {
				args.First = &size
			} else {
				args.Last = &size
			}
			page, err := w.Messages(w.Context(), "bob", room.ID, args)
			if err != nil {
				t.Fatal(err)
			}
			found := contents(page.Messages)
			if forward {
				got = append(got, found...)
			} else {
				got = append(found, got...)
			}
			if more := forward && page.HasAfter || !forward && page.HasBefore; !more {
				break
			}
			if len(found) != size {
				t.Fatalf("%d of %d, and more to come", len(found), size)
			}
			args.After, args.Before = nil, ptr(page.Messages[0].Cursor())
			if forward {
				args.After, args.Before = ptr(page.Messages[size-1].Cursor()), nil
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestMembers(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	for i := range 9 {
		w.add(ada, room.ID, chat.User{ID: fmt.Sprintf("user%d", i)}, chat.Ordinary)
	}
	w.remove(ada, room.ID, chat.User{ID: "user4"})
	want := []string{"ada", "user0", "user1", "user2", "user3", "user5", "user6", "user7", "user8"}
	var got []string
	var after *eventlog.Cursor
	for more := true; more; {
		page, err := w.Members(t.Context(), "user0", room.ID, ptr(4), after)
		w.must(err)
		for _, member := range page.Members {
			got, after = append(got, member.User.ID), ptr(member.Cursor())
		}
		if more = page.HasMore; page.Total != 9 {
			t.Errorf("total %d", page.Total)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	none, err := w.Members(t.Context(), "ada", room.ID, ptr(0), nil)
	if err != nil || len(none.Members) != 0 || !none.HasMore || none.Total != 9 {
		t.Errorf("first 0: %+v, %v", none, err)
	}
	_, err = w.Members(t.Context(), "ada", room.ID, ptr(101), nil)
	w.refused("first 101", err, "BAD_INPUT first")
	_, err = w.Members(t.Context(), "ada", room.ID, ptr(-1), nil)
	w.refused("first -1", err, "BAD_INPUT first")
	_, err = w.Members(t.Context(), "ada", room.ID, nil, w.tail(room.ID))
	w.refused("a cursor of messages", err, "BAD_INPUT after")
	_, err = w.Members(t.Context(), "ada", room.ID, nil, &eventlog.Cursor{Kind: eventlog.CursorMembers, Log: "r_other"})
	w.refused("a cursor of another room", err, "BAD_INPUT after")
}

func TestMember(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.add(ada, room.ID, bob, chat.Ordinary)
	w.add(ada, room.ID, cyd, chat.Ordinary)
	w.remove(ada, room.ID, cyd)
	for _, tt := range []struct {
		viewer, user string
		there        bool
	}{
		{"ada", "ada", true}, {"ada", "bob", true}, {"ada", "cyd", false}, {"ada", "eve", false}, {"ada", "", false},
		{"eve", "eve", false}, {"eve", "ada", false}, {"cyd", "cyd", false}, {"cyd", "ada", false},
	} {
		member, err := w.Member(t.Context(), tt.viewer, room.ID, tt.user)
		w.must(err)
		if (member != nil) != tt.there || member != nil && member.ID() != chat.MemberID(room.ID, tt.user) {
			t.Errorf("%s sees %s as %+v", tt.viewer, tt.user, member)
		}
	}
}

package chat_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley/chat"
	"parley/eventlog"
)

// story tells events in a word each.
func story(page chat.EventPage) []string {
	var told []string
	for _, pub := range page.Events {
		event := pub.Payload.(*chat.Event)
		switch {
		case event.Message != nil:
			told = append(told, fmt.Sprintf("%d:%s", event.Kind, event.Message.Content))
		case event.Member != nil:
			told = append(told, fmt.Sprintf("%d:%s", event.Kind, event.Member.User.ID))
		default:
			told = append(told, fmt.Sprint(event.Kind))
		}
	}
	return told
}

func messagesOf(page chat.EventPage, kind eventlog.Kind) []*chat.Message {
	var messages []*chat.Message
	for _, pub := range page.Events {
		if pub.Kind == kind {
			messages = append(messages, pub.Payload.(*chat.Event).Message)
		}
	}
	return messages
}

func (w *world) poll(viewer, room string, after *eventlog.Cursor) chat.EventPage {
	w.Helper()
	page, err := w.Events(w.Context(), viewer, room, after, nil)
	w.must(err)
	return page
}

func TestPollingTellsTheStory(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	start := w.poll("ada", room.ID, nil)
	if len(start.Events) != 0 || start.Reset || start.Cursor != *w.tail(room.ID) {
		t.Errorf("without a cursor: %+v", start)
	}
	idle := w.poll("ada", room.ID, &start.Cursor)
	if diff := cmp.Diff(chat.EventPage{Cursor: start.Cursor}, idle); diff != "" {
		t.Errorf("with nothing new: %s", diff)
	}
	w.add(ada, room.ID, bob, chat.Ordinary)
	message := w.send(bob, room.ID, "hi")
	_, err := w.EditMessage(t.Context(), bob, message.ID(), "hello")
	w.must(err)
	w.must(updating(chat.UpdateRoom{Topic: set("x")})(w, ada, room.ID, nil))
	w.must(setting("bob", chat.Admin)(w, ada, room.ID, nil))
	_, err = w.DeleteMessage(t.Context(), bob, message.ID())
	w.must(err)
	_, err = w.LeaveRoom(t.Context(), bob, room.ID)
	w.must(err)
	page := w.poll("ada", room.ID, &start.Cursor)
	want := []string{"5:bob", "2:", "3:", "9", "8:bob", "4:", "6:bob"}
	if diff := cmp.Diff(want, story(page)); diff != "" {
		t.Error(diff)
	}
	if page.Cursor != *w.tail(room.ID) {
		t.Errorf("the cursor is %+v", page.Cursor)
	}
	if again := w.poll("ada", room.ID, &page.Cursor); len(again.Events) != 0 {
		t.Errorf("told twice: %v", story(again))
	}
}

func TestPollingOverAKick(t *testing.T) {
	for _, tt := range []struct {
		visibility chat.RoomVisibility
		want       string
	}{{chat.Public, "FORBIDDEN"}, {chat.Private, "NOT_FOUND"}} {
		t.Run(string(tt.visibility), func(t *testing.T) {
			w := newWorld(t)
			in := publicGroup
			in.Visibility = tt.visibility
			room := w.create(ada, in)
			w.add(ada, room.ID, bob, chat.Ordinary)
			start := w.tail(room.ID)
			w.send(ada, room.ID, "for bob")
			if got := story(w.poll("bob", room.ID, start)); len(got) != 1 {
				t.Errorf("before: %v", got)
			}
			kick := func() {
				w.remove(ada, room.ID, bob)
				w.send(ada, room.ID, "secret")
			}
			w.store.afterRead = kick
			_, err := w.Events(t.Context(), "bob", room.ID, start, nil)
			w.refused("kicked while polling", err, tt.want)
			_, err = w.Events(t.Context(), "bob", room.ID, start, nil)
			w.refused("kicked", err, tt.want)
			_, err = w.Events(t.Context(), "bob", room.ID, nil, nil)
			w.refused("kicked, without a cursor", err, tt.want)

			w.add(ada, room.ID, bob, chat.Ordinary)
			w.send(ada, room.ID, "welcome back")
			page := w.poll("bob", room.ID, start)
			want := []string{"2:for bob", "7:bob", "5:bob", "2:welcome back"}
			if diff := cmp.Diff(want, story(page)); diff != "" {
				t.Errorf("having come back: %s", diff)
			}
			if page.Cursor != *w.tail(room.ID) {
				t.Errorf("the cursor is %+v", page.Cursor)
			}
		})
	}
}

func TestPollingInAnySteps(t *testing.T) {
	w := newWorld(t)
	room, _ := hole(w, chat.HistorySinceJoined)
	start := ptr(logCursor(room.ID))
	all, tail := story(w.poll("bob", room.ID, start)), *w.tail(room.ID)
	rapid.Check(t, func(t *rapid.T) {
		var got []string
		cursor := *start
		for cursor.Position != tail.Position {
			size := rapid.IntRange(1, 5).Draw(t, "size")
			page, err := w.Events(w.Context(), "bob", room.ID, &cursor, &size)
			if err != nil || len(page.Events) > size || page.Cursor == cursor {
				t.Fatalf("%+v, %v", page, err)
			}
			got, cursor = append(got, story(page)...), page.Cursor
		}
		if diff := cmp.Diff(all, got); diff != "" {
			t.Fatal(diff)
		}
		if cursor != tail {
			t.Fatalf("ended at %+v, not %+v", cursor, tail)
		}
	})
}

func TestPollingRefuses(t *testing.T) {
	w := newWorld(t)
	room, other := w.create(ada, publicGroup), w.create(ada, publicGroup)
	for _, tt := range []struct {
		name  string
		after *eventlog.Cursor
		first *int
		want  string
	}{
		{"another room's cursor", w.tail(other.ID), nil, "BAD_INPUT after"},
		{"another list's cursor", &eventlog.Cursor{Kind: eventlog.CursorMembers, Log: room.ID}, nil, "BAD_INPUT after"},
		{"first 101", nil, ptr(101), "BAD_INPUT first"},
		{"first -1", nil, ptr(-1), "BAD_INPUT first"},
		{"the zero cursor", &eventlog.Cursor{}, nil, "ok"},
		{"first 0", w.tail(room.ID), ptr(0), "ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := w.Events(t.Context(), "ada", room.ID, tt.after, tt.first); verdict(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestPollingNothing(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.send(ada, room.ID, "hi")
	start := logCursor(room.ID)
	page, err := w.Events(t.Context(), "ada", room.ID, &start, ptr(0))
	if err != nil || len(page.Events) != 0 || page.Cursor != start {
		t.Errorf("got %+v, %v", page, err)
	}
}

func TestPollingWhereHistoryIsGone(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.send(ada, room.ID, "hi")
	tail := *w.tail(room.ID)
	for name, change := range map[string]func(*eventlog.Position){
		"another life":   func(p *eventlog.Position) { p.Epoch++ },
		"another entry":  func(p *eventlog.Position) { p.Check++ },
		"the future":     func(p *eventlog.Position) { p.Offset += 5 },
		"the far future": func(p *eventlog.Position) { p.Offset = 1<<64 - 1 },
	} {
		t.Run(name, func(t *testing.T) {
			cursor := tail
			change(&cursor.Position)
			page, err := w.Events(t.Context(), "ada", room.ID, &cursor, nil)
			w.must(err)
			if diff := cmp.Diff(chat.EventPage{Cursor: tail, Reset: true}, page); diff != "" {
				t.Error(diff)
			}
			_, err = w.Events(t.Context(), "eve", room.ID, &cursor, nil)
			w.refused("a stranger", err, "FORBIDDEN")
		})
	}
}

func TestPollingSkipsWhatItDoesntKnow(t *testing.T) {
	position := func(offset uint64) eventlog.Position {
		return eventlog.Position{Epoch: 1, Offset: offset, Check: uint32(offset)}
	}
	known := func(offset, seq uint64) eventlog.Publication {
		return (&chat.Event{
			RoomID: "r_1", Kind: chat.KindMessageSent, Seq: seq, Position: position(offset), Message: &chat.Message{Seq: seq},
		}).Publication(uint32(offset - 1))
	}
	unknown := known(3, 4)
	unknown.Kind = 60
	foreign := eventlog.Publication{Position: position(4), Seq: 4, Kind: chat.KindMessageSent, Payload: "?"}
	reset := eventlog.Publication{Position: position(5), Kind: eventlog.KindReset, Payload: eventlog.Reset{Log: "r_1"}}
	read := func(pubs ...eventlog.Publication) chat.EventPage {
		log := &fakeLog{read: func(eventlog.Position, int) (eventlog.Page, error) {
			return eventlog.Page{Publications: pubs, Tail: position(9), TailSeq: 8}, nil
		}}
		page, err := chat.NewService(&fakeStore{view: ownerView}, log, chat.Limits{}).
			Events(t.Context(), "ada", "r_1", ptr(logCursor("r_1")), nil)
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	at := func(offset, seq uint64) eventlog.Cursor {
		return eventlog.Cursor{Kind: eventlog.CursorLog, Log: "r_1", Position: position(offset), Seq: seq}
	}
	first := known(2, 3)
	if diff := cmp.Diff(chat.EventPage{Events: []eventlog.Publication{first}, Cursor: at(4, 4)}, read(first, unknown, foreign)); diff != "" {
		t.Errorf("unknown kinds: %s", diff)
	}
	if diff := cmp.Diff(chat.EventPage{Cursor: at(9, 8), Reset: true}, read(first, unknown, foreign, reset)); diff != "" {
		t.Errorf("a reset on the way: %s", diff)
	}
}

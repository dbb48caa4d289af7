package chat_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/chat"
)

func TestCreateRoom(t *testing.T) {
	w := newWorld(t)
	topic, metadata := " all about\n tea ", json.RawMessage(`{ "colour": [1, null] }`)
	room := w.create(ada, chat.CreateRoom{
		Name: ptr("  Tea  room "), Type: chat.Channel, Visibility: chat.Public, History: chat.HistorySinceJoined,
		Topic: &topic, Metadata: metadata,
	})
	want := chat.RoomSettings{
		Name: "Tea  room", Topic: "all about\n tea", Visibility: chat.Public, History: chat.HistorySinceJoined,
		Metadata: json.RawMessage(`{"colour":[1,null]}`),
	}
	if diff := cmp.Diff(want, room.RoomSettings); diff != "" {
		t.Error(diff)
	}
	if room.Type != chat.Channel || room.MemberCount != 1 || room.OwnerCount != 1 || !chat.IsRoomID(room.ID) {
		t.Errorf("got %+v", room)
	}
	member, err := w.Member(t.Context(), "ada", room.ID, "ada")
	w.must(err)
	if member == nil || member.Role != chat.Owner || member.User != ada {
		t.Errorf("the creator is %+v", member)
	}
	read, err := w.Room(t.Context(), "ada", room.ID)
	w.must(err)
	if diff := cmp.Diff(room, read); diff != "" {
		t.Errorf("read again: %s", diff)
	}
}

func TestCreateRoomRefuses(t *testing.T) {
	w := newWorld(t)
	with := func(change func(*chat.CreateRoom)) chat.CreateRoom {
		in := publicGroup
		change(&in)
		return in
	}
	for _, tt := range []struct {
		name string
		in   chat.CreateRoom
		want string
	}{
		{"a direct room", with(func(in *chat.CreateRoom) { in.Type = chat.Direct }), "BAD_INPUT type"},
		{"an unknown type", with(func(in *chat.CreateRoom) { in.Type = "CLUB" }), "BAD_INPUT type"},
		{"no visibility", with(func(in *chat.CreateRoom) { in.Visibility = "" }), "BAD_INPUT visibility"},
		{"an unknown history", with(func(in *chat.CreateRoom) { in.History = "SOME" }), "BAD_INPUT history"},
		{"a public room without a name", with(func(in *chat.CreateRoom) { in.Name = nil }), "BAD_INPUT name"},
		{"a channel without a name", with(func(in *chat.CreateRoom) {
			in.Name, in.Type, in.Visibility = nil, chat.Channel, chat.Private
		}), "BAD_INPUT name"},
		{"a blank name", with(func(in *chat.CreateRoom) { in.Name, in.Visibility = ptr(" \t"), chat.Private }), "BAD_INPUT name"},
		{"a name of 121 characters", with(func(in *chat.CreateRoom) { in.Name = ptr(strings.Repeat("é", 121)) }), "BAD_INPUT name"},
		{"a name of two lines", with(func(in *chat.CreateRoom) { in.Name = ptr("a\nb") }), "BAD_INPUT name"},
		{"a name that isn't UTF-8", with(func(in *chat.CreateRoom) { in.Name = ptr("a\xff") }), "BAD_INPUT name"},
		{"a topic of 1,001 characters", with(func(in *chat.CreateRoom) { in.Topic = ptr(strings.Repeat("é", 1001)) }), "BAD_INPUT topic"},
		{"a topic with NUL", with(func(in *chat.CreateRoom) { in.Topic = ptr("a\x00b") }), "BAD_INPUT topic"},
		{"metadata of 4,097 bytes", with(func(in *chat.CreateRoom) { in.Metadata = jsonOf(4097) }), "BAD_INPUT metadata"},
		{"metadata that isn't JSON", with(func(in *chat.CreateRoom) { in.Metadata = json.RawMessage("{") }), "BAD_INPUT metadata"},
		{"metadata that isn't UTF-8", with(func(in *chat.CreateRoom) { in.Metadata = json.RawMessage("\"\xff\"") }), "BAD_INPUT metadata"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.CreateRoom(t.Context(), ada, tt.in)
			if got := verdict(err); got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
		})
	}
}

// jsonOf is a JSON string of so many bytes.
func jsonOf(bytes int) json.RawMessage {
	return json.RawMessage(`"` + strings.Repeat("x", bytes-2) + `"`)
}

func TestCreateRoomAcceptsTheBounds(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, chat.CreateRoom{
		Name: ptr(strings.Repeat("é", 120)), Type: chat.Group, Visibility: chat.Public, History: chat.HistoryAll,
		Topic: ptr(strings.Repeat("é", 1000)), Metadata: jsonOf(4096),
	})
	page, err := w.PublicRooms(t.Context(), nil, nil, nil)
	w.must(err)
	if len(page.Rooms) != 1 || page.Rooms[0].ID != room.ID {
		t.Errorf("found %+v", page.Rooms)
	}
	if unnamed := w.create(ada, privateGroup); unnamed.Name != "" || unnamed.Metadata != nil {
		t.Errorf("a group without anything is %+v", unnamed)
	}
	null := privateGroup
	null.Metadata, null.Topic = json.RawMessage("null"), ptr("  ")
	if nulled := w.create(ada, null); nulled.Metadata != nil || nulled.Topic != "" {
		t.Errorf("a group with null and blank is %+v", nulled)
	}
}

func TestUpdateRoomChangesWhatIsGiven(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	for _, tt := range []struct {
		name   string
		change chat.UpdateRoom
		want   func(*chat.RoomSettings)
	}{
		{"name", chat.UpdateRoom{Name: set(" coffee ")}, func(r *chat.RoomSettings) { r.Name = "coffee" }},
		{"topic", chat.UpdateRoom{Topic: set("beans")}, func(r *chat.RoomSettings) { r.Topic = "beans" }},
		{"metadata", chat.UpdateRoom{Metadata: set(json.RawMessage(`[ 1 ]`))}, func(r *chat.RoomSettings) { r.Metadata = json.RawMessage(`[1]`) }},
		{"topic to none", chat.UpdateRoom{Topic: chat.Optional[string]{Set: true}}, func(r *chat.RoomSettings) { r.Topic = "" }},
		{"metadata to none", chat.UpdateRoom{Metadata: chat.Optional[json.RawMessage]{Set: true}}, func(r *chat.RoomSettings) { r.Metadata = nil }},
		{"history", chat.UpdateRoom{History: set(chat.HistorySinceJoined)}, func(r *chat.RoomSettings) { r.History = chat.HistorySinceJoined }},
		{"visibility and name to none", chat.UpdateRoom{Visibility: set(chat.Private), Name: chat.Optional[string]{Set: true}},
			func(r *chat.RoomSettings) { r.Visibility, r.Name = chat.Private, "" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := room.RoomSettings
			tt.want(&want)
			tt.change.RoomID = room.ID
			var err error
			room, err = w.UpdateRoom(t.Context(), ada, tt.change)
			w.must(err)
			if diff := cmp.Diff(want, room.RoomSettings); diff != "" {
				t.Error(diff)
			}
			w.quiet("the same again", func() {
				again, err := w.UpdateRoom(t.Context(), ada, tt.change)
				w.must(err)
				if diff := cmp.Diff(room, again); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestUpdateRoomRefuses(t *testing.T) {
	w := newWorld(t)
	group, channel := w.create(ada, publicGroup), w.create(ada, chat.CreateRoom{
		Name: ptr("news"), Type: chat.Channel, Visibility: chat.Private, History: chat.HistoryAll,
	})
	unnamed, direct := w.create(ada, privateGroup), w.direct(ada, bob)
	for _, tt := range []struct {
		name string
		in   chat.UpdateRoom
		want string
	}{
		{"a public room without a name", chat.UpdateRoom{RoomID: group.ID, Name: chat.Optional[string]{Set: true}}, "BAD_INPUT name"},
		{"a channel without a name", chat.UpdateRoom{RoomID: channel.ID, Name: chat.Optional[string]{Set: true}}, "BAD_INPUT name"},
		{"an unnamed room made public", chat.UpdateRoom{RoomID: unnamed.ID, Visibility: set(chat.Public)}, "BAD_INPUT name"},
		{"no visibility", chat.UpdateRoom{RoomID: group.ID, Visibility: chat.Optional[chat.RoomVisibility]{Set: true}}, "BAD_INPUT visibility"},
		{"no history", chat.UpdateRoom{RoomID: group.ID, History: chat.Optional[chat.RoomHistory]{Set: true}}, "BAD_INPUT history"},
		{"a name too long", chat.UpdateRoom{RoomID: group.ID, Name: set(strings.Repeat("x", 121))}, "BAD_INPUT name"},
		{"a topic too long", chat.UpdateRoom{RoomID: group.ID, Topic: set(strings.Repeat("x", 1001))}, "BAD_INPUT topic"},
		{"metadata too long", chat.UpdateRoom{RoomID: group.ID, Metadata: set(jsonOf(4097))}, "BAD_INPUT metadata"},
		{"a direct room with a name", chat.UpdateRoom{RoomID: direct.ID, Name: set("us")}, "BAD_INPUT name"},
		{"a public direct room", chat.UpdateRoom{RoomID: direct.ID, Visibility: set(chat.Public)}, "BAD_INPUT visibility"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			room, err := w.UpdateRoom(t.Context(), ada, tt.in)
			if got := verdict(err); got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
			if room.ID != "" {
				t.Errorf("a room came with the error: %+v", room)
			}
		})
	}
}

func TestUpdateRoomDecidesAgainWhenSettingsMoved(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.store.beforeAppend = func() {
		_, err := w.UpdateRoom(t.Context(), ada, chat.UpdateRoom{RoomID: room.ID, Topic: set("beans")})
		w.must(err)
	}
	got, err := w.UpdateRoom(t.Context(), ada, chat.UpdateRoom{RoomID: room.ID, Name: set("coffee")})
	w.must(err)
	if got.Name != "coffee" || got.Topic != "beans" {
		t.Errorf("one change undid the other: %+v", got.RoomSettings)
	}
}

func TestEnsureGeneral(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		w.must(w.EnsureGeneral(t.Context()))
	}
	room, member, err := w.JoinRoom(t.Context(), bob, chat.GeneralRoomID)
	w.must(err)
	if room.Name != "general" || room.Visibility != chat.Public || room.OwnerCount != 0 || room.MemberCount != 1 {
		t.Errorf("general is %+v", room)
	}
	if member.Role != chat.Ordinary {
		t.Errorf("bob is %s", member.Role)
	}
	_, err = w.LeaveRoom(t.Context(), bob, chat.GeneralRoomID)
	w.refused("leaving", err, "ok")
}

func TestRoomsThatMayNotBeKnownOfLookLikeNone(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	secret := w.send(ada, room.ID, "secret")
	past := w.create(ada, privateGroup)
	w.add(ada, past.ID, bob, chat.Ordinary)
	seen := w.send(ada, past.ID, "seen once")
	w.remove(ada, past.ID, bob)

	none := chat.MessageID("r_none", 1, "salt")
	for _, ids := range [][2]string{{room.ID, secret.ID()}, {past.ID, seen.ID()}} {
		roomID, messageID := ids[0], ids[1]
		for name, call := range w.callsOnRoom(bob, ada.ID) {
			t.Run(name, func(t *testing.T) {
				hidden, absent := call(roomID, messageID), call("r_none", none)
				if diff := cmp.Diff(absent, hidden, cmp.AllowUnexported(chat.Error{})); diff != "" || chat.CodeOf(hidden) != chat.NotFound {
					t.Errorf("hidden: %v, absent: %v", hidden, absent)
				}
				for _, id := range []string{"", "r_", "general", "r_A", "r_" + strings.Repeat("x", 65), "r_\x00", messageID} {
					if err := call(id, "m_"+id); chat.CodeOf(err) != chat.NotFound {
						t.Errorf("with id %q: %v", id, err)
					}
				}
			})
		}
	}
}

// callsOnRoom are all calls that name a room, or a message of it, but for answers to a message.
func (w *world) callsOnRoom(actor chat.User, other string) map[string]func(room, message string) error {
	ctx := w.Context()
	return map[string]func(room, message string) error{
		"UpdateRoom": func(room, _ string) error {
			_, err := w.UpdateRoom(ctx, actor, chat.UpdateRoom{RoomID: room, Name: set("x")})
			return err
		},
		"JoinRoom":  func(room, _ string) error { _, _, err := w.JoinRoom(ctx, actor, room); return err },
		"LeaveRoom": func(room, _ string) error { _, err := w.LeaveRoom(ctx, actor, room); return err },
		"AddMember": func(room, _ string) error {
			_, _, err := w.AddMember(ctx, actor, room, other, chat.Ordinary)
			return err
		},
		"RemoveMember": func(room, _ string) error { _, err := w.RemoveMember(ctx, actor, room, other); return err },
		"SetRole":      func(room, _ string) error { _, err := w.SetRole(ctx, actor, room, other, chat.Admin); return err },
		"SendMessage": func(room, _ string) error {
			_, err := w.SendMessage(ctx, actor, chat.SendMessage{RoomID: room, Content: "hi", ClientID: "1"})
			return err
		},
		"EditMessage":   func(_, message string) error { _, err := w.EditMessage(ctx, actor, message, "x"); return err },
		"DeleteMessage": func(_, message string) error { _, err := w.DeleteMessage(ctx, actor, message); return err },
		"MarkRead":      func(room, _ string) error { _, _, err := w.MarkRead(ctx, actor, room, 1); return err },
		"Access":        func(room, _ string) error { _, err := w.Access(ctx, actor.ID, room); return err },
		"Room":          func(room, _ string) error { _, err := w.Room(ctx, actor.ID, room); return err },
		"Message":       func(_, message string) error { _, err := w.Message(ctx, actor.ID, message); return err },
		"Messages":      func(room, _ string) error { _, err := w.Messages(ctx, actor.ID, room, chat.PageArgs{}); return err },
		"Members":       func(room, _ string) error { _, err := w.Members(ctx, actor.ID, room, nil, nil); return err },
		"Member":        func(room, _ string) error { _, err := w.Member(ctx, actor.ID, room, other); return err },
		"Unread":        func(room, _ string) error { _, err := w.Unread(ctx, actor.ID, room); return err },
		"Events":        func(room, _ string) error { _, err := w.Events(ctx, actor.ID, room, nil, nil); return err },
		"Events after a cursor": func(room, _ string) error {
			_, err := w.Events(ctx, actor.ID, room, ptr(logCursor(room)), nil)
			return err
		},
	}
}

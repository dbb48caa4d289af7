package chat_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley/chat"
	"parley/eventlog"
)

func ids(rooms []chat.Room) []string {
	var all []string
	for _, room := range rooms {
		all = append(all, room.ID)
	}
	return all
}

func TestRoomsByLastActivity(t *testing.T) {
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	rooms := []chat.Membership{
		{Room: chat.Room{ID: "r_a", CreatedAt: at(10)}},
		{Room: chat.Room{ID: "r_b", CreatedAt: at(10)}},
		{Room: chat.Room{ID: "r_c", CreatedAt: at(1), LastMessageAt: ptr(at(20))}},
		{Room: chat.Room{ID: "r_d", CreatedAt: at(30), LastMessageAt: ptr(at(40))}},
		{Room: chat.Room{ID: "r_e", CreatedAt: at(10)}},
		{Room: chat.Room{ID: "r_f", CreatedAt: at(5)}},
	}
	want := []string{"r_d", "r_c", "r_a", "r_b", "r_e", "r_f"}
	store := &fakeStore{roomsOf: func(string) ([]chat.Membership, error) {
		rand.Shuffle(len(rooms), func(i, j int) { rooms[i], rooms[j] = rooms[j], rooms[i] })
		return rooms, nil
	}}
	service := chat.NewService(store, nil, chat.Limits{})
	rapid.Check(t, func(r *rapid.T) {
		var got []string
		var after *eventlog.Cursor
		for more := true; more; {
			size := rapid.IntRange(1, 4).Draw(r, "size")
			page, err := service.Rooms(t.Context(), "ada", &size, after)
			if err != nil || len(page.Cursors) != len(page.Rooms) {
				r.Fatalf("%+v, %v", page, err)
			}
			got = append(got, ids(page.Rooms)...)
			if more = page.HasMore; more && len(page.Rooms) != size {
				r.Fatalf("%d of %d, and more to come", len(page.Rooms), size)
			}
			after = ptr(page.Cursors[len(page.Cursors)-1])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatal(diff)
		}
	})
}

func TestRoomsAreOnesOwn(t *testing.T) {
	w := newWorld(t)
	first, second := w.create(ada, privateGroup), w.create(ada, publicGroup)
	w.create(bob, publicGroup)
	left := w.create(ada, privateGroup)
	_, err := w.LeaveRoom(t.Context(), ada, left.ID)
	w.must(err)
	w.send(ada, first.ID, "hi")
	page, err := w.Rooms(t.Context(), "ada", nil, nil)
	w.must(err)
	if got := ids(page.Rooms); page.HasMore || len(got) != 2 || !strings.Contains(fmt.Sprint(got), second.ID) {
		t.Errorf("got %v", got)
	}
	none, err := w.Rooms(t.Context(), "ada", ptr(0), nil)
	if err != nil || len(none.Rooms) != 0 || !none.HasMore {
		t.Errorf("first 0: %+v, %v", none, err)
	}
	if nobody, err := w.Rooms(t.Context(), "eve", nil, nil); err != nil || len(nobody.Rooms) != 0 || nobody.HasMore {
		t.Errorf("eve's: %+v, %v", nobody, err)
	}
}

func TestRoomListsRefuse(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name  string
		first *int
		after *eventlog.Cursor
		want  string
	}{
		{"first 101", ptr(101), nil, "BAD_INPUT first"},
		{"first -1", ptr(-1), nil, "BAD_INPUT first"},
		{"a room's cursor", nil, ptr(logCursor("r_1")), "BAD_INPUT after"},
		{"members' cursor", nil, &eventlog.Cursor{Kind: eventlog.CursorMembers}, "BAD_INPUT after"},
		{"zero cursor", nil, &eventlog.Cursor{}, "ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, own := w.Rooms(t.Context(), "ada", tt.first, tt.after)
			_, public := w.PublicRooms(t.Context(), nil, tt.first, tt.after)
			if verdict(own) != tt.want || verdict(public) != tt.want {
				t.Errorf("got %v and %v, want %s", own, public, tt.want)
			}
		})
	}
	for _, key := range []string{"", "x", "12", "12 general", "x r_1", "99999999999999999999 r_1"} {
		_, err := w.Rooms(t.Context(), "ada", nil, &eventlog.Cursor{Kind: eventlog.CursorRooms, Key: key})
		w.refused(fmt.Sprintf("key %q", key), err, "BAD_INPUT after")
	}
}

func TestPublicRooms(t *testing.T) {
	w := newWorld(t)
	w.create(ada, privateGroup)
	names := []string{"Tea", "tea", "Coffee", "Straße", "éclair", "teapot", "100% juice", "a_b"}
	created := make(map[string]string)
	for _, name := range names {
		in := publicGroup
		in.Name = ptr(name)
		created[w.create(ada, in).ID] = name
	}
	found := func(search *string) map[string]bool {
		t.Helper()
		got := make(map[string]bool)
		var after *eventlog.Cursor
		for more := true; more; {
			page, err := w.PublicRooms(t.Context(), search, ptr(2), after)
			w.must(err)
			for i, room := range page.Rooms {
				if got[room.ID] {
					t.Errorf("%s came twice", room.Name)
				}
				got[room.ID] = true
				cursor, err := eventlog.ParseCursor(page.Cursors[i].String())
				w.must(err)
				after = &cursor
			}
			more = page.HasMore
		}
		return got
	}
	for _, tt := range []struct {
		search *string
		want   []string
	}{
		{nil, names},
		{ptr("  "), names},
		{ptr("TEA"), []string{"Tea", "tea", "teapot"}},
		{ptr("É"), []string{"éclair"}},
		{ptr("%"), []string{"100% juice"}},
		{ptr("_"), []string{"a_b"}},
		{ptr("nothing"), nil},
	} {
		got := make(map[string]bool)
		for id := range found(tt.search) {
			got[created[id]] = true
		}
		want := make(map[string]bool)
		for _, name := range tt.want {
			want[name] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("search %v: %s", tt.search, diff)
		}
	}
	if page, err := w.PublicRooms(t.Context(), nil, ptr(0), nil); err != nil || len(page.Rooms) != 0 || !page.HasMore {
		t.Errorf("first 0: %+v, %v", page, err)
	}
	for _, search := range []string{strings.Repeat("x", 121), "a\x00", "\xff"} {
		_, err := w.PublicRooms(t.Context(), &search, nil, nil)
		w.refused("searching", err, "BAD_INPUT search")
	}
}

func TestCursorsOfTheLongestNamesComeBack(t *testing.T) {
	room := chat.Room{ID: "r_" + strings.Repeat("x", 64), RoomSettings: chat.RoomSettings{Name: strings.Repeat("𐐀", 160)}}
	cursor := eventlog.Cursor{Kind: eventlog.CursorPublicRooms, Key: room.PublicKey()}
	if _, err := eventlog.ParseCursor(cursor.String()); err != nil {
		t.Error(err)
	}
}

func TestSharesRoom(t *testing.T) {
	w := newWorld(t)
	room, other := w.create(ada, publicGroup), w.create(eve, publicGroup)
	_, _, err := w.JoinRoom(t.Context(), bob, room.ID)
	w.must(err)
	w.add(ada, room.ID, cyd, chat.Ordinary)
	gone := chat.User{ID: "gone"}
	w.add(ada, room.ID, gone, chat.Ordinary)
	w.remove(ada, room.ID, gone)
	asked := []string{"eve", "bob", "cyd", "ada", "gone", "bob", "nobody", "", "r_x"}
	for _, tt := range []struct {
		viewer string
		want   map[string]chat.User
	}{
		{"ada", map[string]chat.User{"ada": ada, "bob": bob, "cyd": {ID: "cyd"}}},
		{"eve", map[string]chat.User{"eve": eve}},
		{"gone", map[string]chat.User{"gone": {ID: "gone"}}},
		{"nobody", map[string]chat.User{"nobody": {ID: "nobody"}}},
	} {
		got, err := w.SharesRoom(t.Context(), tt.viewer, asked)
		w.must(err)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.viewer, diff)
		}
	}
	_, err = w.LeaveRoom(t.Context(), eve, other.ID)
	w.must(err)
	if got, err := w.SharesRoom(t.Context(), "eve", []string{"eve"}); err != nil || len(got) != 1 {
		t.Errorf("one without rooms: %v, %v", got, err)
	}
	_, err = w.SharesRoom(t.Context(), "ada", make([]string, chat.MaxCompany+1))
	w.refused("too many", err, "BAD_INPUT userIds")
}

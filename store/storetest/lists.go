package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"parley/chat"
)

func testLists(r rig) {
	r.sub("a user's rooms are those they are in now", listRoomsOf)
	r.sub("a user's rooms show room and row as they stand", listMemberships)
	r.sub("public rooms in the order of their keys", listPublic)
	r.sub("public rooms by search", listSearch)
	r.sub("a room made private is no longer found", listMadePrivate)
	r.sub("a renamed room moves in the list", listRenamed)
}

// roomsOf returns a user's rooms in the order of their ids.
func (r rig) roomsOf(user string) []chat.Membership {
	r.Helper()
	rooms, err := r.RoomsOf(r.Context(), user)
	r.must("RoomsOf", err)
	slices.SortFunc(rooms, func(a, b chat.Membership) int { return cmp.Compare(a.Room.ID, b.Room.ID) })
	return rooms
}

func listRoomsOf(r rig) {
	ada, bob := person("ada"), person("bob")
	r.same("of a stranger", r.roomsOf(bob.ID), nil)
	created, joined, left, removed, public := r.group(bob), r.group(ada), r.group(ada), r.group(ada), r.public("Public")
	for _, room := range []string{joined, left, removed, public} {
		r.append(joining(room, bob))
	}
	r.append(leaving(left, bob))
	r.append(removing(removed, ada, bob))
	want := []string{created, joined, public}
	slices.Sort(want)
	var got []string
	for _, m := range r.roomsOf(bob.ID) {
		got = append(got, m.Room.ID)
	}
	r.same("rooms", got, want)
	r.append(joining(left, bob))
	r.same("rooms after coming back", len(r.roomsOf(bob.ID)), 4)
	count, err := r.RoomCount(r.Context(), bob.ID)
	r.must("RoomCount", err)
	r.same("their count", count, 4)
}

func listMemberships(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	r.send(room, ada, "one")
	r.markRead(room, bob, 1)
	r.append(changingRole(room, ada, bob, chat.Admin))
	r.same("membership", r.roomsOf(bob.ID), []chat.Membership{{Room: r.room(room), Member: r.member(room, bob.ID)}})
}

// public creates a public room and returns its id.
func (r rig) public(name string) string {
	r.Helper()
	return r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Channel, Settings: chat.RoomSettings{
		Name: name, Visibility: chat.Public, History: chat.HistoryAll,
	}}).ID
}

func (r rig) publicRooms(search, after string, limit int) []chat.Room {
	r.Helper()
	rooms, err := r.PublicRooms(r.Context(), search, after, limit)
	r.must("PublicRooms", err)
	return rooms
}

func names(rooms []chat.Room) []string {
	var names []string
	for i := range rooms {
		names = append(names, rooms[i].Name)
	}
	return names
}

func listPublic(r rig) {
	mark := unique("order")
	for _, name := range []string{"b", "A", "ab", "a", "Ä", "ä", "Z", "日本", "", "a b", "🦜", "same", "same", "same"} {
		r.public(name + " " + mark)
	}
	r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Group, Settings: chat.RoomSettings{
		Name: "private " + mark, Visibility: chat.Private, History: chat.HistoryAll,
	}})
	all := r.publicRooms(mark, "", 100)
	r.same("count", len(all), 14)
	if !slices.IsSortedFunc(all, func(a, b chat.Room) int { return cmp.Compare(a.PublicKey(), b.PublicKey()) }) {
		r.Fatalf("not in the order of keys: %q", names(all))
	}
	for i := range all {
		r.same("room", all[i], r.room(all[i].ID))
	}
	for limit := 1; limit <= len(all)+1; limit++ {
		var walked []chat.Room
		for after := ""; ; after = walked[len(walked)-1].PublicKey() {
			page := r.publicRooms(mark, after, limit)
			if walked = append(walked, page...); len(page) < limit {
				break
			}
			if len(walked) > len(all) {
				r.Fatalf("a walk with limit %d goes round in circles: %q", limit, names(walked))
			}
		}
		r.same(fmt.Sprint("walk with limit ", limit), walked, all)
	}
}

func listSearch(r rig) {
	mark := unique("search")
	for _, name := range []string{"100%", "100 per cent", "under_score", "underscore", `back\slash`, "[a-z]*", "Straße", "ÉTÉ", "it's", `say "hi"`} {
		r.public(name + " " + mark)
	}
	for search, want := range map[string][]string{
		"100":       {"100 per cent", "100%"},
		"100%":      {"100%"},
		"%":         {"100%"},
		"under_":    {"under_score"},
		"UNDER":     {"under_score", "underscore"},
		`k\s`:       {`back\slash`},
		"[a-z]*":    {"[a-z]*"},
		".":         nil,
		"été":       {"ÉTÉ"},
		"Été":       {"ÉTÉ"},
		"straße":    {"Straße"},
		"it's":      {"it's"},
		`"hi"`:      {`say "hi"`},
		"no such":   nil,
		" ' OR 1=1": nil,
	} {
		var got []string
		for _, room := range r.publicRooms(search, "", 1000) {
			if name, ours := strings.CutSuffix(room.Name, " "+mark); ours {
				got = append(got, name)
			}
		}
		r.same("search for "+search, got, want)
	}
}

func listMadePrivate(r rig) {
	ada, mark := person("ada"), unique("hide")
	room := r.room(r.public("open " + mark))
	r.same("found", names(r.publicRooms(mark, "", 10)), []string{"open " + mark})
	settings := room.RoomSettings
	settings.Visibility = chat.Private
	r.append(updating(room.ID, ada, settings))
	r.same("hidden", names(r.publicRooms(mark, "", 10)), nil)
	settings.Visibility = chat.Public
	r.append(updating(room.ID, ada, settings))
	r.same("shown again", r.publicRooms(mark, "", 10), []chat.Room{r.room(room.ID)})
}

func listRenamed(r rig) {
	ada, mark := person("ada"), unique("rename")
	first, second := r.room(r.public("a "+mark)), r.room(r.public("b "+mark))
	first.Name = "C " + mark
	r.append(updating(first.ID, ada, first.RoomSettings))
	r.send(first.ID, ada, "a message between")
	r.same("order", names(r.publicRooms(mark, "", 10)), []string{"b " + mark, "C " + mark})
	r.same("the old name", names(r.publicRooms("a "+mark, "", 10)), nil)
	r.same("after the first", names(r.publicRooms(mark, second.PublicKey(), 10)), []string{"C " + mark})
}

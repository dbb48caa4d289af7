package storetest

import (
	"fmt"
	"slices"
	"time"

	"parley/chat"
	"parley/eventlog"
	"parley/presence"
)

func testTyping(r rig) {
	r.sub("is the set in the order of ids", typingSet)
	r.sub("refreshed isn't told again", typingRefresh)
	r.sub("expired is told once, by whoever sweeps", typingExpiry)
	r.sub("ends with the last device", typingDevice)
	r.sub("ends with the last device, lapsed", typingLapsed)
	r.sub("is bounded", typingBounded)
	r.sub("by many at once", typingAtOnce)
	r.sub("in one room isn't told in another", typingRooms)
	r.sub("is known of who sends", typingSender)
}

// typingSender: an append says whether its sender types there, a repeated one too.
func typingSender(r rig) {
	ada := person("ada")
	room, elsewhere := r.group(ada), r.group(ada)
	sends := func(what string, want bool, a chat.Append) {
		r.Helper()
		done, err := r.Append(r.Context(), a)
		if r.must(what, err); done.Typing != want {
			r.Errorf("%s: typing %v", what, done.Typing)
		}
	}
	sends("before", false, sending(room, ada, "hi"))
	r.typing(room, shown(ada), long)
	sends("typing", true, sendingOnce(room, ada, "hi", "key"))
	sends("repeated", true, sendingOnce(room, ada, "hi", "key"))
	sends("in another room", false, sending(elsewhere, ada, "hi"))
	r.typing(room, shown(ada), 0)
	sends("after", false, sending(room, ada, "hi"))
	sends("repeated after", false, sendingOnce(room, ada, "hi", "key"))
}

func (r rig) typing(room string, user presence.User, ttl time.Duration) {
	r.Helper()
	r.must("SetTyping", r.SetTyping(r.Context(), room, user, ttl))
}

func (r rig) typists(room string) []presence.User {
	r.Helper()
	set, err := r.Typing(r.Context(), room)
	r.must("Typing", err)
	if set.RoomID != room {
		r.Fatalf("typing in %s is of %q", room, set.RoomID)
	}
	return set.Users
}

// typer is a user whose id sorts by name and whose name tells them in a story.
func typer(name string) presence.User {
	return presence.User{ID: unique(name), Name: name, AvatarURL: "https://pictures.test/" + name}
}

func typingSet(r rig) {
	ada, bob, eve, room := typer("ada"), typer("bob"), typer("eve"), r.group(person("owner"))
	r.same("nobody", r.typists(room), nil)
	rec, _ := r.record(eventlog.TypingTopic(room))
	r.typing(room, bob, long)
	r.typing(room, eve, long)
	r.typing(room, ada, long)
	r.same("set", r.typists(room), []presence.User{ada, bob, eve})
	r.typing(room, bob, 0)
	r.typing(room, bob, 0) // nothing to tell
	r.same("set", r.typists(room), []presence.User{ada, eve})
	r.typing(room, eve, 0)
	r.typing(room, ada, 0)
	r.same("nobody again", r.typists(room), nil)
	rec.story(typists, "", "<bob>", "<bob><eve>", "<ada><bob><eve>", "<ada><eve>", "<ada>", "")

	r.typing(room, ada, long)
	late, _ := r.record(eventlog.TypingTopic(room))
	late.story(typists, "<ada>")
	r.same("as told", late.newest().Payload, &presence.Typing{RoomID: room, Users: []presence.User{ada}})
}

func typingRefresh(r rig) {
	ada, bob, room := typer("ada"), typer("bob"), r.group(person("owner"))
	rec, _ := r.record(eventlog.TypingTopic(room))
	r.typing(room, ada, ample)
	for range 3 {
		r.typing(room, ada, long)
	}
	r.pass(ample)
	r.sweep(0)
	r.same("still typing", r.typists(room), []presence.User{ada})
	r.typing(room, bob, long)
	rec.story(typists, "", "<ada>", "<ada><bob>")
}

func typingExpiry(r rig) {
	ada, bob, room := typer("ada"), typer("bob"), r.group(person("owner"))
	rec, _ := r.record(eventlog.TypingTopic(room))
	want := []string{""}
	for range scaled(3, 30) {
		r.typing(room, bob, long)
		r.typing(room, ada, short)
		r.pass(2 * short)
		r.same("read before any sweep", r.typists(room), []presence.User{bob})
		together(10, func(int) {
			if _, err := r.Sweep(r.Context(), 0); err != nil {
				r.Errorf("Sweep: %v", err)
			}
		})
		r.sweep(0)
		r.typing(room, bob, 0)
		want = append(want, "<bob>", "<ada><bob>", "<bob>", "")
	}
	rec.story(typists, want...)
}

func typingDevice(r rig) {
	for _, grace := range []time.Duration{0, long} {
		r.sub(fmt.Sprint("with a grace of ", grace), func(r rig) {
			ada, bob, node := typer("ada"), typer("bob"), r.node()
			rooms := []string{r.group(person("owner")), r.group(person("owner"))}
			var recs []*recorder
			r.connect(node, "phone", ada)
			r.connect(node, "desk", ada)
			for _, room := range rooms {
				rec, _ := r.record(eventlog.TypingTopic(room))
				recs = append(recs, rec)
				r.typing(room, ada, long)
				r.typing(room, bob, long) // by HTTP alone: needs no device
			}
			r.disconnect(node, "phone", ada, grace)
			r.same("one device left", r.typists(rooms[0]), []presence.User{ada, bob})
			r.disconnect(node, "desk", ada, grace)
			for i, room := range rooms {
				r.same("no device left", r.typists(room), []presence.User{bob})
				recs[i].story(typists, "", "<ada>", "<ada><bob>", "<bob>")
			}
		})
	}
}

func typingLapsed(r rig) {
	ada, node, room := typer("ada"), r.node(), r.group(person("owner"))
	rec, _ := r.record(eventlog.TypingTopic(room))
	r.connect(node, "device", ada)
	r.typing(room, ada, long)
	r.lapse(node)
	r.sweepOffline(ada, 0)
	r.same("set", r.typists(room), nil)
	rec.story(typists, "", "<ada>", "")
}

func typingBounded(r rig) {
	room := r.group(person("owner"))
	rec, _ := r.record(eventlog.TypingTopic(room))
	for range presence.MaxTyping + 10 {
		r.typing(room, typer("crowd"), long)
	}
	set := r.typists(room)
	r.same("size", len(set), presence.MaxTyping)
	if told := rec.newest().Payload.(*presence.Typing); len(told.Users) > presence.MaxTyping {
		r.Fatalf("told of %d", len(told.Users))
	}
	r.typing(room, set[0], 0)
	r.typing(room, set[1], long)
	if n := len(r.typists(room)); n != presence.MaxTyping-1 && n != presence.MaxTyping {
		r.Fatalf("%d type after one has ended", n)
	}
}

func typingAtOnce(r rig) {
	room := r.group(person("owner"))
	rec, _ := r.record(eventlog.TypingTopic(room))
	users := make([]presence.User, 30)
	for i := range users {
		users[i] = typer(fmt.Sprintf("user%02d", i))
	}
	together(len(users), func(i int) {
		for _, ttl := range []time.Duration{long, 0, long} {
			r.types(room, users[i], ttl)
		}
	})
	want := &presence.Typing{RoomID: room, Users: users}
	slices.SortFunc(want.Users, func(a, b presence.User) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	r.same("set", r.typists(room), want.Users)
	r.eventually("the newest value is the whole set", func() bool {
		told, ok := rec.newest().Payload.(*presence.Typing)
		return ok && slices.Equal(told.Users, want.Users)
	})
	versions := map[uint64]string{}
	for _, v := range rec.all() {
		if before, found := versions[v.Version]; found && before != typists(v) {
			r.Fatalf("version %d is two sets: %s and %s", v.Version, before, typists(v))
		}
		versions[v.Version] = typists(v)
	}
}

func typingRooms(r rig) {
	ada, one, two := typer("ada"), r.group(person("owner")), r.group(person("owner"))
	rec, _ := r.record(eventlog.TypingTopic(one))
	r.typing(two, ada, long)
	r.typing(one, ada, long)
	r.typing(two, ada, 0)
	r.typing(one, ada, 0)
	rec.story(typists, "", "<ada>", "")
}

package chat_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/chat"
)

func TestJoinRoom(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	joined, member, err := w.JoinRoom(t.Context(), bob, room.ID)
	w.must(err)
	if joined.MemberCount != 2 || member.Role != chat.Ordinary || member.User != bob || !member.Active {
		t.Errorf("got %+v in %+v", member, joined)
	}
	w.quiet("joining again", func() {
		_, again, err := w.JoinRoom(t.Context(), bob, room.ID)
		w.must(err)
		if diff := cmp.Diff(member, again); diff != "" {
			t.Error(diff)
		}
	})
	w.quiet("an owner joining", func() {
		_, owner, err := w.JoinRoom(t.Context(), ada, room.ID)
		w.must(err)
		if owner.Role != chat.Owner {
			t.Errorf("ada became %s", owner.Role)
		}
	})
}

func TestComingBackMakesAnOrdinaryMember(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.add(ada, room.ID, bob, chat.Admin)
	_, err := w.LeaveRoom(t.Context(), bob, room.ID)
	w.must(err)
	_, member, err := w.JoinRoom(t.Context(), bob, room.ID)
	w.must(err)
	if member.Role != chat.Ordinary || len(member.Intervals) != 2 {
		t.Errorf("got %+v", member)
	}
}

func TestARoomMadePrivateWhileSomebodyJoins(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.store.beforeAppend = func() {
		_, err := w.UpdateRoom(t.Context(), ada, chat.UpdateRoom{RoomID: room.ID, Visibility: set(chat.Private)})
		w.must(err)
	}
	_, _, err := w.JoinRoom(t.Context(), bob, room.ID)
	w.refused("joining", err, "NOT_FOUND")
}

func TestLeaveRoom(t *testing.T) {
	w := newWorld(t)
	public, private := w.create(ada, publicGroup), w.create(ada, privateGroup)
	for _, room := range []chat.Room{public, private} {
		w.add(ada, room.ID, bob, chat.Ordinary)
		left, err := w.LeaveRoom(t.Context(), bob, room.ID)
		w.must(err)
		if left.MemberCount != 1 {
			t.Errorf("%d members remain", left.MemberCount)
		}
	}
	w.quiet("leaving again", func() {
		_, err := w.LeaveRoom(t.Context(), bob, public.ID)
		w.refused("a public room", err, "ok")
		_, err = w.LeaveRoom(t.Context(), bob, private.ID)
		w.refused("a private room", err, "NOT_FOUND")
	})
}

func TestTheLastOwner(t *testing.T) {
	leave := func(w *world, user chat.User, room string) error {
		_, err := w.LeaveRoom(w.Context(), user, room)
		return err
	}
	t.Run("can't leave while others remain", func(t *testing.T) {
		w := newWorld(t)
		room := w.create(ada, privateGroup)
		w.add(ada, room.ID, bob, chat.Admin)
		w.refused("leaving", leave(w, ada, room.ID), "CONFLICT")
		w.refused("removing oneself", removing("ada")(w, ada, room.ID, nil), "CONFLICT")
		w.refused("stepping down", setting("ada", chat.Admin)(w, ada, room.ID, nil), "CONFLICT")
	})
	t.Run("may leave alone", func(t *testing.T) {
		w := newWorld(t)
		room := w.create(ada, privateGroup)
		w.refused("leaving", leave(w, ada, room.ID), "ok")
	})
	t.Run("can't step down alone", func(t *testing.T) {
		w := newWorld(t)
		room := w.create(ada, privateGroup)
		w.refused("stepping down", setting("ada", chat.Ordinary)(w, ada, room.ID, nil), "CONFLICT")
	})
	t.Run("may go once there is another", func(t *testing.T) {
		w := newWorld(t)
		room := w.create(ada, privateGroup)
		w.add(ada, room.ID, bob, chat.Ordinary)
		w.must(setting("bob", chat.Owner)(w, ada, room.ID, nil))
		w.refused("stepping down", setting("ada", chat.Admin)(w, ada, room.ID, nil), "ok")
		w.refused("leaving", leave(w, ada, room.ID), "ok")
		w.refused("the other one alone", leave(w, bob, room.ID), "ok")
	})
	for name, go2 := range map[string]func(w *world, room string) error{
		"leaves while the other leaves":     func(w *world, room string) error { return leave(w, bob, room) },
		"leaves while the other steps down": func(w *world, room string) error { return setting("bob", chat.Ordinary)(w, bob, room, nil) },
		"leaves while the other is removed": func(w *world, room string) error { return removing("bob")(w, ada, room, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			room := w.create(ada, privateGroup)
			w.add(ada, room.ID, bob, chat.Owner)
			w.add(ada, room.ID, cyd, chat.Ordinary)
			w.store.beforeAppend = func() { w.must(go2(w, room.ID)) }
			w.refused("leaving", leave(w, ada, room.ID), "CONFLICT")
			w.refused("stepping down", setting("ada", chat.Ordinary)(w, ada, room.ID, nil), "CONFLICT")
		})
	}
}

func TestOwnersLeavingAtOnceLeaveOne(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		room := w.create(ada, privateGroup)
		w.add(ada, room.ID, bob, chat.Owner)
		w.add(ada, room.ID, cyd, chat.Ordinary)
		var errs [2]error
		var wg sync.WaitGroup
		for i, user := range []chat.User{ada, bob} {
			wg.Go(func() { _, errs[i] = w.Service.LeaveRoom(t.Context(), user, room.ID) })
		}
		wg.Wait()
		left, err := w.RoomByID(t.Context(), room.ID)
		w.must(err)
		if left.OwnerCount != 1 || left.MemberCount != 2 {
			t.Fatalf("%d owners of %d members remain; %v", left.OwnerCount, left.MemberCount, errs)
		}
	}
}

func TestOwnersRemovingEachOtherLeaveOne(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.add(ada, room.ID, bob, chat.Owner)
	w.store.beforeAppend = func() { w.remove(bob, room.ID, ada) }
	w.refused("the slower one", removing("bob")(w, ada, room.ID, nil), "FORBIDDEN")
}

func TestAddMember(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, privateGroup)
	added, member, err := w.AddMember(t.Context(), ada, room.ID, "bob", chat.Admin)
	w.must(err)
	if added.MemberCount != 2 || member.Role != chat.Admin || member.User != (chat.User{ID: "bob"}) {
		t.Errorf("got %+v in %+v", member, added)
	}
	w.quiet("again", func() {
		_, again, err := w.AddMember(t.Context(), ada, room.ID, "bob", chat.Admin)
		w.must(err)
		if diff := cmp.Diff(member, again); diff != "" {
			t.Error(diff)
		}
		_, _, err = w.AddMember(t.Context(), ada, room.ID, "bob", chat.Ordinary)
		w.refused("with another role", err, "CONFLICT")
		_, self, err := w.AddMember(t.Context(), ada, room.ID, "ada", chat.Owner)
		w.must(err)
		if self.Role != chat.Owner {
			t.Errorf("ada became %s", self.Role)
		}
	})
	for _, id := range []string{"", "r_x", "m_x", "rm_x", "a\x00b", "a\xff", string(make([]byte, 200))} {
		_, _, err = w.AddMember(t.Context(), ada, room.ID, id, chat.Ordinary)
		w.refused("a user with id "+id, err, "BAD_INPUT userId")
	}
	_, _, err = w.AddMember(t.Context(), ada, room.ID, "cyd", "GOD")
	w.refused("an unknown role", err, "BAD_INPUT role")
}

func TestAddMemberKeepsANameOnceKnown(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	_, _, err := w.JoinRoom(t.Context(), bob, room.ID)
	w.must(err)
	_, err = w.LeaveRoom(t.Context(), bob, room.ID)
	w.must(err)
	_, member, err := w.AddMember(t.Context(), ada, room.ID, "bob", chat.Ordinary)
	w.must(err)
	if member.User != bob {
		t.Errorf("got %+v", member.User)
	}
}

func TestRemoveMember(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.add(ada, room.ID, bob, chat.Ordinary)
	left, err := w.RemoveMember(t.Context(), ada, room.ID, "bob")
	w.must(err)
	if left.MemberCount != 1 {
		t.Errorf("%d members remain", left.MemberCount)
	}
	w.quiet("again", func() { w.refused("a past member", removing("bob")(w, ada, room.ID, nil), "ok") })
	w.refused("one who never was", removing("eve")(w, ada, room.ID, nil), "NOT_FOUND userId")
	w.refused("no user", removing("r_x")(w, ada, room.ID, nil), "BAD_INPUT userId")
	w.quiet("a stranger removing themself", func() {
		w.refused("from a public room", removing("eve")(w, eve, room.ID, nil), "ok")
	})
}

func TestSetRole(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.add(ada, room.ID, bob, chat.Ordinary)
	member, err := w.SetRole(t.Context(), ada, room.ID, "bob", chat.Owner)
	w.must(err)
	if member.Role != chat.Owner {
		t.Errorf("bob is %s", member.Role)
	}
	w.quiet("again", func() {
		again, err := w.SetRole(t.Context(), ada, room.ID, "bob", chat.Owner)
		w.must(err)
		if diff := cmp.Diff(member, again); diff != "" {
			t.Error(diff)
		}
	})
	w.refused("of one who never was", setting("eve", chat.Admin)(w, ada, room.ID, nil), "NOT_FOUND userId")
	w.refused("to nothing", setting("bob", "")(w, ada, room.ID, nil), "BAD_INPUT role")
	w.remove(ada, room.ID, bob)
	w.refused("of a past member", setting("bob", chat.Admin)(w, ada, room.ID, nil), "NOT_FOUND userId")
}

func TestARoleTakenAwayMeanwhileCounts(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	w.add(ada, room.ID, bob, chat.Admin)
	w.store.beforeAppend = func() { w.must(setting("bob", chat.Ordinary)(w, ada, room.ID, nil)) }
	w.refused("adding", adding(chat.Ordinary)(w, bob, room.ID, nil), "FORBIDDEN")
}

func TestJoinsDontConflictWithOneAnother(t *testing.T) {
	w := newWorld(t)
	room := w.create(ada, publicGroup)
	before := w.store.appends.Load()
	w.store.beforeAppend = func() {
		_, _, err := w.JoinRoom(t.Context(), cyd, room.ID)
		w.must(err)
	}
	_, _, err := w.JoinRoom(t.Context(), bob, room.ID)
	w.must(err)
	if n := w.store.appends.Load() - before; n != 2 {
		t.Errorf("%d appends for two joins", n)
	}
}

func TestLimitsOfMembership(t *testing.T) {
	t.Run("members per room", func(t *testing.T) {
		w := limitedWorld(t, chat.Limits{MembersPerRoom: 2})
		room := w.create(ada, publicGroup)
		w.add(ada, room.ID, bob, chat.Ordinary)
		_, _, err := w.JoinRoom(t.Context(), cyd, room.ID)
		w.refused("joining", err, "LIMIT_EXCEEDED")
		w.refused("adding", adding(chat.Ordinary)(w, ada, room.ID, nil), "LIMIT_EXCEEDED")
		_, _, err = w.JoinRoom(t.Context(), bob, room.ID)
		w.refused("one who is in", err, "ok")
		w.remove(ada, room.ID, bob)
		_, _, err = w.JoinRoom(t.Context(), cyd, room.ID)
		w.refused("once there is place", err, "ok")
	})
	t.Run("rooms per user", func(t *testing.T) {
		w := limitedWorld(t, chat.Limits{RoomsPerUser: 2})
		room := w.create(ada, publicGroup)
		w.create(bob, publicGroup)
		mine := w.create(bob, publicGroup)
		_, err := w.CreateRoom(t.Context(), bob, privateGroup)
		w.refused("creating", err, "LIMIT_EXCEEDED")
		_, _, err = w.JoinRoom(t.Context(), bob, room.ID)
		w.refused("joining", err, "LIMIT_EXCEEDED")
		w.refused("being added", func() error {
			_, _, err := w.AddMember(t.Context(), ada, room.ID, "bob", chat.Ordinary)
			return err
		}(), "LIMIT_EXCEEDED")
		_, err = w.LeaveRoom(t.Context(), bob, mine.ID)
		w.must(err)
		_, _, err = w.JoinRoom(t.Context(), bob, room.ID)
		w.refused("once there is place", err, "ok")
	})
}

// countingStore is a fake that counts rooms.
type countingStore struct {
	fakeStore
	rooms int
}

func (c *countingStore) RoomCount(context.Context, string) (int, error) { return c.rooms, nil }

func TestRoomsPerUserAreLimited(t *testing.T) {
	store := &countingStore{}
	store.create = func(chat.NewRoom) (chat.Room, error) { return chat.Room{}, nil }
	service := chat.NewService(store, nil, chat.Limits{RoomsPerUser: 3})
	for rooms, want := range []string{"ok", "ok", "ok", "LIMIT_EXCEEDED", "LIMIT_EXCEEDED"} {
		store.rooms = rooms
		if _, err := service.CreateRoom(t.Context(), ada, privateGroup); verdict(err) != want {
			t.Errorf("with %d rooms: %v, want %s", rooms, err, want)
		}
	}
}

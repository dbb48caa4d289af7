package storetest

import (
	"parley/chat"
	"parley/eventlog"
)

func testAppend(r rig) {
	r.sub("send", appendSend)
	r.sub("edit", appendEdit)
	r.sub("delete", appendDelete)
	r.sub("a message that isn't there", appendNoMessage)
	r.sub("join, leave and come back", appendComings)
	r.sub("remove", appendRemove)
	r.sub("roles", appendRoles)
	r.sub("names follow the actor", appendNames)
	r.sub("names follow the one who leaves", appendNameLeaving)
	r.sub("by one who isn't a member", appendStranger)
	r.sub("by the server", appendServer)
	r.sub("what would corrupt counts is refused", appendImpossible)
}

// tailed fails unless the append is the log's new last entry, as readers see it.
func (r rig) tailed(before chat.Room, done chat.Appended) {
	r.Helper()
	p := done.Event.Position
	if p.Epoch != before.Tail.Epoch || p.Offset != before.Tail.Offset+1 || p.Check == 0 {
		r.Fatalf("position %+v after %+v", p, before.Tail)
	}
	r.same("room's tail", done.Room.Tail, p)
	r.same("room as read", r.room(before.ID), done.Room)
	page := r.read(before.ID, before.Tail, 10)
	r.same("page", page, eventlog.Page{
		Publications: []eventlog.Publication{done.Event.Publication(before.Tail.Check)},
		Tail:         p, TailSeq: done.Room.LastSeq,
	})
}

func appendSend(r rig) {
	ada := person("ada")
	before := r.room(r.group(ada))
	a := sending(before.ID, ada, "hello")
	a.Message.Type, a.Message.ReplyToSeq = chat.Image, 7
	a.Message.ClientID, a.Message.Fingerprint = "key", "print"
	done := r.append(a)

	at := done.Event.At
	r.same("message", *done.Message, chat.Message{
		RoomID: before.ID, Seq: 1, Salt: a.Message.Salt, Sender: ada, Type: chat.Image, Content: "hello",
		ClientID: "key", ReplyToSeq: 7, CreatedAt: at, UpdatedAt: at, Sent: done.Event.Position, Version: 1,
	})
	r.same("message as read", r.message(before.ID, 1), *done.Message)
	r.same("event", done.Event, &chat.Event{
		RoomID: before.ID, Kind: chat.KindMessageSent, At: at, Actor: &ada, Seq: 1,
		Position: done.Event.Position, Message: done.Message,
	})
	want := before
	want.LastSeq, want.LastMessageAt, want.Tail = 1, &at, done.Event.Position
	r.same("room", done.Room, want)
	r.tailed(before, done)

	sender := r.member(before.ID, ada.ID)
	if sender.LastReadSeq != 1 || sender.LastDeliveredSeq != 1 || sender.LastReadAt == nil || !sender.LastReadAt.Equal(at) {
		r.Fatalf("%+v: sending moves the sender's own read position", sender)
	}
}

func appendEdit(r rig) {
	ada := person("ada")
	room := r.group(ada)
	sent := *r.send(room, ada, "one")
	r.send(room, ada, "two")
	before := r.room(room)
	r.tick()
	done := r.append(editing(room, ada, 1, "uno"))

	want, at := sent, done.Event.At
	want.Content, want.EditedAt, want.UpdatedAt, want.Version = "uno", &at, at, 2
	r.same("message", *done.Message, want)
	r.same("event's message", done.Event.Message, &want)
	r.same("message as read", r.message(room, 1), want)
	if done.Event.Seq != 2 || done.Room.LastSeq != 2 {
		r.Fatalf("an edit of message 1 says seq %d of %d, want the room's last, 2", done.Event.Seq, done.Room.LastSeq)
	}
	r.same("last message at", done.Room.LastMessageAt, before.LastMessageAt)
	r.tailed(before, done)
}

func appendDelete(r rig) {
	ada := person("ada")
	room := r.group(ada)
	sent := *r.send(room, ada, "one")
	r.append(editing(room, ada, 1, "uno"))
	before := r.room(room)
	r.tick()
	done := r.append(deleting(room, ada, 1))

	want, at := r.message(room, 1), done.Event.At
	if want.Content != "" || !want.Deleted() || want.Version != 3 || want.EditedAt == nil {
		r.Fatalf("%+v, want a tombstone of version 3", want)
	}
	want.DeletedAt, want.UpdatedAt, want.Sent = &at, at, sent.Sent
	r.same("message", *done.Message, want)
	r.same("message as read", r.message(room, 1), want)
	r.tailed(before, done)
}

func appendNoMessage(r rig) {
	ada := person("ada")
	before := r.room(r.group(ada))
	for _, a := range []chat.Append{
		editing(before.ID, ada, 1, "x"), deleting(before.ID, ada, 1),
		expecting(editing(before.ID, ada, 99, "x"), chat.Expect{Message: 1}),
	} {
		if _, err := r.Append(r.Context(), a); verdict(err) != notFound && verdict(err) != moved {
			r.Fatalf("changing a message that isn't there: %v", err)
		}
	}
	r.same("room", r.room(before.ID), before)
	for _, seq := range []uint64{0, 1, 1 << 40} {
		_, err := r.Message(r.Context(), before.ID, seq)
		r.refused("Message", err, notFound)
	}
}

func appendComings(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada)     // offset 1
	r.sendMany(room, ada, 2) // 2, 3
	before := r.room(room)
	a := joining(room, bob) // 4
	a.Role = chat.Admin
	done := r.append(a)
	r.tailed(before, done)
	sent := r.send(room, bob, "hello")   // 5
	left := r.append(leaving(room, bob)) // 6
	want := chat.Member{
		RoomID: room, User: bob, Role: chat.Admin, JoinedAt: done.Event.At, JoinedSeq: 2, Version: 2,
		Intervals:        eventlog.Intervals{{From: 4, To: 7}},
		LastDeliveredSeq: 3, LastReadSeq: 3, LastReadAt: &sent.CreatedAt,
	}
	r.same("left", *left.Event.Member, want)
	r.same("left, as read", r.member(room, bob.ID), want)

	r.sendMany(room, ada, 2) // 7, 8
	before = r.room(room)
	r.tick()
	bob.Name = "Bob, again"
	done = r.append(joining(room, bob)) // 9
	want.User, want.Role, want.Active, want.Version = bob, chat.Ordinary, true, 3
	want.JoinedAt, want.JoinedSeq = done.Event.At, 5
	want.Intervals = append(want.Intervals, eventlog.Interval{From: 9})
	r.same("back", r.member(room, bob.ID), want)
	r.tailed(before, done)
	if got := r.room(room); got.MemberCount != 2 || got.OwnerCount != 1 || got.Version != 1 {
		r.Fatalf("%+v, want two members, one owner, and a version that ordinary comings don't move", got)
	}
}

func appendRemove(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	before := r.room(room)
	done := r.append(removing(room, ada, chat.User{ID: bob.ID}))
	r.tailed(before, done)
	row := r.member(room, bob.ID)
	if row.Active || row.User != bob || row.Version != 2 {
		r.Fatalf("%+v, want bob, gone, as he was", row)
	}
	r.same("event's member", done.Event.Member, &row)
	pub := done.Event.Publication(before.Tail.Check)
	if change, ended := pub.Ends(bob.ID); !ended || change != eventlog.AccessRevoked {
		r.Fatalf("access of bob: %v, %v", change, ended)
	}
	r.same("intervals", row.Intervals, eventlog.Intervals{{From: 2, To: 4}})
}

func appendRoles(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	steps := []struct {
		role        chat.Role
		version     uint64 // of bob's row
		roomVersion uint64
		owners      int
		name        string
	}{
		{chat.Admin, 2, 1, 1, "ordinary to admin"},
		{chat.Owner, 3, 2, 2, "admin to owner"},
		{chat.Ordinary, 4, 3, 1, "owner to ordinary"},
	}
	for _, step := range steps {
		before := r.room(room)
		done := r.append(changingRole(room, ada, bob, step.role))
		r.tailed(before, done)
		row := r.member(room, bob.ID)
		if row.Role != step.role || row.Version != step.version {
			r.Fatalf("%s: row %+v, want version %d", step.name, row, step.version)
		}
		if done.Room.Version != step.roomVersion || done.Room.OwnerCount != step.owners || done.Room.MemberCount != 2 {
			r.Fatalf("%s: room %+v", step.name, done.Room)
		}
	}
}

func appendNames(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	r.send(room, ada, "by the old name")
	renamed := chat.User{ID: ada.ID, Name: "Countess", AvatarURL: "https://pictures.test/countess"}
	r.send(room, renamed, "by the new one")
	row := r.member(room, ada.ID)
	r.same("row", row.User, renamed)
	r.same("version", row.Version, uint64(1))
	r.same("sender of old", r.message(room, 1).Sender, ada)
	r.same("sender of new", r.message(room, 2).Sender, renamed)

	nameless := chat.User{ID: ada.ID}
	r.append(editing(room, nameless, 1, "a token without a name"))
	r.same("row", r.member(room, ada.ID).User, renamed)
	r.same("others", r.member(room, bob.ID).User, bob)
}

func appendNameLeaving(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	bob.Name = "Robert"
	left := r.append(leaving(room, bob))
	r.same("member told", left.Event.Member.User, bob)
	r.same("row", r.member(room, bob.ID).User, bob)
}

func appendStranger(r rig) {
	room, eve := r.group(person("ada")), person("eve")
	r.same("sender", r.send(room, eve, "rules are the service's").Sender, eve)
	if row := r.view(room, eve.ID).Members[eve.ID]; row != nil {
		r.Fatalf("sending made a row: %+v", row)
	}
}

func appendServer(r rig) {
	room := r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Channel, Settings: plain})
	done := r.append(updating(room.ID, chat.User{}, ornate))
	if done.Event.Actor != nil {
		r.Fatalf("actor %+v, want nil for the server", done.Event.Actor)
	}
	r.tailed(room, done)
}

func appendImpossible(r rig) {
	ada, bob, eve := person("ada"), person("bob"), person("eve")
	room := r.group(ada, bob)
	r.append(leaving(room, bob))
	before := r.room(room)
	for name, a := range map[string]chat.Append{
		"joining of a member":        joining(room, ada),
		"leaving of a former member": leaving(room, bob),
		"removal of a former member": removing(room, ada, bob),
		"role of a former member":    changingRole(room, ada, bob, chat.Owner),
		"leaving of a stranger":      leaving(room, eve),
		"removal of a stranger":      removing(room, ada, eve),
		"role of a stranger":         changingRole(room, ada, eve, chat.Owner),
	} {
		_, err := r.Append(r.Context(), a)
		r.refused(name, err, moved)
	}
	r.same("room", r.room(room), before)
}

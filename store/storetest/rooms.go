package storetest

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"parley/chat"
	"parley/eventlog"
)

func testRooms(r rig) {
	r.sub("begins with its owner's joining", roomWithOwner)
	r.sub("without an owner has an empty log", roomWithoutOwner)
	r.sub("takes its members in the same step", roomWithMembers)
	r.sub("keeps its settings to the letter", roomSettings)
	r.sub("is updated as a whole", roomUpdate)
	r.sub("of a taken id is CONFLICT", roomTaken)
	r.sub("of a taken id is CONFLICT for all but one at once", roomTakenAtOnce)
	r.sub("that isn't there is NOT_FOUND", roomUnknown)
	r.sub("tells times in UTC and whole milliseconds", roomTimes)
}

func roomWithOwner(r rig) {
	ada := person("ada")
	room := r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Channel, Settings: plain, Owner: &ada})
	r.same("room", room, chat.Room{
		ID: room.ID, Type: chat.Channel, RoomSettings: plain, Version: 1, MemberCount: 1, OwnerCount: 1,
		CreatedAt: room.CreatedAt, UpdatedAt: room.CreatedAt, Tail: room.Tail,
	})
	if room.Tail.Epoch == 0 || room.Tail.Offset != 1 || room.Tail.Check == 0 {
		r.Fatalf("tail %+v, want offset 1, an epoch and a check", room.Tail)
	}
	owner := chat.Member{
		RoomID: room.ID, User: ada, Role: chat.Owner, Active: true, JoinedAt: room.CreatedAt,
		Intervals: eventlog.Intervals{{From: 1}}, Version: 1,
	}
	view := r.view(room.ID, ada.ID, "nobody")
	r.same("view", view, chat.View{Room: room, Members: map[string]*chat.Member{ada.ID: &owner}})

	joined := &chat.Event{
		RoomID: room.ID, Kind: chat.KindMemberJoined, At: room.CreatedAt, Actor: &ada,
		Position: room.Tail, Member: &owner,
	}
	r.same("log", r.history(room.ID), []eventlog.Publication{joined.Publication(0)})
}

func roomWithoutOwner(r rig) {
	room := r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Channel, Settings: plain})
	if room.Tail.Epoch == 0 || room.Tail.Offset != 0 || room.Tail.Check != 0 {
		r.Fatalf("tail %+v, want an epoch and nothing else", room.Tail)
	}
	if room.MemberCount != 0 || room.OwnerCount != 0 || room.Version != 1 {
		r.Fatalf("%+v, want no member and version 1", room)
	}
	for _, start := range []eventlog.Position{{}, room.Tail} {
		r.same("log", r.read(room.ID, start, 10), eventlog.Page{Tail: room.Tail})
	}
}

func roomWithMembers(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.create(chat.NewRoom{
		ID: chat.DirectRoomID(ada.ID, bob.ID), Type: chat.Direct, Settings: plain,
		Owner: &ada, Members: []chat.User{bob},
	})
	if room.MemberCount != 2 || room.OwnerCount != 1 || room.Tail.Offset != 2 {
		r.Fatalf("%+v, want two members, one owner, two entries", room)
	}
	second := r.member(room.ID, bob.ID)
	if second.Role != chat.Ordinary || !second.Active || second.Version != 1 {
		r.Fatalf("%+v, want an ordinary member", second)
	}
	r.same("interval", second.Intervals, eventlog.Intervals{{From: 2}})
	log := r.history(room.ID)
	if got := log[1].Payload.(*chat.Event); got.Member.User != bob || got.Actor.ID != ada.ID {
		r.Fatalf("second entry %+v, want bob's joining, by ada", got)
	}
}

// ornate are settings that show what a layer between has rewritten.
var ornate = chat.RoomSettings{
	Name:       `Ünïcødé "quotes" {braces} 🦜 İ ﬁ`,
	Topic:      "line\nbreak \\ back\u2028slash",
	Visibility: chat.Public,
	History:    chat.HistorySinceJoined,
	Metadata:   json.RawMessage(`{"big":12345678901234567890,"f":1.50,"a":[],"o":{},"n":null,"é":"\u00e9"}`),
}

func roomSettings(r rig) {
	room := r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Group, Settings: ornate})
	r.same("created", room.RoomSettings, ornate)
	r.same("read", r.room(room.ID).RoomSettings, ornate)
}

func roomUpdate(r rig) {
	ada := person("ada")
	before := r.room(r.group(ada))
	r.tick()
	done := r.append(updating(before.ID, ada, ornate))
	want := before
	want.RoomSettings, want.Version = ornate, before.Version+1
	want.UpdatedAt, want.Tail = done.Event.At, done.Event.Position
	r.same("appended", done.Room, want)
	r.same("read", r.room(before.ID), want)

	r.append(updating(before.ID, ada, chat.RoomSettings{Visibility: chat.Private, History: chat.HistoryAll}))
	after := r.room(before.ID)
	r.same("emptied", after.RoomSettings, chat.RoomSettings{Visibility: chat.Private, History: chat.HistoryAll})

	r.tick()
	r.send(before.ID, ada, "nothing to do with settings")
	if now := r.room(before.ID); !now.UpdatedAt.Equal(after.UpdatedAt) || now.Version != after.Version {
		r.Fatalf("sending moved the room's UpdatedAt or Version: %+v", now)
	}
}

func roomTaken(r rig) {
	ada, eve := person("ada"), person("eve")
	before := r.room(r.group(ada))
	_, err := r.CreateRoom(r.Context(), chat.NewRoom{
		ID: before.ID, Type: chat.Channel, Settings: ornate, Owner: &eve,
	})
	r.refused("creating it again", err, conflict)
	view := r.view(before.ID, eve.ID)
	r.same("room", view.Room, before)
	r.same("members", len(view.Members), 0)
	rooms, err := r.RoomsOf(r.Context(), eve.ID)
	r.must("RoomsOf", err)
	r.same("rooms of the one who came too late", rooms, nil)
}

func roomTakenAtOnce(r rig) {
	id := chat.NewRoomID()
	var winners, losers atomic.Int32
	together(20, func(int) {
		who := person("racer")
		switch _, err := r.CreateRoom(r.Context(), chat.NewRoom{ID: id, Type: chat.Group, Settings: plain, Owner: &who}); verdict(err) {
		case "ok":
			winners.Add(1)
		case conflict:
			losers.Add(1)
		default:
			r.Errorf("CreateRoom: %v", err)
		}
	})
	if winners.Load() != 1 || losers.Load() != 19 {
		r.Fatalf("%d created it and %d were refused, want 1 and 19", winners.Load(), losers.Load())
	}
	if room := r.room(id); room.MemberCount != 1 || room.Tail.Offset != 1 {
		r.Fatalf("%+v, want one member and one entry", room)
	}
}

func roomUnknown(r rig) {
	ctx, id, ada := r.Context(), chat.NewRoomID(), person("ada")
	calls := map[string]func() error{
		"View":     func() error { _, err := r.View(ctx, chat.ViewQuery{RoomID: id}); return err },
		"MarkRead": func() error { _, err := r.MarkRead(ctx, id, ada.ID, 1); return err },
		"Unread":   func() error { _, err := r.Unread(ctx, id, ada.ID); return err },
		"Message":  func() error { _, err := r.Message(ctx, id, 1); return err },
		"Messages": func() error {
			_, err := r.Messages(ctx, chat.MessageQuery{RoomID: id, Limit: 1, Readable: eventlog.Everything()})
			return err
		},
		"Members": func() error { _, err := r.Members(ctx, id, "", 10); return err },
	}
	for _, a := range []chat.Append{
		sending(id, ada, "x"), sendingOnce(id, ada, "x", "key"), editing(id, ada, 1, "x"), deleting(id, ada, 1),
		joining(id, ada), leaving(id, ada), removing(id, ada, ada), changingRole(id, ada, ada, chat.Admin),
		updating(id, ada, plain),
		expecting(sending(id, ada, "x"), chat.Expect{Room: 1, Members: map[string]uint64{ada.ID: 1}}),
	} {
		_, err := r.Append(ctx, a)
		r.refused("Append", err, notFound)
	}
	for name, call := range calls {
		r.refused(name, call(), notFound)
	}
	_, err := r.Read(ctx, id, eventlog.Position{}, 10)
	r.refused("Read", err, noLog)
	_, err = r.Read(ctx, id, eventlog.Position{Epoch: 1, Offset: 1, Check: 1}, 10)
	r.refused("Read from a position", err, noLog)
	r.refused("Fence", r.Fence(ctx, id, eventlog.Position{Epoch: 1, Offset: 1, Check: 1}), noLog)
	_, err = r.Watch(ctx, id, newFollower(r, id, eventlog.Position{}))
	r.refused("Watch", err, noLog)
}

func roomTimes(r rig) {
	ada, bob := person("ada"), person("bob")
	before := time.Now().Add(-skew)
	id := r.group(ada)
	r.append(joining(id, bob))
	r.send(id, ada, "first")
	r.append(editing(id, ada, 1, "second"))
	r.append(deleting(id, ada, 1))
	read, err := r.MarkRead(r.Context(), id, bob.ID, 1)
	r.must("MarkRead", err)
	room, message := r.room(id), r.message(id, 1)
	after := time.Now().Add(skew)
	times := map[string]*time.Time{
		"room created": &room.CreatedAt, "room updated": &room.UpdatedAt, "last message": room.LastMessageAt,
		"joined": &read.JoinedAt, "read": read.LastReadAt, "created": &message.CreatedAt,
		"updated": &message.UpdatedAt, "edited": message.EditedAt, "deleted": message.DeletedAt,
	}
	for _, p := range r.history(id) {
		times["entry "+p.At.String()] = &p.At
	}
	for name, at := range times {
		switch {
		case at == nil:
			r.Errorf("%s: no time", name)
		case !isStoreTime(*at):
			r.Errorf("%s: %v isn't UTC in whole milliseconds", name, at)
		case at.Before(before) || at.After(after):
			r.Errorf("%s: %v isn't between %v and %v", name, at, before, after)
		}
	}
}

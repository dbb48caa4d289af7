package storetest

import (
	"errors"

	"pgregory.net/rapid"

	"parley/chat"
	"parley/eventlog"
)

func testRead(r rig) {
	r.sub("each entry can be read on from", readFromEach)
	r.sub("the start of any epoch is the start", readFromStart)
	r.sub("a position the log never had is refused", readMadeUp)
	r.sub("a page begins and ends anywhere", readPages)
	r.sub("entries show things as they stand now", readHydrates)
	r.sub("access changes are told", readAccess)
}

// gap reads on from a position that must be refused, and returns the error's details.
func (r rig) gap(log string, after eventlog.Position, want string) *eventlog.GapError {
	r.Helper()
	_, err := r.Read(r.Context(), log, after, 10)
	r.refused("reading on", err, want)
	var gap *eventlog.GapError
	if !errors.As(err, &gap) {
		r.Fatalf("%v is no gap", err)
	}
	room := r.room(log)
	r.same("the gap's tail", gap.Tail, room.Tail)
	r.same("the gap's seq", gap.TailSeq, room.LastSeq)
	return gap
}

func readFromEach(r rig) {
	room, _ := busyRoom(r, 20)
	log := r.history(room)
	tail := r.room(room).Tail
	r.same("the last entry", log[len(log)-1].Position, tail)
	for i := range log {
		page := r.read(room, log[i].Position, 1000)
		r.same("tail", page.Tail, tail)
		r.same("seq", page.TailSeq, uint64(20))
		r.same("entries", page.Publications, log[i+1:])
		r.contiguous(log[i].Position, page.Publications)
	}
}

func readFromStart(r rig) {
	ada := person("ada")
	room := r.group(ada)
	r.sendMany(room, ada, 3)
	log := r.history(room)
	for _, start := range []eventlog.Position{{}, {Epoch: log[0].Epoch}, {Epoch: log[0].Epoch + 1}} {
		r.same("entries", r.read(room, start, 10).Publications, log)
	}
}

func readMadeUp(r rig) {
	ada := person("ada")
	room := r.group(ada)
	r.sendMany(room, ada, 5)
	log := r.history(room)
	tail := log[len(log)-1].Position
	inside := log[2].Position
	for name, at := range map[string]eventlog.Position{
		"another epoch":             {Epoch: inside.Epoch + 1, Offset: inside.Offset, Check: inside.Check},
		"no epoch":                  {Offset: inside.Offset, Check: inside.Check},
		"another check":             {Epoch: inside.Epoch, Offset: inside.Offset, Check: inside.Check + 1},
		"no check":                  {Epoch: inside.Epoch, Offset: inside.Offset},
		"the check of another":      {Epoch: inside.Epoch, Offset: inside.Offset, Check: log[3].Check},
		"another check at the tail": {Epoch: tail.Epoch, Offset: tail.Offset, Check: tail.Check + 1},
		"one beyond the tail":       {Epoch: tail.Epoch, Offset: tail.Offset + 1, Check: tail.Check},
		"far beyond the tail":       {Epoch: tail.Epoch, Offset: 1 << 60, Check: 1},
		"the last offset there is":  {Epoch: tail.Epoch, Offset: 1<<64 - 1, Check: 1},
	} {
		r.sub(name, func(r rig) { r.gap(room, at, historyLost) })
	}
	empty := r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Channel, Settings: plain})
	r.gap(empty.ID, eventlog.Position{Epoch: empty.Tail.Epoch, Offset: 1, Check: 1}, historyLost)
}

func readPages(r rig) {
	room, _ := busyRoom(r, 40)
	log := r.history(room)
	r.property(30, 1000, func(r rig, t *rapid.T) {
		from := rapid.IntRange(0, len(log)).Draw(t, "from")
		limit := rapid.IntRange(1, len(log)+2).Draw(t, "limit")
		var after eventlog.Position
		if from > 0 {
			after = log[from-1].Position
		}
		page := r.read(room, after, limit)
		r.same("entries", page.Publications, log[from:min(from+limit, len(log))])
		r.same("tail", page.Tail, log[len(log)-1].Position)
	})
}

func readHydrates(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada)         // 1
	r.append(joining(room, bob)) // 2
	r.send(room, ada, "one")     // 3
	r.send(room, ada, "two")     // 4
	live := r.append(editing(room, ada, 1, "uno")).Event
	r.append(deleting(room, ada, 2))
	r.append(changingRole(room, ada, bob, chat.Admin))
	events := map[uint64]*chat.Event{}
	for _, p := range r.history(room) {
		events[p.Offset] = p.Payload.(*chat.Event)
	}
	edited, deleted, row := r.message(room, 1), r.message(room, 2), r.member(room, bob.ID)
	r.same("edited, at sending", events[3].Message, &edited)
	r.same("edited, at editing", events[5], live)
	r.same("deleted, at sending", events[4].Message, &deleted)
	r.same("deleted, at deleting", events[6].Message, &deleted)
	r.same("member, at joining", events[2].Member, &row)
	r.same("member, at the change of role", events[7].Member, &row)
	if events[3].Kind != chat.KindMessageSent || events[3].Seq != 1 || events[4].Seq != 2 || events[2].Seq != 0 {
		r.Fatalf("entries say another kind or seq than when they were written: %+v", events)
	}
	if events[4].Message.Content != "" || !events[4].Message.Deleted() {
		r.Fatalf("%+v, want a tombstone", events[4].Message)
	}
}

func readAccess(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	r.append(leaving(room, bob))
	r.append(joining(room, bob))
	r.append(removing(room, ada, bob))
	r.send(room, ada, "alone")
	changes := [][]eventlog.AccessChange{
		{{Principal: ada.ID, Change: eventlog.AccessBegins}}, {{Principal: bob.ID, Change: eventlog.AccessBegins}},
		{{Principal: bob.ID, Change: eventlog.AccessLeft}}, {{Principal: bob.ID, Change: eventlog.AccessBegins}},
		{{Principal: bob.ID, Change: eventlog.AccessRevoked}}, nil,
	}
	for i, p := range r.history(room) {
		r.same("access", p.Access, changes[i])
	}
}

package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"parley/chat"
	"parley/eventlog"
)

// testModel drives random operations on the engine and on the model, and compares every answer.
func testModel(r rig) {
	r.property(60, 1500, func(r rig, t *rapid.T) {
		t.Repeat(rapid.StateMachineActions(newDuel(r)))
	})
}

// duel is an engine and the model, which have been told the same. The exported methods, but Check, are
// the operations that rapid chooses from.
type duel struct {
	rig
	model   *model
	learned *learned
	tag     string // in the names of the duel's public rooms, so that a search finds no others
	users   []chat.User
	rooms   []string
	touched string // the room of the last operation
}

// learned is the model's fate: what the engine has drawn.
type learned struct {
	marks []uint32
	at    time.Time
}

func (l *learned) mark() uint32 {
	if len(l.marks) == 0 {
		return 0 // the engine has drawn none, and the comparison will tell
	}
	mark := l.marks[0]
	l.marks = l.marks[1:]
	return mark
}

func (l *learned) now() time.Time { return l.at }

func newDuel(r rig) *duel {
	d := &duel{rig: r, learned: &learned{}, tag: unique("duel")}
	d.model = newModel(d.learned)
	for _, name := range []string{"ada", "bob", "c:{ä}'", "🦜"} {
		d.users = append(d.users, person(name))
	}
	return d
}

// agree compares how a call ended, and, where it ended well, what it returned.
func (d *duel) agree(what string, got any, gotErr error, want any, wantErr error) {
	d.Helper()
	if verdict(gotErr) != verdict(wantErr) {
		d.Fatalf("%s: %s (%v), want %s", what, verdict(gotErr), gotErr, verdict(wantErr))
	}
	if wantErr == nil {
		d.same(what, got, want)
	}
}

// Check compares the room that was touched last, with everybody's rows.
func (d *duel) Check(t *rapid.T) {
	if d.touched == "" {
		return
	}
	q := chat.ViewQuery{RoomID: d.touched}
	for _, u := range d.users {
		q.Users = append(q.Users, u.ID)
	}
	got, gotErr := d.View(d.Context(), q)
	want, wantErr := d.model.view(q)
	d.agree("View", got, gotErr, want, wantErr)
	d.touched = ""
}

// Draws

func (d *duel) user(t *rapid.T) chat.User { return rapid.SampledFrom(d.users).Draw(t, "user") }

func (d *duel) settings(t *rapid.T) chat.RoomSettings {
	return chat.RoomSettings{
		Name:       rapid.SampledFrom([]string{"a ", "B ", "ä ", "Ä ", ""}).Draw(t, "name") + d.tag,
		Topic:      rapid.SampledFrom([]string{"", "topic"}).Draw(t, "topic"),
		Visibility: rapid.SampledFrom([]chat.RoomVisibility{chat.Public, chat.Private}).Draw(t, "visibility"),
		History:    rapid.SampledFrom([]chat.RoomHistory{chat.HistoryAll, chat.HistorySinceJoined}).Draw(t, "history"),
	}
}

// room draws a room there is.
func (d *duel) aRoom(t *rapid.T) *modelRoom {
	if len(d.rooms) == 0 {
		t.Skip("no room yet")
	}
	d.touched = rapid.SampledFrom(d.rooms).Draw(t, "room")
	return d.model.rooms[d.touched]
}

// member draws a member of the room, or somebody who isn't one.
func (d *duel) member(t *rapid.T, r *modelRoom, active bool) chat.User {
	u := d.user(t)
	if row := r.members[u.ID]; (row != nil && row.Active) != active {
		t.Skip("a member, or none, where the other is needed")
	}
	return u
}

// living draws a message that isn't deleted.
func (d *duel) living(t *rapid.T, r *modelRoom) chat.Message {
	if r.LastSeq == 0 {
		t.Skip("no message yet")
	}
	m := r.messages[rapid.IntRange(0, len(r.messages)-1).Draw(t, "message")]
	if m.Deleted() {
		t.Skip("deleted")
	}
	return m
}

// expect draws what a decision rests on: mostly what is so, at times what was or will be.
func (d *duel) expect(t *rapid.T, r *modelRoom, message uint64, users ...chat.User) chat.Expect {
	age := func(what string) uint64 {
		return rapid.SampledFrom([]uint64{0, 0, 0, 0, 0, 0, 0, 1}).Draw(t, "age of "+what)
	}
	e := chat.Expect{Message: message, Members: map[string]uint64{}}
	if message > 0 {
		e.Message += age("message")
	}
	if rapid.Bool().Draw(t, "expects a room") {
		e.Room = r.Version + age("room")
	}
	for _, u := range users {
		e.Members[u.ID] = age("member")
		if row := r.members[u.ID]; row != nil {
			e.Members[u.ID] += row.Version
		}
	}
	return e
}

// both appends to engine and model.
func (d *duel) both(a chat.Append) {
	d.Helper()
	got, gotErr := d.Append(d.Context(), a)
	if gotErr == nil && got.Event != nil {
		d.learned.at, d.learned.marks = got.Event.At, []uint32{got.Event.Position.Check}
	}
	want, wantErr := d.model.append(a)
	if a.Kind == chat.KindMessageSent {
		got.Room, want.Room = chat.Room{}, chat.Room{} // it needn't be told
	}
	d.agree(fmt.Sprint("Append of kind ", a.Kind), got, gotErr, want, wantErr)
}

// Operations that write

func (d *duel) CreateRoom(t *rapid.T) {
	if len(d.rooms) >= 4 {
		t.Skip("enough rooms")
	}
	n := chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Group, Settings: d.settings(t)}
	if owner := d.user(t); rapid.Bool().Draw(t, "owned") {
		n.Owner = &owner
		if other := d.user(t); other != owner {
			n.Members = []chat.User{other}
		}
	}
	if len(d.rooms) > 0 && rapid.IntRange(0, 9).Draw(t, "taken if 0") == 0 {
		n.ID = d.rooms[0]
	}
	got, gotErr := d.rig.CreateRoom(d.Context(), n)
	if gotErr == nil {
		d.learned.at, d.learned.marks = got.CreatedAt, []uint32{got.Tail.Epoch}
		for _, p := range d.history(n.ID) {
			d.learned.marks = append(d.learned.marks, p.Check)
		}
		d.rooms = append(d.rooms, n.ID)
	}
	want, wantErr := d.model.createRoom(n)
	d.agree("CreateRoom", got, gotErr, want, wantErr)
	d.touched = n.ID
}

func (d *duel) Join(t *rapid.T) {
	r := d.aRoom(t)
	u := d.user(t)
	a := expecting(joining(r.ID, u), d.expect(t, r, 0, u))
	a.Role = rapid.SampledFrom([]chat.Role{chat.Owner, chat.Admin, chat.Ordinary}).Draw(t, "role")
	d.both(a)
}

func (d *duel) Leave(t *rapid.T) {
	r := d.aRoom(t)
	u := d.user(t)
	d.both(expecting(leaving(r.ID, u), d.expect(t, r, 0, u)))
}

func (d *duel) Remove(t *rapid.T) {
	r := d.aRoom(t)
	by, u := d.user(t), d.user(t)
	d.both(expecting(removing(r.ID, by, chat.User{ID: u.ID}), d.expect(t, r, 0, by, u)))
}

func (d *duel) ChangeRole(t *rapid.T) {
	r := d.aRoom(t)
	by, u := d.user(t), d.member(t, r, true)
	role := rapid.SampledFrom([]chat.Role{chat.Owner, chat.Admin, chat.Ordinary}).Draw(t, "role")
	if role == r.members[u.ID].Role {
		t.Skip("no change")
	}
	d.both(expecting(changingRole(r.ID, by, chat.User{ID: u.ID}, role), d.expect(t, r, 0, by, u)))
}

func (d *duel) Send(t *rapid.T) {
	r := d.aRoom(t)
	u := d.member(t, r, true)
	if rapid.IntRange(0, 9).Draw(t, "renamed if 0") == 0 {
		u.Name = "renamed"
	}
	a := sending(r.ID, u, rapid.String().Draw(t, "content"))
	a.Message.ReplyToSeq = rapid.Uint64Range(0, r.LastSeq).Draw(t, "reply to")
	a.Expect = d.expect(t, r, 0, u)
	d.both(a)
}

// SendOnce uses few keys and two contents, so that repeats and conflicts are frequent.
func (d *duel) SendOnce(t *rapid.T) {
	r := d.aRoom(t)
	u := d.member(t, r, true)
	content := rapid.SampledFrom([]string{"one", "one", "other"}).Draw(t, "content")
	a := sendingOnce(r.ID, u, content, rapid.SampledFrom([]string{"k", "k:{}", "🗝"}).Draw(t, "key"))
	a.Expect = d.expect(t, r, 0, u)
	d.both(a)
	q := chat.ViewQuery{RoomID: r.ID, Sender: u.ID, ClientID: a.Message.ClientID}
	got, gotErr := d.View(d.Context(), q)
	want, wantErr := d.model.view(q)
	d.agree("View of a repeat", got, gotErr, want, wantErr)
}

func (d *duel) Edit(t *rapid.T) {
	r := d.aRoom(t)
	by, m := d.user(t), d.living(t, r)
	d.both(expecting(editing(r.ID, by, m.Seq, rapid.String().Draw(t, "content")), d.expect(t, r, m.Version, by)))
}

func (d *duel) Delete(t *rapid.T) {
	r := d.aRoom(t)
	by, m := d.user(t), d.living(t, r)
	d.both(expecting(deleting(r.ID, by, m.Seq), d.expect(t, r, m.Version, by)))
}

func (d *duel) UpdateRoom(t *rapid.T) {
	r := d.aRoom(t)
	by := d.user(t)
	d.both(expecting(updating(r.ID, by, d.settings(t)), d.expect(t, r, 0, by)))
}

func (d *duel) MarkRead(t *rapid.T) {
	r := d.aRoom(t)
	u, seq := d.user(t), rapid.Uint64Range(0, r.LastSeq+2).Draw(t, "seq")
	got, gotErr := d.rig.MarkRead(d.Context(), r.ID, u.ID, seq)
	if gotErr == nil && got.LastReadAt != nil {
		d.learned.at = *got.LastReadAt
	}
	want, wantErr := d.model.markRead(r.ID, u.ID, seq)
	d.agree("MarkRead", got, gotErr, want, wantErr)
}

func (d *duel) Fence(t *rapid.T) {
	r := d.aRoom(t)
	seen, before := d.position(t, r), r.Tail
	gotErr := d.rig.Fence(d.Context(), r.ID, seen)
	if now := d.rig.room(r.ID).Tail; now != before {
		log := d.history(r.ID)
		d.learned.at, d.learned.marks = log[len(log)-1].At, []uint32{now.Epoch, now.Check}
	}
	d.agree("Fence", nil, gotErr, nil, d.model.fence(r.ID, seen))
}

// position draws a position of the log, or one that it never had.
func (d *duel) position(t *rapid.T, r *modelRoom) eventlog.Position {
	at := eventlog.Position{Epoch: r.Tail.Epoch}
	if n := len(r.entries); n > 0 {
		at = r.entries[rapid.IntRange(0, n-1).Draw(t, "entry")].position
	}
	switch rapid.IntRange(0, 7).Draw(t, "position") {
	case 0:
		at.Check++
	case 1:
		at.Epoch++
	case 2:
		at.Offset = r.Tail.Offset + rapid.Uint64Range(1, 3).Draw(t, "beyond")
	case 3:
		at = eventlog.Position{Epoch: rapid.Uint32().Draw(t, "any epoch")}
	}
	return at
}

// Operations that read

func (d *duel) ReadLog(t *rapid.T) {
	r := d.aRoom(t)
	after, limit := d.position(t, r), rapid.IntRange(1, 20).Draw(t, "limit")
	got, gotErr := d.Read(d.Context(), r.ID, after, limit)
	want, wantErr := d.model.read(r.ID, after, limit)
	d.agree("Read", got, gotErr, want, wantErr)
}

func (d *duel) ReadPage(t *rapid.T) {
	r := d.aRoom(t)
	q := chat.MessageQuery{
		RoomID: r.ID, Limit: rapid.IntRange(1, 12).Draw(t, "limit"), FromEnd: rapid.Bool().Draw(t, "from the end"),
		After:    rapid.Uint64Range(0, r.LastSeq+1).Draw(t, "after"),
		Readable: intervals(t, len(r.entries)),
		Expect:   d.expect(t, r, 0, d.user(t)),
	}
	if before := rapid.Uint64Range(0, r.LastSeq+2).Draw(t, "before"); before > q.After {
		q.Before = before
	}
	got, gotErr := d.Messages(d.Context(), q)
	want, wantErr := d.model.messages(q)
	d.agree(fmt.Sprintf("Messages of %+v", q), got, gotErr, want, wantErr)
}

func (d *duel) ReadMessage(t *rapid.T) {
	r := d.aRoom(t)
	seq := rapid.Uint64Range(0, r.LastSeq+1).Draw(t, "seq")
	got, gotErr := d.Message(d.Context(), r.ID, seq)
	want, wantErr := d.model.message(r.ID, seq)
	d.agree("Message", got, gotErr, want, wantErr)
}

func (d *duel) ReadMembers(t *rapid.T) {
	r := d.aRoom(t)
	after, limit := d.user(t).ID, rapid.IntRange(1, 5).Draw(t, "limit")
	if rapid.Bool().Draw(t, "from the start") {
		after = ""
	}
	got, gotErr := d.Members(d.Context(), r.ID, after, limit)
	want, wantErr := d.model.memberPage(r.ID, after, limit)
	d.agree("Members", got, gotErr, want, wantErr)
}

func (d *duel) ReadUnread(t *rapid.T) {
	r := d.aRoom(t)
	u := d.user(t)
	got, gotErr := d.Unread(d.Context(), r.ID, u.ID)
	want, wantErr := d.model.unread(r.ID, u.ID)
	d.agree("Unread", got, gotErr, want, wantErr)
}

func (d *duel) ReadRoomsOf(t *rapid.T) {
	u := d.user(t)
	got, gotErr := d.RoomsOf(d.Context(), u.ID)
	slices.SortFunc(got, func(a, b chat.Membership) int { return cmp.Compare(a.Room.ID, b.Room.ID) })
	d.agree("RoomsOf", got, gotErr, d.model.roomsOf(u.ID), nil)
}

func (d *duel) ReadPublicRooms(t *rapid.T) {
	search := rapid.SampledFrom([]string{"", "a ", "Ä "}).Draw(t, "search") + d.tag
	limit, after := rapid.IntRange(1, 5).Draw(t, "limit"), ""
	if len(d.rooms) > 0 && rapid.Bool().Draw(t, "after a room") {
		after = d.model.rooms[rapid.SampledFrom(d.rooms).Draw(t, "room")].PublicKey()
	}
	got, gotErr := d.PublicRooms(d.Context(), search, after, limit)
	d.agree("PublicRooms", got, gotErr, d.model.publicRooms(search, after, limit), nil)
}

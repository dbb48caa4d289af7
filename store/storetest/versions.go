package storetest

import (
	"sync"

	"parley/chat"
	"parley/eventlog"
)

func testVersions(r rig) {
	r.sub("each expectation that moved is ErrMoved and writes nothing", versionsStale)
	r.sub("each expectation that holds lets the append through", versionsHeld)
	r.sub("of the room are moved by settings and owners only", versionsOfRoom)
	r.sub("of pages", versionsOfPages)
	r.sub("let one of two decisions through", versionsOfTwo)
	r.sub("let one of two owners leave", versionsOfOwners)
	r.sub("of the joining member let one of many joinings through", versionsOfJoining)
}

func versionsStale(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	r.send(room, ada, "one")
	r.append(editing(room, ada, 1, "uno"))
	r.append(changingRole(room, ada, bob, chat.Admin))
	r.append(updating(room, ada, plain))
	before, message := r.view(room, ada.ID, bob.ID), r.message(room, 1)

	for name, e := range map[string]chat.Expect{
		"room, older":                {Room: 1},
		"room, newer":                {Room: 3},
		"member, older":              {Members: map[string]uint64{bob.ID: 1}},
		"member, newer":              {Members: map[string]uint64{bob.ID: 3}},
		"member, expected to be new": {Members: map[string]uint64{bob.ID: 0}},
		"member, expected to exist":  {Members: map[string]uint64{"nobody": 1}},
		"one member of two":          {Members: map[string]uint64{ada.ID: 1, bob.ID: 1}},
		"message, older":             {Message: 1},
		"message, newer":             {Message: 3},
		"all but the message":        {Room: 2, Members: map[string]uint64{bob.ID: 2}, Message: 1},
		"all but the room":           {Room: 1, Members: map[string]uint64{bob.ID: 2}, Message: 2},
	} {
		_, err := r.Append(r.Context(), expecting(editing(room, ada, 1, "stale"), e))
		r.refused(name, err, moved)
	}
	r.same("room and members", r.view(room, ada.ID, bob.ID), before)
	r.same("message", r.message(room, 1), message)
}

func versionsHeld(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada)
	r.append(expecting(joining(room, bob), chat.Expect{Room: 1, Members: map[string]uint64{bob.ID: 0}}))
	r.append(expecting(sending(room, bob, "one"), chat.Expect{Room: 1, Members: map[string]uint64{bob.ID: 1}}))
	r.append(expecting(editing(room, bob, 1, "uno"), chat.Expect{Members: map[string]uint64{bob.ID: 1}, Message: 1}))
	r.append(expecting(deleting(room, ada, 1), chat.Expect{Members: map[string]uint64{ada.ID: 1}, Message: 2}))
	r.append(expecting(updating(room, ada, ornate), chat.Expect{Room: 1, Members: map[string]uint64{ada.ID: 1}}))
	r.append(expecting(leaving(room, bob), chat.Expect{Room: 2, Members: map[string]uint64{bob.ID: 1}}))
	r.append(expecting(joining(room, bob), chat.Expect{Room: 2, Members: map[string]uint64{bob.ID: 2}}))
}

func versionsOfRoom(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada)
	owning := joining(room, bob)
	owning.Role = chat.Owner
	for _, step := range []struct {
		name    string
		append  chat.Append
		version uint64
	}{
		{"an ordinary joining", joining(room, bob), 1},
		{"a message", sending(room, bob, "one"), 1},
		{"an edit", editing(room, bob, 1, "uno"), 1},
		{"a deletion", deleting(room, bob, 1), 1},
		{"becoming admin", changingRole(room, ada, bob, chat.Admin), 1},
		{"becoming owner", changingRole(room, ada, bob, chat.Owner), 2},
		{"an owner's leaving", leaving(room, bob), 3},
		{"an owner's joining", owning, 4},
		{"an owner's removal", removing(room, ada, bob), 5},
		{"settings", updating(room, ada, plain), 6},
	} {
		if got := r.append(step.append).Room.Version; got != step.version {
			r.Fatalf("after %s the room's version is %d, want %d", step.name, got, step.version)
		}
	}
	if _, err := r.MarkRead(r.Context(), room, ada.ID, 1); err != nil || r.room(room).Version != 6 {
		r.Fatalf("reading moved the room's version (%v)", err)
	}
}

func versionsOfPages(r rig) {
	ada := person("ada")
	room := r.group(ada)
	r.sendMany(room, ada, 3)
	q := chat.MessageQuery{RoomID: room, Limit: 10, Readable: eventlog.Everything()}
	for name, e := range map[string]chat.Expect{
		"room":   {Room: 2},
		"member": {Members: map[string]uint64{ada.ID: 2}},
		"nobody": {Room: 1, Members: map[string]uint64{ada.ID: 1, "nobody": 1}},
	} {
		q.Expect = e
		_, err := r.Messages(r.Context(), q)
		r.refused(name, err, moved)
	}
	q.Expect = chat.Expect{Room: 1, Members: map[string]uint64{ada.ID: 1, "nobody": 0}}
	r.same("messages", len(r.messages(q).Messages), 3)
}

// race makes the appends at once and returns which were written. The others must be ErrMoved.
func (r rig) race(appends ...chat.Append) (written []chat.Appended) {
	r.Helper()
	var mu sync.Mutex
	together(len(appends), func(i int) {
		done, err := r.Append(r.Context(), appends[i])
		switch verdict(err) {
		case "ok":
			mu.Lock()
			defer mu.Unlock()
			written = append(written, done)
		case moved:
		default:
			r.Errorf("Append: %v, want ErrMoved or none", err)
		}
	})
	return written
}

func versionsOfTwo(r rig) {
	ada, bob := person("ada"), person("bob")
	for range scaled(20, 200) {
		room := r.group(ada, bob)
		r.send(room, ada, "one")
		expect := chat.Expect{Message: 1}
		written := r.race(
			expecting(editing(room, ada, 1, "by ada"), expect),
			expecting(deleting(room, bob, 1), expect),
		)
		if len(written) != 1 {
			r.Fatalf("%d of two decisions on one version of a message were written", len(written))
		}
		r.same("message", r.message(room, 1), *written[0].Message)
		r.same("entries", len(r.history(room)), 4)
	}
}

func versionsOfOwners(r rig) {
	ada, bob := person("ada"), person("bob")
	for range scaled(20, 200) {
		room := r.group(ada, bob)
		r.append(changingRole(room, ada, bob, chat.Owner))
		expect := chat.Expect{Room: r.room(room).Version}
		written := r.race(expecting(leaving(room, ada), expect), expecting(leaving(room, bob), expect))
		if now := r.room(room); len(written) != 1 || now.OwnerCount != 1 || now.MemberCount != 1 {
			r.Fatalf("%d owners left at once, %d of %d members own the room", len(written), now.OwnerCount, now.MemberCount)
		}
	}
}

func versionsOfJoining(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada)
	appends := make([]chat.Append, 20)
	for i := range appends {
		appends[i] = expecting(joining(room, bob), chat.Expect{Members: map[string]uint64{bob.ID: 0}})
	}
	written := r.race(appends...)
	if now := r.room(room); len(written) != 1 || now.MemberCount != 2 || now.Tail.Offset != 2 {
		r.Fatalf("one user joined %d times, %d members, tail at %d", len(written), now.MemberCount, now.Tail.Offset)
	}
}

package storetest

import "parley/chat"

func testUnread(r rig) {
	r.sub("counts from joining on", unreadSinceJoining)
	r.sub("leaves out what was deleted", unreadDeleted)
	r.sub("of those who aren't members is 0", unreadStrangers)
	r.sub("sending reads what came before", unreadSending)
	r.sub("reading is monotonic", readMonotonic)
	r.sub("reading stops at the last message", readClamped)
	r.sub("reading is for members", readStrangers)
	r.sub("reading isn't an entry", readNoEntry)
	r.sub("positions outlive leaving", readOutlives)
	r.sub("reading at once ends at the highest", readAtOnce)
}

func (r rig) unread(room string, user chat.User, want int) {
	r.Helper()
	got, err := r.Unread(r.Context(), room, user.ID)
	r.must("Unread", err)
	if got != want {
		r.Fatalf("unread for %s: %d, want %d", user.ID, got, want)
	}
}

func (r rig) markRead(room string, user chat.User, seq uint64) chat.Member {
	r.Helper()
	row, err := r.MarkRead(r.Context(), room, user.ID, seq)
	r.must("MarkRead", err)
	r.same("row as read", r.member(room, user.ID), row)
	return row
}

func unreadSinceJoining(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada)
	r.sendMany(room, ada, 3)
	r.append(joining(room, bob))
	r.unread(room, bob, 0)
	r.sendMany(room, ada, 4)
	r.unread(room, bob, 4)
	r.markRead(room, bob, 2) // before joining
	r.unread(room, bob, 4)
	r.markRead(room, bob, 5)
	r.unread(room, bob, 2)
	r.append(leaving(room, bob))
	r.sendMany(room, ada, 5)
	r.append(joining(room, bob))
	r.unread(room, bob, 0)
	r.send(room, ada, "one more")
	r.unread(room, bob, 1)
}

func unreadDeleted(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	r.sendMany(room, ada, 6)
	r.markRead(room, bob, 2)
	r.append(deleting(room, ada, 1)) // read
	r.unread(room, bob, 4)
	r.append(deleting(room, ada, 3))
	r.append(deleting(room, ada, 6))
	r.unread(room, bob, 2)
	r.append(editing(room, ada, 4, "edited"))
	r.unread(room, bob, 2)
	r.markRead(room, bob, 4)
	r.unread(room, bob, 1)
	r.markRead(room, bob, 6)
	r.unread(room, bob, 0)
}

func unreadStrangers(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	r.append(leaving(room, bob))
	r.sendMany(room, ada, 2)
	r.unread(room, bob, 0)
	r.unread(room, person("eve"), 0)
}

func unreadSending(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	r.sendMany(room, ada, 2)
	r.unread(room, bob, 2)
	r.unread(room, ada, 0)
	r.send(room, bob, "seen")
	r.unread(room, bob, 0)
	r.unread(room, ada, 1)
}

func readMonotonic(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	r.sendMany(room, ada, 5)
	first := r.markRead(room, bob, 3)
	if first.LastReadSeq != 3 || first.LastDeliveredSeq != 3 || first.LastReadAt == nil || first.Version != 1 {
		r.Fatalf("%+v, want 3 read, and the version as it was", first)
	}
	r.tick()
	for _, lower := range []uint64{0, 1, 2, 3} {
		r.same("positions not above change nothing", r.markRead(room, bob, lower), first)
	}
	if again := r.markRead(room, bob, 5); again.LastReadSeq != 5 || again.LastReadAt == nil || again.LastReadAt.Before(*first.LastReadAt) {
		r.Fatalf("%+v, want 5 read", again)
	}
}

func readClamped(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	if row := r.markRead(room, bob, 7); row.LastReadSeq != 0 || row.LastReadAt != nil {
		r.Fatalf("%+v: nothing can be read in an empty room", row)
	}
	r.sendMany(room, ada, 2)
	if row := r.markRead(room, bob, 1<<52); row.LastReadSeq != 2 || row.LastDeliveredSeq != 2 {
		r.Fatalf("%+v, want the last message, 2", row)
	}
	r.send(room, ada, "new")
	r.unread(room, bob, 1)
}

func readStrangers(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	r.send(room, ada, "one")
	r.append(leaving(room, bob))
	before := r.view(room, bob.ID)
	for _, user := range []string{bob.ID, unique("eve")} {
		_, err := r.MarkRead(r.Context(), room, user, 1)
		r.refused("MarkRead of one who isn't a member", err, notFound)
	}
	r.same("rows", r.view(room, bob.ID), before)
}

func readNoEntry(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	r.send(room, ada, "one")
	before := r.room(room)
	r.markRead(room, bob, 1)
	r.same("room", r.room(room), before)
}

func readOutlives(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	r.sendMany(room, ada, 2)
	read := r.markRead(room, bob, 2)
	r.append(leaving(room, bob))
	r.append(joining(room, bob))
	back := r.member(room, bob.ID)
	if back.LastReadSeq != 2 || back.LastDeliveredSeq != 2 {
		r.Fatalf("%+v, want the positions from before leaving", back)
	}
	r.same("read at", back.LastReadAt, read.LastReadAt)
}

func readAtOnce(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	r.sendMany(room, ada, 20)
	together(20, func(i int) {
		row, err := r.MarkRead(r.Context(), room, bob.ID, uint64(i+1))
		if err != nil || row.LastReadSeq < uint64(i+1) {
			r.Errorf("MarkRead to %d: at %d, %v", i+1, row.LastReadSeq, err)
		}
	})
	if row := r.member(room, bob.ID); row.LastReadSeq != 20 {
		r.Fatalf("after all, %d is read", row.LastReadSeq)
	}
}

package storetest

import (
	"slices"

	"pgregory.net/rapid"

	"parley/chat"
	"parley/eventlog"
)

func testMessages(r rig) {
	r.sub("an empty room has an empty page", pageEmpty)
	r.sub("edges", pageEdges)
	r.sub("only what is readable", pageReadable)
	r.sub("tombstones stay", pageTombstones)
	r.sub("a walk meets each readable message once", pageWalk)
	r.sub("limits are clamped", pageClamped)
}

func pageEmpty(r rig) {
	room := r.group(person("ada"))
	for _, q := range []chat.MessageQuery{
		{Limit: 10}, {Limit: 10, FromEnd: true}, {Limit: 10, After: 5}, {Limit: 10, Before: 5, FromEnd: true},
	} {
		q.RoomID, q.Readable = room, eventlog.Everything()
		r.same("page", r.messages(q), chat.MessagePage{Room: r.room(room)})
	}
}

func seqs(messages []chat.Message) []uint64 {
	var seqs []uint64
	for i := range messages {
		seqs = append(seqs, messages[i].Seq)
	}
	return seqs
}

func pageEdges(r rig) {
	ada := person("ada")
	room := r.group(ada)
	r.sendMany(room, ada, 5)
	for _, c := range []struct {
		name                string
		q                   chat.MessageQuery
		seqs                []uint64
		hasBefore, hasAfter bool
	}{
		{"all", chat.MessageQuery{Limit: 5}, []uint64{1, 2, 3, 4, 5}, false, false},
		{"all from the end", chat.MessageQuery{Limit: 5, FromEnd: true}, []uint64{1, 2, 3, 4, 5}, false, false},
		{"the first", chat.MessageQuery{Limit: 2}, []uint64{1, 2}, false, true},
		{"the last", chat.MessageQuery{Limit: 2, FromEnd: true}, []uint64{4, 5}, true, false},
		{"after", chat.MessageQuery{After: 2, Limit: 2}, []uint64{3, 4}, true, true},
		{"up to the last", chat.MessageQuery{After: 3, Limit: 2}, []uint64{4, 5}, true, false},
		{"before", chat.MessageQuery{Before: 4, Limit: 2, FromEnd: true}, []uint64{2, 3}, true, true},
		{"down to the first", chat.MessageQuery{Before: 3, Limit: 2, FromEnd: true}, []uint64{1, 2}, false, true},
		{"between", chat.MessageQuery{After: 1, Before: 5, Limit: 10}, []uint64{2, 3, 4}, true, true},
		{"the first between", chat.MessageQuery{After: 1, Before: 5, Limit: 1}, []uint64{2}, true, true},
		{"the last between", chat.MessageQuery{After: 1, Before: 5, Limit: 1, FromEnd: true}, []uint64{4}, true, true},
		{"nothing between", chat.MessageQuery{After: 2, Before: 3, Limit: 10}, nil, true, true},
		{"after the last", chat.MessageQuery{After: 5, Limit: 10}, nil, true, false},
		{"long after the last", chat.MessageQuery{After: 500, Limit: 10}, nil, true, false},
		{"before the first", chat.MessageQuery{Before: 1, Limit: 10, FromEnd: true}, nil, false, true},
		{"before one long after the last", chat.MessageQuery{Before: 500, Limit: 2, FromEnd: true}, []uint64{4, 5}, true, false},
	} {
		c.q.RoomID, c.q.Readable = room, eventlog.Everything()
		page := r.messages(c.q)
		r.same(c.name, seqs(page.Messages), c.seqs)
		r.same(c.name+": has before", page.HasBefore, c.hasBefore)
		r.same(c.name+": has after", page.HasAfter, c.hasAfter)
		r.same(c.name+": room", page.Room, r.room(room))
	}
}

func pageReadable(r rig) {
	ada := person("ada")
	room := r.group(ada)     // offset 1
	r.sendMany(room, ada, 6) // 2 to 7
	for _, c := range []struct {
		name                string
		readable            eventlog.Intervals
		q                   chat.MessageQuery
		seqs                []uint64
		hasBefore, hasAfter bool
	}{
		{"nothing", nil, chat.MessageQuery{Limit: 10}, nil, false, false},
		{"nothing yet", eventlog.Intervals{{From: 8}}, chat.MessageQuery{Limit: 10}, nil, false, false},
		{"since", eventlog.Intervals{{From: 5}}, chat.MessageQuery{Limit: 10}, []uint64{4, 5, 6}, false, false},
		{"until", eventlog.Intervals{{From: 0, To: 4}}, chat.MessageQuery{Limit: 10}, []uint64{1, 2}, false, false},
		{"gaps", eventlog.Intervals{{From: 2, To: 3}, {From: 6}}, chat.MessageQuery{Limit: 10}, []uint64{1, 5, 6}, false, false},
		{"across a gap", eventlog.Intervals{{From: 2, To: 3}, {From: 6}}, chat.MessageQuery{Limit: 2}, []uint64{1, 5}, false, true},
		{"across a gap, from the end", eventlog.Intervals{{From: 2, To: 3}, {From: 6, To: 7}},
			chat.MessageQuery{Limit: 1, FromEnd: true}, []uint64{5}, true, false},
		{"in a gap", eventlog.Intervals{{From: 2, To: 3}, {From: 7}}, chat.MessageQuery{After: 1, Before: 6, Limit: 9}, nil, true, true},
		{"nothing readable before", eventlog.Intervals{{From: 4}}, chat.MessageQuery{After: 2, Limit: 9}, []uint64{3, 4, 5, 6}, false, false},
		{"nothing readable after", eventlog.Intervals{{From: 0, To: 5}}, chat.MessageQuery{Before: 5, Limit: 9, FromEnd: true}, []uint64{1, 2, 3}, false, false},
	} {
		c.q.RoomID, c.q.Readable = room, c.readable
		page := r.messages(c.q)
		r.same(c.name, seqs(page.Messages), c.seqs)
		r.same(c.name+": has before", page.HasBefore, c.hasBefore)
		r.same(c.name+": has after", page.HasAfter, c.hasAfter)
	}
}

func pageTombstones(r rig) {
	ada := person("ada")
	room := r.group(ada)
	r.sendMany(room, ada, 3)
	r.append(deleting(room, ada, 2))
	page := r.messages(chat.MessageQuery{RoomID: room, Limit: 10, Readable: eventlog.Everything()})
	r.same("seqs", seqs(page.Messages), []uint64{1, 2, 3})
	r.same("tombstone", page.Messages[1], r.message(room, 2))
	if !page.Messages[1].Deleted() || page.Messages[1].Content != "" {
		r.Fatalf("%+v, want a tombstone", page.Messages[1])
	}
}

// busyRoom is a room in which other entries lie between the sent ones, with all its messages.
func busyRoom(r rig, messages int) (room string, all []chat.Message) {
	ada, bob := person("ada"), person("bob")
	room = r.group(ada)
	for i := range messages {
		m := r.send(room, ada, "text")
		switch i % 5 {
		case 1:
			r.append(joining(room, bob))
		case 2:
			r.append(editing(room, ada, m.Seq, "edited"))
		case 3:
			r.append(leaving(room, bob))
		case 4:
			r.append(deleting(room, ada, m.Seq-1))
		}
	}
	for seq := range messages {
		all = append(all, r.message(room, uint64(seq)+1))
	}
	return room, all
}

// intervals draws ascending, disjoint intervals of a log of the length given.
func intervals(t *rapid.T, length int) eventlog.Intervals {
	edges := rapid.SliceOfNDistinct(rapid.Uint64Range(0, uint64(length)+2), 0, 8, rapid.ID).Draw(t, "edges")
	slices.Sort(edges)
	var drawn eventlog.Intervals
	for pair := range slices.Chunk(edges, 2) {
		i := eventlog.Interval{From: pair[0]}
		if len(pair) == 2 {
			i.To = pair[1]
		}
		drawn = append(drawn, i)
	}
	return drawn
}

func pageWalk(r rig) {
	room, all := busyRoom(r, 60)
	tail := int(r.room(room).Tail.Offset)
	r.property(60, 2000, func(r rig, t *rapid.T) {
		readable := intervals(t, tail)
		var want []chat.Message
		for i := range all {
			if readable.Contains(all[i].Sent.Offset) {
				want = append(want, all[i])
			}
		}
		q := chat.MessageQuery{
			RoomID: room, Readable: readable,
			Limit:   rapid.IntRange(1, 70).Draw(t, "limit"),
			FromEnd: rapid.Bool().Draw(t, "from the end"),
		}
		r.same("walk", r.walk(q), want)
	})
}

// walk reads page after page from where q begins, and returns all messages, ascending.
func (r rig) walk(q chat.MessageQuery) []chat.Message {
	r.Helper()
	var all []chat.Message
	for first := true; ; first = false {
		page := r.messages(q)
		behind, ahead := page.HasBefore, page.HasAfter
		if q.FromEnd {
			behind, ahead = ahead, behind
		}
		if behind == first {
			r.Fatalf("%+v: readable messages on the side the walk came from: %v", q, behind)
		}
		if len(page.Messages) == 0 || len(page.Messages) > q.Limit {
			if len(page.Messages) == 0 && first && !ahead {
				return nil
			}
			r.Fatalf("%+v: a page of %d", q, len(page.Messages))
		}
		if q.FromEnd {
			all = append(slices.Clone(page.Messages), all...)
			q.Before = page.Messages[0].Seq
		} else {
			all = append(all, page.Messages...)
			q.After = page.Messages[len(page.Messages)-1].Seq
		}
		if !ahead {
			return all
		}
		if len(all) > int(page.Room.LastSeq) {
			r.Fatalf("%+v: a walk goes round in circles: %v", q, seqs(all))
		}
	}
}

func pageClamped(r rig) {
	ada := person("ada")
	room := r.group(ada)
	r.sendMany(room, ada, 1005)
	q := chat.MessageQuery{RoomID: room, Limit: 1 << 30, Readable: eventlog.Everything()}
	page := r.messages(q)
	if len(page.Messages) != 1000 || !page.HasAfter || page.HasBefore {
		r.Fatalf("a page without a limit has %d messages, more after it: %v", len(page.Messages), page.HasAfter)
	}
	q.FromEnd = true
	page = r.messages(q)
	if len(page.Messages) != 1000 || !page.HasBefore || page.HasAfter || page.Messages[0].Seq != 6 {
		r.Fatalf("a page from the end has %d messages, more before it: %v", len(page.Messages), page.HasBefore)
	}
	if log := r.read(room, eventlog.Position{}, 1<<30); len(log.Publications) != 1000 || log.Tail.Offset != 1006 {
		r.Fatalf("a page of the log without a limit has %d of %d entries", len(log.Publications), log.Tail.Offset)
	}
}

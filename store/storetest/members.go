package storetest

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"parley/chat"
	"parley/eventlog"
)

func testMembers(r rig) {
	r.sub("pages in the order of ids", membersPaging)
	r.sub("those who left aren't shown", membersPresent)
	r.sub("of an empty room", membersNone)
	r.sub("intervals tell when somebody was there", membersIntervals)
}

func (r rig) members(room, after string, limit int) chat.MemberPage {
	r.Helper()
	page, err := r.Members(r.Context(), room, after, limit)
	r.must("Members", err)
	return page
}

func memberIDs(members []chat.Member) []string {
	var ids []string
	for i := range members {
		ids = append(ids, members[i].User.ID)
	}
	return ids
}

func membersPaging(r rig) {
	// In the order of bytes, which isn't anybody's alphabet.
	ids := []string{"", " a", "0", "B", "a", "a-b", "a:b", "aa", "b", "Ä", "ä", "日本", "🦜"}
	room := chat.NewRoomID()
	owner := chat.User{ID: "owner"}
	ids[0] = owner.ID
	r.create(chat.NewRoom{ID: room, Type: chat.Channel, Settings: plain, Owner: &owner})
	for _, id := range rapid.Permutation(ids[1:]).Example(1) {
		r.append(joining(room, chat.User{ID: id, Name: "The " + id}))
	}
	slices.Sort(ids)
	all := r.members(room, "", 100)
	r.same("all", memberIDs(all.Members), ids)
	for i := range all.Members {
		r.same("row", all.Members[i], r.member(room, ids[i]))
	}
	for limit := 1; limit <= len(ids)+1; limit++ {
		var walked []string
		for after, more := "", true; more; {
			page := r.members(room, after, limit)
			more = page.HasMore
			if page.Total != len(ids) || len(page.Members) > limit || len(page.Members) == 0 {
				r.Fatalf("a page of %d of %d, with limit %d", len(page.Members), page.Total, limit)
			}
			walked = append(walked, memberIDs(page.Members)...)
			if len(walked) > len(ids) {
				r.Fatalf("a walk with limit %d goes round in circles: %q", limit, walked)
			}
			after = walked[len(walked)-1]
		}
		r.same(fmt.Sprint("walk with limit ", limit), walked, ids)
	}
	r.same("after one who isn't there", memberIDs(r.members(room, "a-a", 2).Members), []string{"a-b", "a:b"})
	r.same("after the last", r.members(room, "\U0010ffff", 2), chat.MemberPage{Total: len(ids)})
}

func membersPresent(r rig) {
	ada, bob, eve := person("ada"), person("bob"), person("eve")
	room := r.group(ada, bob, eve)
	r.append(leaving(room, bob))
	r.append(removing(room, ada, eve))
	page := r.members(room, "", 10)
	r.same("left", memberIDs(page.Members), []string{ada.ID})
	if page.Total != 1 || page.HasMore {
		r.Fatalf("%+v, want one member", page)
	}
	r.append(joining(room, bob))
	page = r.members(room, "", 1)
	if r.same("back", memberIDs(page.Members), []string{ada.ID}); page.Total != 2 || !page.HasMore {
		r.Fatalf("%+v, want one of two", page)
	}
}

func membersNone(r rig) {
	room := r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Channel, Settings: plain})
	r.same("page", r.members(room.ID, "", 10), chat.MemberPage{})
}

func membersIntervals(r rig) {
	ada, bob := person("ada"), person("bob")
	r.property(20, 300, func(r rig, t *rapid.T) {
		room := r.group(ada)
		var want eventlog.Intervals
		there, offset := false, uint64(1)
		for _, comes := range rapid.SliceOfN(rapid.Bool(), 1, 12).Draw(t, "comings, or messages") {
			offset++
			switch {
			case !comes:
				r.send(room, ada, "text")
			case there:
				r.append(leaving(room, bob))
				want[len(want)-1].To = offset + 1
				there = false
			default:
				r.append(joining(room, bob))
				want = append(want, eventlog.Interval{From: offset})
				there = true
			}
		}
		if row := r.view(room, bob.ID).Members[bob.ID]; row != nil {
			r.same("intervals", row.Intervals, want)
		} else if want != nil {
			r.Fatalf("no row, want intervals %v", want)
		}
	})
}

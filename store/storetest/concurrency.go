package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"parley/chat"
	"parley/eventlog"
)

func testConcurrency(r rig) {
	r.sub("appends to one room make one log", concurrentAppends)
	r.sub("pages agree with their tail", concurrentPages)
	r.sub("what is read is of one moment", concurrentReads)
	r.sub("comings and goings keep the counts right", concurrentCounts)
	r.sub("rooms don't mix", concurrentRooms)
	r.sub("a user's rooms are right after races of comings and goings", concurrentRoomsOf)
	r.sub("public rooms are right after races of updates", concurrentPublicRooms)
}

// acknowledged gathers what concurrent appends were told.
type acknowledged struct {
	mu     sync.Mutex
	events []*chat.Event
}

func (a *acknowledged) add(e *chat.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e)
}

// inLog fails unless each event is in the log, where it said, once, and the log holds nothing else.
func (a *acknowledged) inLog(r rig, log []eventlog.Publication) {
	r.Helper()
	at := map[eventlog.Position]*chat.Event{}
	for _, e := range a.events {
		if at[e.Position] != nil {
			r.Fatalf("two appends were given %+v", e.Position)
		}
		at[e.Position] = e
	}
	for _, p := range log {
		e, got := at[p.Position], p.Payload.(*chat.Event)
		if e == nil {
			r.Fatalf("nobody was told of the entry at %+v", p.Position)
		}
		if got.Kind != e.Kind || got.Seq != e.Seq || !p.At.Equal(e.At) || got.Message.ID() != e.Message.ID() {
			r.Fatalf("the log has %+v at %d, its writer was told of %+v", got, p.Offset, e)
		}
	}
	r.same("entries", len(log), len(a.events))
}

func concurrentAppends(r rig) {
	ada := person("ada")
	room := r.room(r.group(ada))
	live, _ := r.follow(room.ID, room.Tail)
	late, _ := r.follow(room.ID, room.Tail)
	writers, each := 16, scaled(25, 500)
	var acks acknowledged
	together(writers, func(i int) {
		who := person("writer")
		for n := range each {
			done, err := r.Append(r.Context(), sending(room.ID, who, fmt.Sprint(i, " ", n)))
			if err != nil {
				r.Errorf("Append: %v", err)
				return
			}
			if done.Message.Content != fmt.Sprint(i, " ", n) || done.Message.Sender.ID != who.ID {
				r.Errorf("an append was answered with another's message: %+v", done.Message)
			}
			acks.add(done.Event)
		}
	})
	log := r.history(room.ID)[1:]
	acks.inLog(r, log)
	for i, p := range log {
		if seq := p.Payload.(*chat.Event).Seq; seq != uint64(i+1) {
			r.Fatalf("entry %d has seq %d", p.Offset, seq)
		}
	}
	tail := uint64(1 + writers*each)
	r.same("live", live.until(tail), log)
	r.same("late", late.until(tail), log)
}

// concurrentPages reads pages while a writer appends: what a page shows and what its tail says must
// be of one moment, for the subscriber who goes on from there.
func concurrentPages(r rig) {
	ada := person("ada")
	room := r.group(ada)
	stop := meanwhile(1, func(_, round int) { r.appends(sending(room, ada, fmt.Sprint(round))) })
	defer stop()
	for range scaled(200, 3000) {
		page := r.messages(chat.MessageQuery{RoomID: room, Limit: 10, FromEnd: true, Readable: eventlog.Everything()})
		seq := page.Room.LastSeq
		if page.Room.Tail.Offset != seq+1 || len(page.Messages) != int(min(seq, 10)) {
			r.Fatalf("a page of %d with seq %d and tail %d", len(page.Messages), seq, page.Room.Tail.Offset)
		}
		for i := range page.Messages {
			m := &page.Messages[len(page.Messages)-1-i]
			if m.Seq != seq-uint64(i) || m.Sent.Offset != m.Seq+1 {
				r.Fatalf("message %d from the end is %d at %d, the room's last is %d", i, m.Seq, m.Sent.Offset, seq)
			}
		}
		log := r.read(room, page.Room.Tail, 10)
		if log.TailSeq != log.Tail.Offset-1 {
			r.Fatalf("a page of the log with seq %d and tail %d", log.TailSeq, log.Tail.Offset)
		}
		r.contiguous(page.Room.Tail, log.Publications)
	}
}

// concurrentReads reads while a writer edits: entries and messages must show the edit that the tail of
// the same answer stands for.
func concurrentReads(r rig) {
	ada := person("ada")
	room := r.group(ada)
	start := r.send(room, ada, "2").Sent // the content is the offset of the entry that wrote it
	stop := meanwhile(1, func(_, round int) { r.appends(editing(room, ada, 1, fmt.Sprint(round+3))) })
	defer stop()
	for range scaled(200, 3000) {
		page := r.messages(chat.MessageQuery{RoomID: room, Limit: 1, Readable: eventlog.Everything()})
		r.same("message", page.Messages[0].Content, fmt.Sprint(page.Room.Tail.Offset))
		log := r.read(room, start, 3)
		for _, p := range log.Publications {
			r.same("hydrated", p.Payload.(*chat.Event).Message.Content, fmt.Sprint(log.Tail.Offset))
		}
	}
}

func concurrentCounts(r rig) {
	ada := person("ada")
	room := r.group(ada)
	users := make([]chat.User, 6)
	for i := range users {
		users[i] = person("restless")
	}
	rounds := scaled(30, 500)
	together(12, func(i int) {
		random := rand.New(rand.NewPCG(uint64(i), 0))
		for range rounds {
			who := users[random.IntN(len(users))]
			a := []chat.Append{
				joining(room, who), leaving(room, who), removing(room, ada, who), sending(room, who, "text"),
				changingRole(room, ada, who, chat.Owner), changingRole(room, ada, who, chat.Ordinary),
			}[random.IntN(6)]
			if _, err := r.Append(r.Context(), a); err != nil && verdict(err) != moved {
				r.Errorf("Append: %v", err)
			}
		}
	})
	view := r.view(room, ada.ID)
	members, owners := 0, 0
	for _, m := range r.members(room, "", 100).Members {
		members++
		if m.Role == chat.Owner {
			owners++
		}
	}
	if view.Room.MemberCount != members || view.Room.OwnerCount != owners {
		r.Fatalf("the room says %d members, %d owners; there are %d and %d",
			view.Room.MemberCount, view.Room.OwnerCount, members, owners)
	}
	r.countsFromLog(view.Room)
}

// countsFromLog counts a room's members by replaying its log.
func (r rig) countsFromLog(room chat.Room) {
	r.Helper()
	there, seq := map[string]bool{}, uint64(0)
	for _, p := range r.history(room.ID) {
		for _, a := range p.Access {
			if begins := a.Change == eventlog.AccessBegins; there[a.Principal] == begins {
				r.Fatalf("entry %d changes the access of %s to what it was", p.Offset, a.Principal)
			} else {
				there[a.Principal] = begins
			}
		}
		if p.Kind == chat.KindMessageSent {
			seq++
		}
		if got := p.Payload.(*chat.Event).Seq; got != seq {
			r.Fatalf("entry %d says seq %d, want %d", p.Offset, got, seq)
		}
	}
	members := 0
	for _, in := range there {
		if in {
			members++
		}
	}
	r.same("members by the log", members, room.MemberCount)
	r.same("messages by the log", seq, room.LastSeq)
}

func concurrentRooms(r rig) {
	ada := person("ada")
	const rooms = 8
	ids := make([]string, rooms)
	followers := make([]*follower, rooms)
	for i := range ids {
		ids[i] = r.group(ada)
		followers[i], _ = r.follow(ids[i], r.room(ids[i]).Tail)
	}
	each := scaled(30, 500)
	together(rooms, func(i int) {
		for n := range each {
			done, err := r.Append(r.Context(), sending(ids[i], ada, fmt.Sprint(i)))
			if err != nil || done.Message.Seq != uint64(n+1) {
				r.Errorf("append %d to room %d: %+v, %v", n, i, done.Message, err)
			}
		}
	})
	for i, f := range followers {
		for _, p := range f.until(uint64(each + 1)) {
			if m := p.Payload.(*chat.Event).Message; m.Content != fmt.Sprint(i) {
				r.Fatalf("room %d has a message of room %s", i, m.Content)
			}
		}
	}
}

// concurrentRoomsOf lets a user come and go from several places at once: whatever the outcome, the
// user's rooms are those whose rows say so.
func concurrentRoomsOf(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada)
	for range scaled(60, 1500) {
		together(6, func(i int) {
			a := []chat.Append{joining(room, bob), leaving(room, bob), removing(room, ada, bob)}[i%3]
			if _, err := r.Append(r.Context(), a); err != nil && verdict(err) != moved {
				r.Errorf("Append: %v", err)
			}
		})
		row := r.view(room, bob.ID).Members[bob.ID]
		if active := row != nil && row.Active; len(r.roomsOf(bob.ID)) == 1 != active {
			r.Fatalf("active: %v, rooms: %v", active, r.roomsOf(bob.ID))
		}
	}
}

func concurrentPublicRooms(r rig) {
	ada, mark := person("ada"), unique("toggled")
	room := r.public(mark)
	shown, hidden := r.room(room).RoomSettings, r.room(room).RoomSettings
	hidden.Visibility = chat.Private
	for range scaled(60, 1500) {
		together(6, func(i int) {
			settings := []chat.RoomSettings{shown, hidden}[i%2]
			settings.Name = fmt.Sprint(i/2, " ", mark)
			r.appends(updating(room, ada, settings))
		})
		var want []chat.Room
		if now := r.room(room); now.Visibility == chat.Public {
			want = append(want, now)
		}
		r.same("public rooms", r.publicRooms(mark, "", 10), want)
	}
}

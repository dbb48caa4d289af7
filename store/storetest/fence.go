package storetest

import (
	"sync"

	"parley/chat"
	"parley/eventlog"
)

func testFence(r rig) {
	r.sub("does nothing where the log agrees", fenceAgrees)
	r.sub("begins a new epoch where it doesn't", fenceDisagrees)
	r.sub("is done once", fenceOnce)
	r.sub("is done once by 20 at once", fenceAtOnce)
	r.sub("ends old positions, new ones hold", fencePositions)
	r.sub("is heard by watchers", fenceHeard)
	r.sub("leaves rooms, members and messages alone", fenceSpares)
	r.sub("among appends keeps the log whole", fenceAmongAppends)
}

func (r rig) fence(log string, seen eventlog.Position) {
	r.Helper()
	r.must("Fence", r.Fence(r.Context(), log, seen))
}

func fenceAgrees(r rig) {
	room, _ := busyRoom(r, 10)
	before := r.room(room)
	for _, p := range r.history(room) {
		r.fence(room, p.Position)
	}
	r.fence(room, eventlog.Position{Epoch: before.Tail.Epoch})
	r.same("room", r.room(room), before)

	empty := r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Channel, Settings: plain})
	r.fence(empty.ID, empty.Tail)
	r.same("empty room", r.room(empty.ID), empty)
}

// lies are positions the log never had, in its present epoch.
func lies(tail eventlog.Position) map[string]eventlog.Position {
	return map[string]eventlog.Position{
		"another check":             {Epoch: tail.Epoch, Offset: 2, Check: tail.Check},
		"another check at the tail": {Epoch: tail.Epoch, Offset: tail.Offset, Check: tail.Check + 1},
		"beyond the tail":           {Epoch: tail.Epoch, Offset: tail.Offset + 1, Check: 1},
		"far beyond the tail":       {Epoch: tail.Epoch, Offset: tail.Offset + 1000, Check: 1},
	}
}

func fenceDisagrees(r rig) {
	for name := range lies(eventlog.Position{}) {
		r.sub(name, func(r rig) {
			room, _ := busyRoom(r, 5)
			before := r.room(room)
			r.fence(room, lies(before.Tail)[name])
			r.fenced(before)
		})
	}
	r.sub("empty log", func(r rig) {
		room := r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Channel, Settings: plain})
		r.fence(room.ID, eventlog.Position{Epoch: room.Tail.Epoch, Offset: 3, Check: 3})
		r.fenced(room)
	})
}

// fenced fails unless exactly one fence has happened to a room since it was read, and nothing else.
func (r rig) fenced(before chat.Room) (tail eventlog.Position) {
	r.Helper()
	now := r.room(before.ID)
	tail = now.Tail
	if tail.Epoch == 0 || tail.Epoch == before.Tail.Epoch || tail.Offset != before.Tail.Offset+1 || tail.Check == 0 {
		r.Fatalf("tail %+v after %+v, want the next offset in a new epoch", tail, before.Tail)
	}
	before.Tail = tail
	r.same("room", now, before)
	log := r.history(before.ID)
	reset := log[len(log)-1]
	if reset.Kind != eventlog.KindReset || reset.Position != tail || !isStoreTime(reset.At) {
		r.Fatalf("the last entry is %+v, want a reset", reset)
	}
	r.same("payload", reset.Payload, eventlog.Reset{Log: before.ID, Reason: eventlog.HistoryLost, At: reset.At})
	return tail
}

func fenceOnce(r rig) {
	room, _ := busyRoom(r, 5)
	before := r.room(room)
	for _, seen := range lies(before.Tail) {
		r.fence(room, seen) // after the first, the epoch is an old one
		r.fence(room, seen)
	}
	tail := r.fenced(before)
	r.fence(room, before.Tail)
	r.fence(room, tail)
	r.fence(room, eventlog.Position{Epoch: tail.Epoch + 1, Offset: 1, Check: 1})
	r.same("tail", r.room(room).Tail, tail)
	before.Tail = tail
	r.fence(room, eventlog.Position{Epoch: tail.Epoch, Offset: 99, Check: 99})
	r.fenced(before)
}

func fenceAtOnce(r rig) {
	for range scaled(5, 50) {
		room, _ := busyRoom(r, 5)
		before := r.room(room)
		together(20, func(int) {
			if err := r.Fence(r.Context(), room, lies(before.Tail)["beyond the tail"]); err != nil {
				r.Errorf("Fence: %v", err)
			}
		})
		r.fenced(before)
	}
}

func fencePositions(r rig) {
	ada := person("ada")
	room, _ := busyRoom(r, 5)
	before := r.room(room)
	old := r.history(room)
	r.fence(room, lies(before.Tail)["beyond the tail"])
	tail := r.fenced(before)
	for _, p := range old {
		r.gap(room, p.Position, historyLost)
	}
	r.same("at the reset", r.read(room, tail, 10), eventlog.Page{Tail: tail, TailSeq: before.LastSeq})
	done := r.append(sending(room, ada, "in the new epoch"))
	page := r.read(room, tail, 10)
	r.same("after the reset", page.Publications, []eventlog.Publication{done.Event.Publication(tail.Check)})
	if p := done.Event.Position; p.Epoch != tail.Epoch || p.Offset != tail.Offset+1 || done.Message.Seq != before.LastSeq+1 {
		r.Fatalf("the first entry of the new epoch is %+v, seq %d", p, done.Message.Seq)
	}
	whole := r.history(room)
	r.same("the old entries, from the start", whole[:len(old)], old)
}

func fenceHeard(r rig) {
	ada := person("ada")
	room, _ := busyRoom(r, 5)
	before := r.room(room)
	// A reset leads into a new epoch, where a reader of the old one can't heal: it must be told.
	var told heard
	stop, err := r.Watch(r.Context(), room, &told)
	r.must("Watch", err)
	defer stop()
	r.fence(room, lies(before.Tail)["beyond the tail"])
	tail := r.fenced(before)
	r.eventually("the watcher is told of the reset", func() bool { return told.of(tail) })
	r.send(room, ada, "in the new epoch")
	now := r.room(room).Tail
	r.eventually("the watcher is told of what comes after", func() bool { return told.of(now) })
}

// heard is a watcher that remembers the positions it was told of, or that it shall look.
type heard struct {
	mu        sync.Mutex
	positions map[eventlog.Position]bool
	look      bool
}

func (h *heard) Published(pubs []eventlog.Publication) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.positions == nil {
		h.positions = map[eventlog.Position]bool{}
	}
	for i := range pubs {
		h.positions[pubs[i].Position] = true
	}
}

func (h *heard) Look() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.look = true
}

// of reports whether the watcher has heard of a position since it was asked last, or has to look.
func (h *heard) of(p eventlog.Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.positions[p] || h.look {
		h.look = false
		return true
	}
	return false
}

func fenceSpares(r rig) {
	ada := person("ada")
	room, all := busyRoom(r, 12)
	once := sendingOnce(room, ada, "hello", "key")
	all = append(all, *r.append(once).Message)
	view, members := r.view(room, ada.ID), r.members(room, "", 10)
	r.fence(room, lies(view.Room.Tail)["another check"])
	view.Room.Tail = r.fenced(view.Room)
	r.same("members", r.members(room, "", 10), members)
	page := r.messages(chat.MessageQuery{RoomID: room, Limit: 100, Readable: eventlog.Everything()})
	r.same("page", page, chat.MessagePage{Messages: all, Room: view.Room})
	r.repeated(once, all[12])
	edited := r.append(editing(room, ada, 1, "from the old epoch"))
	r.same("sent", edited.Message.Sent, all[0].Sent)
	owner := members.Members[0]
	r.append(expecting(leaving(room, owner.User), chat.Expect{
		Room: view.Room.Version, Members: map[string]uint64{owner.User.ID: owner.Version},
	}))
}

func fenceAmongAppends(r rig) {
	ada := person("ada")
	room := r.group(ada)
	const fences, sends = 5, 40
	together(fences+4, func(i int) {
		if i >= fences {
			for range sends {
				r.appends(sending(room, ada, "text"))
			}
			return
		}
		view, err := r.View(r.Context(), chat.ViewQuery{RoomID: room})
		if err != nil {
			r.Errorf("View: %v", err)
			return
		}
		// A tail far ahead of the log: disagrees in whichever epoch it was read.
		seen := eventlog.Position{Epoch: view.Room.Tail.Epoch, Offset: 1 << 40, Check: 1}
		if err := r.Fence(r.Context(), room, seen); err != nil {
			r.Errorf("Fence: %v", err)
		}
	})
	resets, sent := 0, 0
	epochs := map[uint32]bool{}
	for _, p := range r.history(room) {
		epochs[p.Epoch] = true
		switch p.Kind {
		case eventlog.KindReset:
			resets++
		case chat.KindMessageSent:
			sent++
		}
	}
	if sent != 4*sends || resets < 1 || resets > fences || len(epochs) != resets+1 {
		r.Fatalf("%d sent entries, %d resets, %d epochs", sent, resets, len(epochs))
	}
}

package storetest

import (
	"time"

	"parley/chat"
	"parley/eventlog"
)

// The retentions of the concerns below.
const (
	fewEntries = 100
	shortAge   = 200 * time.Millisecond
	fewBytes   = 4 << 10
)

// written is a log whose every position is known, so that it can be found out what is left of it.
type written struct {
	rig
	room      string
	by        chat.User
	positions []eventlog.Position // by offset; the first is the start
}

func (r rig) written() *written {
	r.Helper()
	ada := person("ada")
	room := r.room(r.group(ada))
	return &written{
		rig: r, room: room.ID, by: ada,
		positions: []eventlog.Position{{Epoch: room.Tail.Epoch}, room.Tail},
	}
}

func (w *written) write(n int) {
	w.Helper()
	for range n {
		w.take(w.append(sending(w.room, w.by, "text")))
	}
}

func (w *written) take(done chat.Appended) { w.positions = append(w.positions, done.Event.Position) }

// tail is the offset of the last entry.
func (w *written) tail() int { return len(w.positions) - 1 }

// start returns the first offset that the log can be read on from: trimmed before, whole after.
func (w *written) start() int {
	w.Helper()
	for offset, at := range w.positions {
		page, err := w.Read(w.Context(), w.room, at, 1000)
		if verdict(err) == trimmed {
			continue
		}
		w.must("Read", err)
		w.contiguous(at, page.Publications)
		if n := len(page.Publications); n != w.tail()-offset {
			w.Fatalf("from %d of %d, %d entries are left", offset, w.tail(), n)
		}
		return offset
	}
	w.Fatalf("the log can't be read on from its own tail")
	return 0
}

// kept is how many entries are left.
func (w *written) kept() int { return w.tail() - w.start() }

func testRetentionByCount(r rig) {
	w := r.written()
	f, _ := r.follow(w.room, w.positions[1])
	once := sendingOnce(w.room, w.by, "hello", "key")
	first := r.append(once)
	w.take(first)
	w.write(400)
	r.eventually("no more than the maximum and a tenth are kept", func() bool {
		w.write(1)
		kept := w.kept()
		if kept < fewEntries {
			r.Fatalf("%d entries are kept, want %d at least", kept, fewEntries)
		}
		return kept <= fewEntries+fewEntries/10
	})
	r.sub("watchers miss nothing", func(r rig) { f.until(uint64(w.tail())) })
	r.sub("positions at the edge", func(r rig) { retentionEdge(r, w) })
	r.sub("messages outlive entries", func(r rig) { retentionSpares(r, w) })
	r.sub("a repeat outlives its entry", func(r rig) { r.repeated(once, r.message(w.room, first.Message.Seq)) })
	r.sub("fences pass over what was trimmed", func(r rig) { retentionFence(r, w) })
	r.sub("a short log is whole", func(r rig) {
		short := r.written()
		short.write(fewEntries - 1)
		r.same("kept", short.kept(), fewEntries)
	})
}

func retentionEdge(r rig, w *written) {
	edge := w.start()
	gap := r.gap(w.room, eventlog.Position{}, trimmed)
	r.same("tail", gap.Tail, w.positions[w.tail()])
	at := w.positions[edge]
	r.same("from the edge", len(r.read(w.room, at, 1000).Publications), w.tail()-edge)
	at.Check++
	r.gap(w.room, at, historyLost) // the next entry knows better
	at = w.positions[edge-1]
	r.gap(w.room, at, trimmed)
	at.Epoch++
	r.gap(w.room, at, historyLost)
}

func retentionSpares(r rig, w *written) {
	q := chat.MessageQuery{RoomID: w.room, Limit: 1000, Readable: eventlog.Everything()}
	page := r.messages(q)
	r.same("messages", len(page.Messages), w.tail()-1)
	r.same("first", page.Messages[0].Sent, w.positions[2])
	edited := r.append(editing(w.room, w.by, 1, "edited, long after"))
	w.take(edited)
	r.same("edited", r.message(w.room, 1).Content, "edited, long after")
	r.same("its sent entry", edited.Message.Sent, w.positions[2])
	r.unread(w.room, w.by, 0)
}

func retentionFence(r rig, w *written) {
	before := r.room(w.room)
	gone := w.positions[w.start()-1]
	r.fence(w.room, gone)
	gone.Check++
	r.fence(w.room, gone) // nobody can tell any more
	r.same("room", r.room(w.room), before)

	wrong := before.Tail
	wrong.Check++
	r.fence(w.room, wrong)
	tail := r.room(w.room).Tail
	if tail.Epoch == before.Tail.Epoch || tail.Offset != before.Tail.Offset+1 {
		r.Fatalf("tail %+v after %+v, want a new epoch", tail, before.Tail)
	}
	r.same("page", r.read(w.room, tail, 10), eventlog.Page{Tail: tail, TailSeq: before.LastSeq})
}

func testRetentionByAge(r rig) {
	w := r.written()
	w.write(20)
	r.eventually("entries older than the maximum are gone", func() bool {
		w.write(1)
		return w.start() > 20
	})
	r.sub("messages outlive entries", func(r rig) { retentionSpares(r, w) })
	r.sub("an idle log can be read on from its tail", func(r rig) {
		tail := w.positions[w.tail()]
		r.pass(shortAge)
		page := r.read(w.room, tail, 10)
		r.same("page", page, eventlog.Page{Tail: tail, TailSeq: r.room(w.room).LastSeq})
		tail.Check++
		r.gap(w.room, tail, historyLost)
		w.write(1)
		r.same("after it", len(r.read(w.room, w.positions[w.tail()-1], 10).Publications), 1)
	})
}

func testRetentionByBytes(r rig) {
	w := r.written()
	w.write(500)
	r.eventually("a log above its bytes is trimmed, young as it is", func() bool {
		w.write(1)
		return w.start() > 0
	})
	if w.kept() == 0 {
		r.Fatalf("nothing is left")
	}
	retentionSpares(r, w)
}

func testRetentionOfTheYoung(r rig) {
	w := r.written()
	w.write(200) // of at most ten, but none is five minutes old
	r.same("kept", w.start(), 0)
}

package redis

import (
	"slices"
	"strconv"
	"sync"

	"parley/eventlog"
)

// maxOwn bounds the entries of a log that a node hands over before their hints have come.
const maxOwn = 64

// ownHints are the entries of a log that this node appended and handed over itself, as soon as it knew of them,
// and whose hints are still on their way: they are known by their beginning, and needn't be read.
type ownHints struct {
	// mu keeps what is handed over in order.
	mu sync.Mutex
	// at is the last entry handed over.
	at      eventlog.Position
	entries []eventlog.Position
}

// handOwn hands an entry of this node to those who watch its log, if it follows what they were handed last. Else
// there are hints on their way that come before it, and its own does as well.
func (s *Store) handOwn(log string, p eventlog.Publication) {
	t := s.topics.named(log)
	if t == nil || t.own == nil {
		return
	}
	t.own.mu.Lock()
	defer t.own.mu.Unlock()
	if p.Follows(t.own.at) && len(t.own.entries) < maxOwn {
		t.own.at, t.own.entries = p.Position, append(t.own.entries, p.Position)
		s.hand(t, []eventlog.Publication{p})
	}
}

// handed reports whether a hint's payload is of an entry that was handed over. The hints of those before it are
// lost, then. The caller holds mu, as for tell.
func (o *ownHints) handed(payload string) bool {
	for i, p := range o.entries {
		if beginsAt(payload, p) {
			o.entries = slices.Delete(o.entries, 0, i+1)
			return true
		}
	}
	return false
}

// tell notes that an entry is handed over by its hint. No hints come any more of what lies before it.
func (o *ownHints) tell(at eventlog.Position) {
	o.at = at
	o.entries = slices.DeleteFunc(o.entries, func(p eventlog.Position) bool { return p.Offset <= at.Offset })
}

// beginsAt reports whether an event, as lua/lib/log.lua writes it, is that of a position.
func beginsAt(payload string, p eventlog.Position) bool {
	text := append(make([]byte, 0, 96), `{"epoch":`...)
	text = strconv.AppendUint(text, uint64(p.Epoch), 10)
	text = append(text, `,"offset":`...)
	text = strconv.AppendUint(text, p.Offset, 10)
	text = append(text, `,"check":`...)
	text = strconv.AppendUint(text, uint64(p.Check), 10)
	text = append(text, ',')
	return len(payload) >= len(text) && payload[:len(text)] == string(text)
}

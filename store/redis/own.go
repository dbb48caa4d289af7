package redis

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"parley/eventlog"
)

const (
	// maxOwn bounds the entries of a log that a node hands over before their hints have come.
	maxOwn = 64
	// answerPatience is how long a hint waits for its answer, which is right behind it unless its connection stands still.
	answerPatience = 100 * time.Millisecond
)

// own is what this node appends to a log that it watches. It hands entries over itself, as soon as it knows of them: so
// their hints needn't be read, whether they come later than the answer or before it. The zero own is ready.
type own struct {
	// mu keeps what is handed over in order.
	mu sync.Mutex
	// at is the last entry handed over.
	at eventlog.Position
	// handed are the entries whose hints are on their way.
	handed []eventlog.Position
	// awaited are the checks of entries that are being appended, parked the hints of such: the first waits for its
	// answer, the others for the first.
	awaited map[uint32]bool
	parked  []string
	late    *time.Timer // has those be read that have waited long enough; nil before the first
}

// await has the hint of an entry wait that is about to be appended. The topic returned, nil for a log that nobody watches,
// is to be settled whatever becomes of it.
func (s *Store) await(log string, check uint32) *topic {
	t := s.topics.named(log)
	if t == nil || t.own == nil || s.wait.Replicas > 0 { // then the answer comes much later
		return nil
	}
	t.own.mu.Lock()
	defer t.own.mu.Unlock()
	if t.own.awaited == nil {
		t.own.awaited = map[uint32]bool{}
	}
	t.own.awaited[check] = true
	return t
}

// settle hands over an entry that was appended, if it follows what was handed over last; else there are hints on their
// way that come before it, and its own does as well. It is nil if nobody knows.
func (s *Store) settle(t *topic, check uint32, p *eventlog.Publication) {
	if t == nil {
		return
	}
	o := t.own
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.awaited, check)
	if p != nil && p.Follows(o.at) && len(o.handed) < maxOwn {
		if len(o.parked) > 0 && positionIn(o.parked[0]) == p.Position {
			o.parked = o.parked[1:]
		} else {
			o.handed = append(o.handed, p.Position)
		}
		o.at = p.Position
		s.hand(t, []eventlog.Publication{*p})
	}
	for len(o.parked) > 0 && !o.awaited[positionIn(o.parked[0]).Check] {
		s.unpark(t)
	}
}

// expect has the hints that wait, if the first has just come, wait only so long. The caller holds own.mu.
func (s *Store) expect(t *topic) {
	switch o := t.own; {
	case len(o.parked) != 1:
	case o.late == nil:
		o.late = time.AfterFunc(answerPatience, func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			s.unparkAll(t)
		})
	default:
		o.late.Reset(answerPatience)
	}
}

func (s *Store) unparkAll(t *topic) {
	for len(t.own.parked) > 0 {
		s.unpark(t)
	}
}

// unpark reads the first of the hints that wait. The caller holds own.mu, as for hear.
func (s *Store) unpark(t *topic) {
	payload := t.own.parked[0]
	t.own.parked = t.own.parked[1:]
	s.read(t, payload)
}

// hear takes a hint that needn't be read: of an entry that was handed over, or will be.
func (o *own) hear(payload string) bool {
	p := positionIn(payload)
	for i, known := range o.handed {
		if known == p {
			o.handed = o.handed[i+1:] // the hints of those before it are lost
			return true
		}
	}
	if o.awaited[p.Check] {
		o.parked = append(o.parked, payload)
		return true
	}
	return false
}

// told notes that an entry is handed over by its hint. No hints come any more of what lies before it.
func (o *own) told(at eventlog.Position) {
	o.at = at
	for len(o.handed) > 0 && o.handed[0].Offset <= at.Offset {
		o.handed = o.handed[1:]
	}
}

// positionIn reads the position with which an event begins, as lua/lib/log.lua writes it; the zero Position of anything else.
func positionIn(payload string) (p eventlog.Position) {
	number := func(name string, bits int) uint64 {
		rest, _ := strings.CutPrefix(payload, name)
		digits, rest, _ := strings.Cut(rest, ",")
		payload = rest
		n, _ := strconv.ParseUint(digits, 10, bits)
		return n
	}
	p.Epoch = uint32(number(`{"epoch":`, 32))
	p.Offset = number(`"offset":`, 64)
	p.Check = uint32(number(`"check":`, 32))
	return p
}

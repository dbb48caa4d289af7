package delivery

import (
	"slices"

	"parley/eventlog"
)

// maxRecent bounds the publications remembered for those who join a moment late.
const maxRecent = 128

// heldHint is a publication that came while healing, in the letter of that number.
type heldHint struct {
	eventlog.Publication
	number uint64
}

// take accepts what follows, drops what is known, and heals what doesn't fit. While the store's word
// can't be relied on, all of it is read from the log.
func (t *topic) take(pubs []eventlog.Publication, number uint64) {
	if t.hub.CutOff(t.name) {
		t.look()
		return
	}
	for i := range pubs {
		p := &pubs[i]
		switch {
		case !t.placed:
			t.missed = true
		case t.healing:
			t.hold(heldHint{*p, number})
		case p.Follows(t.at):
			t.accept(*p)
		case t.knows(p):
		default:
			t.hold(heldHint{*p, number})
			t.heal()
		}
	}
}

func (t *topic) accept(p eventlog.Publication) {
	t.run = append(t.run, p)
	t.at, t.seq = p.Position, p.Seq
}

// knows reports whether the publication is surely one already accepted. One that claims the same
// offset with another check belongs to another history; of one too old to be remembered only the
// log can tell.
func (t *topic) knows(p *eventlog.Publication) bool {
	if p.Position == t.at {
		return true
	}
	for _, known := range [...][]eventlog.Publication{t.run, t.recent} {
		if i, ok := indexOf(known, p.Offset); ok {
			return known[i].Position == p.Position
		}
	}
	return false
}

// indexOf finds an offset in contiguous publications.
func indexOf(pubs []eventlog.Publication, offset uint64) (int, bool) {
	if len(pubs) == 0 || offset < pubs[0].Offset || offset-pubs[0].Offset >= uint64(len(pubs)) {
		return 0, false
	}
	return int(offset - pubs[0].Offset), true
}

// hold keeps what comes while healing; what there is no room for has to be read from the log.
func (t *topic) hold(p heldHint) {
	if len(t.held) < t.hub.options.MaxPending {
		t.held = append(t.held, p)
	} else {
		t.again = true
	}
}

// takeHeld goes through what came while healing. Of what had been heard by the time the log was read
// there is nothing to take: either it was read, or it is of a history that is no more.
func (t *topic) takeHeld(held []heldHint, heard uint64) {
	for i := range held {
		if p := &held[i]; p.number > heard {
			t.take([]eventlog.Publication{p.Publication}, p.number)
		}
	}
}

// remember keeps what was handed out. Parts of recent are lent (since), so it is never changed in
// place: it grows, and is copied when half of it has become too old.
func (t *topic) remember(piece []eventlog.Publication) {
	t.recent = append(t.recent, piece...)
	if len(t.recent) > 2*maxRecent {
		t.recent = slices.Clone(t.recent[len(t.recent)-maxRecent:])
	}
}

// since returns what was handed out after a position, if the topic surely stands there or has passed
// it a moment ago.
func (t *topic) since(at eventlog.Position) (missing []eventlog.Publication, known bool) {
	if at == t.at {
		return nil, true
	}
	i, ok := indexOf(t.recent, at.Offset+1)
	if !ok || !t.recent[i].Follows(at) {
		return nil, false
	}
	return slices.Clip(t.recent[i:]), true
}

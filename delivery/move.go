package delivery

import (
	"cmp"
	"slices"
)

// When the audience of a group has moved, each member is judged anew by itself and goes on in the group
// in which it belongs now. All of them lack the event at which it was noticed, and what came since. So
// as long as some are on their way, groups keep what they render, and whoever comes is given that.

// maxKept is how many events a group keeps, and how many publications one who comes from a group that has
// moved may lack to be taken in at once.
const maxKept = 32

// kept are events of a group, in order.
type kept []*Event

func byOffset(e *Event, offset uint64) int { return cmp.Compare(e.Offset, offset) }

// find returns the event at an offset, nil if it isn't kept.
func (k kept) find(offset uint64) *Event {
	if i, found := slices.BinarySearchFunc(k, offset, byOffset); found {
		return k[i]
	}
	return nil
}

// add keeps an event, instead of the oldest one if there are too many. One that tells of an error isn't
// kept: it may succeed for the next to come.
func (k *kept) add(e *Event) {
	if e.failure {
		return
	}
	i, _ := slices.BinarySearchFunc(*k, e.Offset, byOffset)
	*k = slices.Insert(*k, i, e)
	if len(*k) > maxKept {
		*k = slices.Delete(*k, 0, 1)
	}
}

// keep begins or ends the keeping of what the group renders.
func (g *group) keep(keep bool) {
	if g.keeps = keep; !keep {
		g.kept = nil
	}
}

// move sends every member where it belongs now. The group takes in nobody any more; the topic hears of it
// before the first member comes back.
func (g *group) move() {
	g.topic.mail.post(letter{moved: g})
	g.end()
	g.disperse(&loss{moved: true})
}

// moved is told by a group whose members are on their way to others.
func (t *topic) moved(g *group) {
	if t.groups[g.key] != g { // it was sent away or lost before, or all have gone
		return
	}
	if g.born == t.moves { // else it is the move that another group has told of
		t.moves++
	}
	t.takeOut(g)
}

// takeOut makes a group, and its audience, one that the topic hasn't any more.
func (t *topic) takeOut(g *group) {
	delete(t.groups, g.key)
	t.audiences.drop(g.audience)
	t.moving[g] = true
}

// admit counts one group more of an audience; false if that would be one too many.
func (t *topic) admit(audience string) bool {
	most := t.hub.options.MaxAudiences
	return t.audiences.admit(audience, most) || t.makeRoom() && t.audiences.admit(audience, most)
}

// makeRoom sends away the groups of audiences that have probably moved too, but haven't noticed, since they
// have rendered nothing that reaches the history: those that were there before the last move. False: there
// are none.
func (t *topic) makeRoom() (made bool) {
	for _, g := range t.groups {
		if g.audience != "" && g.born < t.moves {
			g.mail.post(groupLetter{lost: &loss{moved: true}})
			t.takeOut(g)
			made = true
		}
	}
	return made
}

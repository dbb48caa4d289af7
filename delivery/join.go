package delivery

import "parley/eventlog"

// maxInstant is how many publications a group renders for one who joins: few, since they are
// rendered for that one alone while others wait. Whoever lacks more reads them by themselves.
const maxInstant = 4

// joining asks to become live at the subscriber's position.
type joining struct {
	s *Subscriber
	// verified: the position was read from the log after the watch was confirmed.
	verified bool
	// waited: the topic has read the log since.
	waited bool
	// done takes one verdict.
	done chan verdict
}

// verdict is the answer to a joining. Without either part the subscriber has to read the log from
// its position on.
type verdict struct {
	live bool
	// missing is what the subscriber lacks; it joins again after that.
	missing []eventlog.Publication
}

// join makes a subscriber live, if the topic is or can be brought to where the subscriber stands.
func (t *topic) join(j *joining) {
	if j.s.ended.Load() {
		return
	}
	if !t.placed && j.verified {
		t.place(*j.s.at)
	}
	missing, known := t.since(j.s.at.Position)
	instant := maxInstant
	if t.moving[j.s.joined] {
		instant = maxKept
	}
	switch {
	case !t.placed:
		j.done <- verdict{}
	case known && len(missing) <= instant:
		t.add(j.s, missing)
		j.done <- verdict{live: true}
	case known:
		j.done <- verdict{missing: missing}
	case j.verified && t.healing:
		t.waiting[j.s] = j
	case j.verified && !j.waited:
		// The subscriber is ahead, or two histories meet: the log decides.
		j.waited = true
		t.waiting[j.s] = j
		t.heal()
	default:
		j.done <- verdict{}
	}
}

// place lets the topic begin at a position read from the log. Words that came before it was known
// may be about what comes after it.
func (t *topic) place(at eventlog.Cursor) {
	t.placed, t.at, t.seq = true, at.Position, at.Seq
	if t.missed {
		t.missed = false
		t.heal()
	}
}

// add makes a subscriber a member of its group, unless that is one too many.
func (t *topic) add(s *Subscriber, missing []eventlog.Publication) {
	if s.joined != nil { // and has been sent away by it
		defer t.quit(s.joined)
		s.joined = nil
	}
	key := s.groupKey()
	g := t.groups[key]
	if g == nil {
		if !t.admit(s.sharing.Audience) {
			s.finish(ErrTooManyAudiences)
			return
		}
		g = newGroup(t, key, s.sharing)
		t.groups[key] = g
	}
	g.users++
	s.joined, s.sharing.Group = g, g.key.key // one text for all
	g.mail.post(groupLetter{join: &entrance{s: s, missing: missing, at: t.cursor()}, keep: len(t.moving) > 0})
}

// leave takes a subscriber out, wherever it stands.
func (t *topic) leave(s *Subscriber) {
	delete(t.waiting, s)
	g := s.joined
	if g == nil {
		return
	}
	s.joined = nil
	g.mail.post(groupLetter{leave: s})
	t.quit(g)
}

// quit gives up one use of a group.
func (t *topic) quit(g *group) {
	if g.users--; g.users > 0 {
		return
	}
	g.end()
	if t.groups[g.key] == g {
		delete(t.groups, g.key)
		t.audiences.drop(g.audience)
	}
	delete(t.moving, g)
}

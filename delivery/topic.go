package delivery

import (
	"context"
	"slices"
	"sync/atomic"

	"parley/eventlog"
)

// topic is a log that somebody in this process follows. It is changed only by its mailbox, which
// gives its live subscribers every publication once, in order; what hints lose is read from the
// log (heal.go).
type topic struct {
	hub    *Hub
	name   string
	users  int // guarded by hub.mu
	ctx    context.Context
	cancel context.CancelFunc

	// ready is closed once the watch is confirmed, or has failed with err.
	ready chan struct{}
	err   error

	mail    mailbox[letter]
	pending atomic.Int64 // publications waiting in mail

	// settled is the position up to which every live subscriber has its events in its outbox.
	settled atomic.Pointer[eventlog.Cursor]

	// From here on the mailbox's own.
	groups  groups
	placed  bool              // at is known
	missed  bool              // word came while at wasn't known
	at      eventlog.Position // of the last publication handled
	seq     uint64
	run     []eventlog.Publication // accepted, not yet fanned out
	recent  []eventlog.Publication // the last ones fanned out, contiguous up to at
	healing bool
	held    []eventlog.Publication // came while healing
	waiting []*joining             // came while healing
}

// maxRecent bounds the publications remembered for those who join a moment late.
const maxRecent = 128

// letter is what a topic's mailbox handles; exactly one part is set.
type letter struct {
	published []eventlog.Publication
	look      bool
	join      *joining
	leave     *Subscriber
	healed    *healing
}

// joining asks to become live at the subscriber's position.
type joining struct {
	s *Subscriber
	// verified: the position was read from the log after the watch was confirmed.
	verified bool
	// done is told whether s is live now; if not, it has to read on from its position.
	done chan bool
}

func newTopic(h *Hub, name string) *topic {
	t := &topic{hub: h, name: name, ready: make(chan struct{}), groups: groups{}}
	t.ctx, t.cancel = context.WithCancel(h.ctx)
	t.mail.handle, t.mail.spawn = t.handle, h.spawn
	return t
}

// open watches the log until the topic's last user has gone.
func (t *topic) open() {
	stop, err := t.hub.log.Watch(t.ctx, t.name, t)
	if err != nil {
		t.err = err
		t.hub.forget(t)
		close(t.ready)
		return
	}
	close(t.ready)
	<-t.ctx.Done()
	stop()
}

// forget makes the next subscriber open the topic anew.
func (h *Hub) forget(t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics[t.name] == t {
		delete(h.topics, t.name)
	}
}

// Published takes hints (eventlog.Watcher).
func (t *topic) Published(pubs []eventlog.Publication) {
	if t.pending.Add(int64(len(pubs))) > int64(t.hub.options.MaxPending) {
		t.pending.Add(-int64(len(pubs)))
		t.Look()
		return
	}
	t.mail.post(letter{published: pubs})
}

// Look takes word that hints may be missing (eventlog.Watcher).
func (t *topic) Look() { t.mail.post(letter{look: true}) }

// handle is the mailbox: it takes all that waits and fans out once.
func (t *topic) handle(letters []letter) {
	for _, l := range letters {
		switch {
		case l.published != nil:
			t.pending.Add(-int64(len(l.published)))
			t.take(l.published)
		case l.look:
			t.look()
		case l.join != nil:
			t.fanOut()
			t.join(l.join)
		case l.leave != nil:
			t.groups.remove(l.leave)
		case l.healed != nil:
			t.takeHealed(l.healed)
		}
	}
	t.fanOut()
}

// take accepts what follows, drops what is known, and heals what doesn't fit.
func (t *topic) take(pubs []eventlog.Publication) {
	for i := range pubs {
		p := &pubs[i]
		switch {
		case t.healing:
			t.hold(*p)
		case !t.placed:
			t.missed = true
		case p.Follows(t.at):
			t.accept(*p)
		case t.knows(p):
		default:
			t.hold(*p)
			t.heal()
		}
	}
}

func (t *topic) accept(p eventlog.Publication) {
	t.run = append(t.run, p)
	t.at, t.seq = p.Position, p.Seq
}

// knows reports whether the publication is one already handled. One that claims a handled offset
// with another check isn't: it belongs to another history.
func (t *topic) knows(p *eventlog.Publication) bool {
	if p.Offset > t.at.Offset {
		return false
	}
	if p.Offset == t.at.Offset {
		return p.Position == t.at
	}
	for i := len(t.recent) - 1; i >= 0; i-- {
		if t.recent[i].Offset == p.Offset {
			return t.recent[i].Position == p.Position
		}
	}
	return p.Epoch == t.at.Epoch
}

func (t *topic) hold(p eventlog.Publication) {
	if len(t.held) < t.hub.options.MaxPending {
		t.held = append(t.held, p)
	}
}

// fanOut renders the accepted run once per group and gives it to every live subscriber, then ends
// those whose access it ended.
func (t *topic) fanOut() {
	for len(t.run) > 0 {
		n := len(t.run)
		if i := slices.IndexFunc(t.run, endsAccess); i >= 0 {
			n = i + 1
		}
		part := t.run[:n]
		t.deliver(part)
		t.endAccess(&part[n-1])
		t.remember(part)
		t.run = t.run[n:]
	}
	t.run = nil
	t.settle()
}

func endsAccess(p eventlog.Publication) bool {
	return slices.ContainsFunc(p.Access, func(a eventlog.AccessChange) bool { return a.Change != eventlog.AccessBegins })
}

func (t *topic) deliver(part []eventlog.Publication) {
	for _, g := range t.groups {
		n := g.deliver(func(r Renderer) ([]*Event, error) { return t.rendered(r, g.filter, part) })
		t.hub.metrics.delivered.Add(float64(n))
	}
	t.hub.metrics.observeLatency(part)
}

// rendered returns the events of those publications that a filter shows.
func (t *topic) rendered(r Renderer, filter eventlog.Kinds, pubs []eventlog.Publication) ([]*Event, error) {
	var events []*Event
	for i := range pubs {
		if !filter.Has(pubs[i].Kind) {
			continue
		}
		e, err := t.hub.renderPublication(t.ctx, r, t.name, &pubs[i])
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// endAccess ends those subscribers whose access a publication ended.
func (t *topic) endAccess(p *eventlog.Publication) {
	if !endsAccess(*p) {
		return
	}
	for _, s := range t.groups.all() {
		if change, ends := p.Ends(s.spec.Principal); ends && p.Offset > s.floor {
			t.groups.remove(s)
			s.finish(endOf(change))
		}
	}
}

func endOf(change eventlog.Change) error {
	if change == eventlog.AccessLeft {
		return nil
	}
	return ErrAccessRevoked
}

func (t *topic) remember(part []eventlog.Publication) {
	t.recent = append(t.recent, part...)
	if over := len(t.recent) - maxRecent; over > 0 {
		t.recent = slices.Delete(t.recent, 0, over)
	}
}

func (t *topic) settle() {
	if t.placed {
		t.settled.Store(&eventlog.Cursor{Kind: eventlog.CursorLog, Log: t.name, Position: t.at, Seq: t.seq})
	}
}

// join makes a subscriber live, if the topic is or can be brought to where the subscriber stands.
func (t *topic) join(j *joining) {
	s, at := j.s, j.s.at.Position
	switch {
	case s.ended.Load():
	case t.healing:
		t.waiting = append(t.waiting, j)
		return
	case !t.placed:
		if !j.verified {
			j.done <- false
			return
		}
		t.placed, t.at, t.seq = true, at, s.at.Seq
		t.live(s)
		if t.missed {
			t.missed = false
			t.heal()
		}
	case at == t.at:
		t.live(s)
	case at.Epoch == t.at.Epoch && at.Offset < t.at.Offset:
		if !t.catchUp(s) {
			j.done <- false
			return
		}
		t.live(s)
	case !j.verified:
		j.done <- false
		return
	case at.Epoch == t.at.Epoch && at.Offset > t.at.Offset:
		t.live(s) // the topic's hints are on their way; what s has seen is passed over
	default: // two histories: the log decides
		t.waiting = append(t.waiting, j)
		t.heal()
		return
	}
	j.done <- true
}

func (t *topic) live(s *Subscriber) {
	s.floor = s.at.Position.Offset
	t.groups.add(s)
	t.settle()
	s.live.Store(true)
}

// catchUp gives a subscriber a moment behind the topic what it lacks, from the recent ones.
func (t *topic) catchUp(s *Subscriber) bool {
	missing := t.recent
	for len(missing) > 0 && missing[0].Offset <= s.at.Position.Offset {
		missing = missing[1:]
	}
	if len(missing) == 0 || missing[0].Prev != s.at.Position.Check || missing[0].Offset != s.at.Position.Offset+1 {
		return false
	}
	for i := range missing {
		if _, ends := missing[i].Ends(s.spec.Principal); ends {
			return false // the replay knows how to end
		}
	}
	alone := group{renderer: s.renderer, members: []*Subscriber{s}}
	alone.deliver(func(r Renderer) ([]*Event, error) { return t.rendered(r, s.spec.Filter, missing) })
	last := &missing[len(missing)-1]
	s.at = eventlog.Cursor{Kind: eventlog.CursorLog, Log: t.name, Position: last.Position, Seq: last.Seq}
	return true
}

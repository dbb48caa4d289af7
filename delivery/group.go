package delivery

import (
	"context"
	"slices"
	"sync/atomic"

	"parley/eventlog"
)

// maxBehind is how many pieces of a topic's run may wait for a group that renders slowly, before the
// topic waits too.
const maxBehind = 16

// groupKey names a group within a topic.
type groupKey struct {
	key    string
	filter eventlog.Kinds
	// guards see no events, only the end of access.
	guards bool
}

// group is the live subscribers of a topic that share one rendering. It is changed only by its
// mailbox, so that a rendering which has to wait for the store holds no other group.
type group struct {
	topic    *topic
	key      groupKey
	renderer Renderer
	users    int // the topic's mailbox's own
	// ctx ends with the last user.
	ctx    context.Context
	cancel context.CancelFunc
	over   atomic.Bool
	mail   mailbox[groupLetter]
	// behind has an element for each piece waiting in mail.
	behind chan struct{}

	// settled is the position up to which every member has its events in its outbox.
	settled atomic.Pointer[eventlog.Cursor]

	members members // the mailbox's own
}

// groupLetter is what a group's mailbox handles; exactly one part is set.
type groupLetter struct {
	run   []eventlog.Publication
	join  *entrance
	leave *Subscriber
	lost  *loss
	// done is closed: what came before it has been passed on.
	done chan struct{}
}

// entrance is how a subscriber becomes a member.
type entrance struct {
	s *Subscriber
	// missing is what s lacks up to at.
	missing []eventlog.Publication
	at      eventlog.Cursor
}

func newGroup(t *topic, key groupKey, r Renderer) *group {
	g := &group{topic: t, key: key, renderer: r, behind: make(chan struct{}, maxBehind)}
	g.ctx, g.cancel = context.WithCancel(t.ctx)
	g.mail.handle, g.mail.spawn = g.handle, t.hub.spawn
	t.hub.metrics.groups.Inc()
	return g
}

// end gives up renderings for which nobody waits any more.
func (g *group) end() {
	if !g.over.Swap(true) {
		g.cancel()
		g.topic.hub.metrics.groups.Dec()
	}
}

// hand gives the group a piece of the topic's run, waiting while it is too far behind; false means
// that the topic is over.
func (g *group) hand(piece []eventlog.Publication) bool {
	select {
	case g.behind <- struct{}{}:
		g.mail.post(groupLetter{run: piece})
		return true
	case <-g.topic.ctx.Done():
		return false
	}
}

func (g *group) handle(letters []groupLetter) {
	for _, l := range letters {
		switch {
		case l.run != nil:
			g.take(l.run)
			<-g.behind
		case l.join != nil:
			g.join(l.join)
		case l.leave != nil:
			g.members.remove(l.leave)
		case l.lost != nil:
			g.dissolve(l.lost)
		case l.done != nil:
			close(l.done)
		}
	}
}

// take passes a run on to every member.
func (g *group) take(run []eventlog.Publication) {
	if g.pass(g.members.all, run) {
		last := &run[len(run)-1]
		g.settle(logCursor(g.topic.name, last.Position, last.Seq))
	}
}

// pass renders publications once, gives them to all receivers, and ends those whose access they end
// right after the entry that does. False: given up, for nobody wants them any more.
func (g *group) pass(to []*Subscriber, run []eventlog.Publication) bool {
	for g.ctx.Err() == nil { // else an earlier run may have been given up
		if len(run) == 0 {
			return true
		}
		n := len(run)
		if i := slices.IndexFunc(run, endsAccess); i >= 0 {
			n = i + 1
		}
		if !g.deliver(to, run[:n]) {
			return false
		}
		endAccess(to, &run[n-1])
		run = run[n:]
	}
	return false
}

func (g *group) settle(at eventlog.Cursor) { g.settled.Store(&at) }

func (g *group) deliver(to []*Subscriber, run []eventlog.Publication) bool {
	if g.key.guards {
		return true
	}
	hub := g.topic.hub
	n, err := g.members.deliver(to, g.renderer, func(r Renderer, shared bool) ([]*Event, error) {
		var events []*Event
		for i := range run {
			if !g.key.filter.Has(run[i].Kind) {
				continue
			}
			e, err := hub.renderPublication(g.ctx, r, shared, g.topic.name, &run[i])
			if err != nil {
				return nil, err
			}
			events = append(events, e)
		}
		return events, nil
	})
	hub.metrics.delivered.Add(float64(n))
	if err == nil && n > 0 {
		hub.metrics.observeLatency(run)
	}
	return err == nil
}

// join takes a member in, once it has what it lacks.
func (g *group) join(e *entrance) {
	s := e.s
	if !g.pass([]*Subscriber{s}, e.missing) || s.ended.Load() {
		return
	}
	g.settle(e.at)
	g.members.add(s)
	s.group.Store(g)
	s.nowLive()
}

func endsAccess(p eventlog.Publication) bool {
	return slices.ContainsFunc(p.Access, func(a eventlog.AccessChange) bool { return a.Change != eventlog.AccessBegins })
}

// endAccess ends those subscribers whose access a publication ended. Their leaving the group follows.
func endAccess(among []*Subscriber, p *eventlog.Publication) {
	if !endsAccess(*p) {
		return
	}
	for _, s := range among {
		if change, ends := p.Ends(s.spec.Principal); ends {
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

// dissolve sends every member its own way.
func (g *group) dissolve(l *loss) {
	members := g.members.all
	g.members.all = nil
	for _, s := range members {
		s.place = 0
		s.lose(l, g.settled.Load())
	}
	g.end()
}

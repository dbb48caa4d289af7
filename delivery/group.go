package delivery

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

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
	audience string
	renderer Renderer
	users    int // the topic's mailbox's own
	born     int // how often an audience of the topic had moved by then
	// ctx ends with the last user.
	ctx    context.Context
	cancel context.CancelFunc
	over   atomic.Bool
	mail   mailbox[groupLetter]
	// behind has an element for each piece waiting in mail.
	behind chan struct{}

	// settled is the position up to which every member has its events in its outbox.
	settled atomic.Pointer[eventlog.Cursor]

	// The mailbox's own.
	members members
	keeps   bool // what it renders
	kept    kept
	pace    pace
}

// groupLetter is what a group's mailbox handles; exactly one part is set, keep apart.
type groupLetter struct {
	run   []eventlog.Publication
	keep  bool // what is rendered of the run, or for the one who joins: others come for it
	join  *entrance
	leave *Subscriber
	lags  *Subscriber
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

func newGroup(t *topic, key groupKey, sharing Sharing) *group {
	g := &group{
		topic: t, key: key, audience: sharing.Audience, renderer: sharing.Renderer, born: t.moves,
		behind: make(chan struct{}, maxBehind), members: members{workers: &t.hub.goroutines},
	}
	g.ctx, g.cancel = context.WithCancel(t.ctx)
	g.mail.handle, g.mail.gather, g.mail.spawn = g.handle, g.gather, t.hub.spawn
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
func (g *group) hand(piece []eventlog.Publication, keep bool) bool {
	select {
	case g.behind <- struct{}{}:
		g.mail.post(groupLetter{run: piece, keep: keep})
		return true
	case <-g.topic.ctx.Done():
		return false
	}
}

func (g *group) handle(letters []groupLetter) {
	for len(letters) > 0 {
		l := letters[0]
		letters = letters[1:]
		switch {
		case l.run != nil:
			run, more := together(l.run, letters, g.topic.hub.options.PageSize)
			if more > 0 {
				l, letters = letters[more-1], letters[more:]
			}
			g.keep(l.keep)
			began := time.Now()
			g.take(run)
			for range 1 + more {
				<-g.behind
			}
			g.pace.note(began, len(g.members.all), len(run) > 1 || len(g.behind) > 0)
		case l.join != nil:
			g.keep(l.keep)
			g.join(l.join)
		case l.leave != nil:
			g.members.remove(l.leave)
		case l.lags != nil:
			g.fallBehind(l.lags)
		case l.lost != nil:
			g.disperse(l.lost)
			if !g.key.guards {
				g.end()
			}
		case l.done != nil:
			close(l.done)
		}
	}
}

// gather waits until it is time for the next run.
func (g *group) gather() { g.pace.wait(g.ctx) }

// together appends to a run those that wait right behind it, how many of them it says, up to so many
// publications: what has come meanwhile leaves in one write to each connection.
func together(run []eventlog.Publication, waiting []groupLetter, most int) (all []eventlog.Publication, more int) {
	all = slices.Clip(run)
	for more < len(waiting) && waiting[more].run != nil && len(all)+len(waiting[more].run) <= most {
		all = append(all, waiting[more].run...)
		more++
	}
	return all, more
}

// take passes a run on to every member.
func (g *group) take(run []eventlog.Publication) {
	if len(g.members.all) == 0 { // it has dispersed: it shows nothing, and so stands nowhere new
		return
	}
	n, err := g.pass(g.members.all, run, g.settled.Load())
	if n > 0 {
		last := &run[n-1]
		g.settle(logCursor(g.topic.name, last.Position, last.Seq))
	}
	if isAudienceMoved(err) {
		g.move()
	}
}

// pass renders publications that follow a position once, gives them to all receivers, and ends those
// whose access they end right after the entry that does. An error says why it stopped after n of them:
// the audience has moved, or nobody wants them any more.
func (g *group) pass(to []*Subscriber, run []eventlog.Publication, after *eventlog.Cursor) (n int, err error) {
	for g.ctx.Err() == nil { // else an earlier run may have been given up
		rest := run[n:]
		if len(rest) == 0 {
			return n, nil
		}
		if i := slices.IndexFunc(rest, endsAccess); i >= 0 {
			rest = rest[:i+1]
		}
		done, err := g.deliver(to, rest, after)
		n += done
		if err != nil {
			return n, err
		}
		last := &rest[done-1]
		endAccess(to, last)
		at := logCursor(g.topic.name, last.Position, last.Seq)
		after = &at
	}
	return n, g.ctx.Err()
}

func (g *group) settle(at eventlog.Cursor) { g.settled.Store(&at) }

// deliver is pass without the ends of access.
func (g *group) deliver(to []*Subscriber, run []eventlog.Publication, after *eventlog.Cursor) (n int, err error) {
	if g.key.guards {
		return len(run), nil
	}
	hub := g.topic.hub
	n = len(run)
	var moved error
	deliveries, err := g.members.deliver(to, g.renderer, func(r Renderer, shared bool) ([]*Event, error) {
		var events []*Event
		before := *after
		for i := range run {
			stands := before
			before = logCursor(g.topic.name, run[i].Position, run[i].Seq)
			if !g.key.filter.Has(run[i].Kind) {
				continue
			}
			if e := g.kept.find(run[i].Offset); e != nil && shared {
				events = append(events, e)
				continue
			}
			e, err := hub.renderPublication(g.ctx, r, shared, g.topic.name, &run[i])
			if isAudienceMoved(err) { // those before it were rendered rightly
				n, moved = i, err
				break
			}
			if err != nil {
				return nil, err
			}
			e.before = stands
			if shared && g.keeps {
				g.kept.add(e)
			}
			events = append(events, e)
		}
		return events, nil
	})
	hub.metrics.delivered.Add(float64(deliveries))
	if err != nil {
		return 0, err
	}
	if deliveries > 0 {
		hub.metrics.observeLatency(run[:n])
	}
	return n, moved
}

// join takes a member in, once it has what it lacks.
func (g *group) join(e *entrance) {
	s := e.s
	if s.lane != nil {
		s.lane.enter(laneJoins)
	}
	n, err := g.pass([]*Subscriber{s}, e.missing, s.at)
	switch {
	case s.ended.Load():
	case g.over.Load(): // the audience has moved before s came
		s.leaves(s.at)
		s.regroup()
	case isAudienceMoved(err):
		if n > 0 {
			s.moveTo(e.missing[n-1].Position, e.missing[n-1].Seq)
		}
		s.leaves(s.at)
		g.move()
		s.regroup()
	case err == nil:
		g.settle(e.at)
		g.members.add(s)
		s.nowLive(g)
		if s.lane != nil {
			s.lane.enter(laneLives) // from now on it may lag, which is the group's business
		}
	}
}

// fallBehind lets a member go that lags.
func (g *group) fallBehind(s *Subscriber) {
	if s.group.Load() != g || !s.lane.lags() {
		return
	}
	g.members.remove(s)
	s.leaves(g.settled.Load())
	s.catchUp()
}

func endsAccess(p eventlog.Publication) bool {
	return slices.ContainsFunc(p.Access, func(a eventlog.AccessChange) bool { return a.Change != eventlog.AccessBegins })
}

// endAccess ends those subscribers whose access a publication ended. Their leaving the group follows. One
// that lags has yet to read up to there.
func endAccess(among []*Subscriber, p *eventlog.Publication) {
	if !endsAccess(*p) {
		return
	}
	for _, s := range among {
		if change, ends := p.Ends(s.spec.Principal); ends && (s.lane == nil || s.lane.endUnlessLagging()) {
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

// disperse sends every member its own way.
func (g *group) disperse(l *loss) {
	members := g.members.all
	g.members.all = nil
	for _, s := range members {
		s.place = 0
		s.lose(l, g.settled.Load())
	}
}

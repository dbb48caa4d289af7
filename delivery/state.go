package delivery

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"parley/eventlog"
)

// stateTopic is a topic of latest values that somebody in this process follows. Whoever comes gets
// the present values at once, then each change. It is changed only by its mailbox.
type stateTopic struct {
	hub    *Hub
	name   string
	source StateSource
	guard  string // the log by whose entries access ends, "" for none
	users  int    // guarded by hub.mu
	ctx    context.Context
	cancel context.CancelFunc
	mail   mailbox[stateLetter]

	// What the source has told and the mailbox hasn't taken yet: the keys that are gone, or have been in
	// between, and the latest of each other one.
	mu   sync.Mutex
	gone map[string]struct{}
	told latest

	// The mailbox's own.
	present   bool // the first values have come
	err       error
	values    latest
	news      latest // of values, what members haven't been shown
	waits     bool   // for the guarding log to be read
	groups    map[string]*stateGroup
	audiences audiences
	newcomers map[*Subscriber]struct{} // have been shown nothing yet
}

// stateGroup is the subscribers of a state topic that share one rendering.
type stateGroup struct {
	Sharing
	members members
}

// stateLetter is what a state topic's mailbox handles; exactly one part is set.
type stateLetter struct {
	news    bool // the source has told values
	present bool // those it has told are the first ones, complete
	err     error
	join    *Subscriber
	leave   *Subscriber
	read    bool // the guarding log has been
}

// latest is the newest value of each key.
type latest struct {
	byKey map[string]eventlog.Value
	order []string // keys, as they came first
}

// take keeps a value that is newer than the one known, and reports whether it did.
func (l *latest) take(v eventlog.Value) bool {
	known, ok := l.byKey[v.Key]
	if ok && v.Version <= known.Version {
		return false
	}
	if !ok {
		l.order = append(l.order, v.Key)
	}
	if l.byKey == nil {
		l.byKey = map[string]eventlog.Value{}
	}
	l.byKey[v.Key] = v
	return true
}

// forget gives up a key.
func (l *latest) forget(key string) {
	if _, ok := l.byKey[key]; ok {
		delete(l.byKey, key)
		l.order = slices.DeleteFunc(l.order, func(k string) bool { return k == key })
	}
}

func (l *latest) values() []eventlog.Value {
	values := make([]eventlog.Value, len(l.order))
	for i, key := range l.order {
		values[i] = l.byKey[key]
	}
	return values
}

func newStateTopic(h *Hub, spec Spec) *stateTopic {
	t := &stateTopic{
		hub: h, name: spec.Topic, source: spec.State, guard: spec.Guard,
		groups: map[string]*stateGroup{}, audiences: audiences{}, newcomers: map[*Subscriber]struct{}{},
	}
	t.ctx, t.cancel = context.WithCancel(h.ctx)
	t.mail.handle, t.mail.spawn = t.handle, h.spawn
	return t
}

// open watches the source until the topic's last user has gone.
func (t *stateTopic) open() {
	var stop func()
	err := t.hub.retry(t.ctx, openPatience, "watching state", func() (err error) {
		stop, err = t.source(t.ctx, t.tell)
		return err
	})
	if err != nil {
		t.hub.mu.Lock()
		t.hub.forgetState(t)
		t.hub.mu.Unlock()
		t.mail.post(stateLetter{err: err})
		return
	}
	t.mail.post(stateLetter{present: true})
	<-t.ctx.Done()
	stop()
}

// tell takes values from the source. Those the mailbox has no time for are conflated.
func (t *stateTopic) tell(values []eventlog.Value) {
	if len(values) == 0 {
		return
	}
	t.mu.Lock()
	first := len(t.told.order)+len(t.gone) == 0
	for _, v := range values {
		if !v.Gone() {
			t.told.take(v)
			continue
		}
		t.told.forget(v.Key)
		if t.gone == nil {
			t.gone = map[string]struct{}{}
		}
		t.gone[v.Key] = struct{}{}
	}
	t.mu.Unlock()
	if first {
		t.mail.post(stateLetter{news: true})
	}
}

// handle is the mailbox: whoever was here before this batch gets what is new in it, whoever came
// with it gets everything.
func (t *stateTopic) handle(letters []stateLetter) {
	read := false
	for _, l := range letters {
		switch {
		case l.news:
			t.take()
		case l.present:
			t.present = true
		case l.err != nil:
			t.fail(l.err)
		case l.join != nil:
			t.join(l.join)
		case l.leave != nil:
			t.leave(l.leave)
		case l.read:
			t.waits, read = false, true
		}
	}
	if !t.present || t.waits || !read && t.mustWait() {
		return
	}
	t.deliver(t.news.values())
	t.news = latest{}
	t.welcome()
}

// mustWait reports whether nothing may be shown before the guarding log has been read, and has it read:
// where the store's word on it is too old, or where that was to read it.
func (t *stateTopic) mustWait() bool {
	cut := t.guard != "" && t.hub.CutOff(t.guard)
	guards := map[*topic]bool{} // one, as a rule
	for s := range t.shown() {
		if s.guard != nil && (cut || s.guard.topic.unread.Load()) {
			guards[s.guard.topic] = true
		}
	}
	if len(guards) == 0 {
		return false
	}
	t.waits = t.hub.spawn(func() {
		for guard := range guards {
			guard.readAgain()
		}
		t.mail.post(stateLetter{read: true})
	})
	return true
}

// shown are the members and the newcomers.
func (t *stateTopic) shown() iter.Seq[*Subscriber] {
	return func(yield func(*Subscriber) bool) {
		for s := range t.newcomers {
			if !yield(s) {
				return
			}
		}
		for _, g := range t.groups {
			for _, s := range g.members.all {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// take takes what the source has told, and keeps as news what wasn't known.
func (t *stateTopic) take() {
	t.mu.Lock()
	told, gone := t.told.values(), t.gone
	t.told, t.gone = latest{}, nil
	t.mu.Unlock()
	for key := range gone {
		t.values.forget(key)
		t.news.forget(key)
	}
	for _, v := range told {
		if t.values.take(v) {
			t.news.take(v)
		}
	}
}

func (t *stateTopic) join(s *Subscriber) {
	switch {
	case s.ended.Load():
	case t.err != nil:
		s.finish(t.err)
	default:
		t.newcomers[s] = struct{}{}
	}
}

func (t *stateTopic) leave(s *Subscriber) {
	delete(t.newcomers, s)
	if s.place == 0 {
		return
	}
	g := t.groups[s.sharing.Group]
	g.members.remove(s)
	if len(g.members.all) == 0 {
		delete(t.groups, g.Group)
		t.audiences.drop(g.Audience)
		t.hub.metrics.groups.Dec()
	}
}

// deliver gives changed values to every member.
func (t *stateTopic) deliver(values []eventlog.Value) {
	for _, g := range t.groups {
		t.give(g, g.members.all, values)
	}
}

// welcome shows newcomers the present values, rendered once for those of a group who come together,
// and makes them members.
func (t *stateTopic) welcome() {
	byKey := map[string][]*Subscriber{}
	for s := range t.newcomers {
		byKey[s.sharing.Group] = append(byKey[s.sharing.Group], s)
	}
	clear(t.newcomers)
	for _, newcomers := range byKey {
		g := t.groupOf(newcomers[0])
		if g == nil {
			for _, s := range newcomers {
				s.finish(ErrTooManyAudiences)
			}
			continue
		}
		t.give(g, newcomers, t.values.values())
		for _, s := range newcomers {
			g.members.add(s)
		}
	}
}

// groupOf is the group of a subscriber, made if there is none; nil if that is one too many.
func (t *stateTopic) groupOf(s *Subscriber) *stateGroup {
	g := t.groups[s.sharing.Group]
	if g == nil && t.audiences.admit(s.sharing.Audience, t.hub.options.MaxAudiences) {
		g = &stateGroup{Sharing: s.sharing, members: members{workers: &t.hub.goroutines}}
		t.groups[g.Group] = g
		t.hub.metrics.groups.Inc()
	}
	return g
}

// longRendering may have waited for a store that was out of reach, and so have outlived what was known of
// access when it began.
const longRendering = time.Second

func (t *stateTopic) give(g *stateGroup, to []*Subscriber, values []eventlog.Value) {
	if len(values) == 0 {
		return
	}
	began := time.Now()
	// An error says that nobody wants the values any more.
	n, _ := g.members.deliver(to, g.Renderer, func(r Renderer, shared bool) ([]*Event, error) {
		events := make([]*Event, len(values))
		for i, v := range values {
			e, err := t.hub.renderValue(t.ctx, r, shared, t.guard, v)
			if err != nil {
				return nil, err
			}
			events[i] = e
		}
		if time.Since(began) > longRendering {
			readGuards(to)
		}
		return events, nil
	})
	t.hub.metrics.delivered.Add(float64(n))
}

// readGuards returns when the logs that guard subscribers have been read: whose access has ended by then
// gets nothing more.
func readGuards(of []*Subscriber) {
	read := map[*topic]bool{} // one, as a rule
	for _, s := range of {
		if s.guard != nil && !read[s.guard.topic] {
			read[s.guard.topic] = true
			s.guard.topic.readAgain()
		}
	}
}

// fail ends everybody, and whoever still comes: the topic's successor serves the next ones.
func (t *stateTopic) fail(err error) {
	t.err = err
	for s := range t.newcomers {
		s.finish(err)
	}
	clear(t.newcomers)
}

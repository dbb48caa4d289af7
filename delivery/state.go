package delivery

import (
	"context"

	"parley/eventlog"
)

// stateTopic is a topic of latest values that somebody in this process follows. Whoever comes gets
// the present values at once, then each change. It is changed only by its mailbox.
type stateTopic struct {
	hub    *Hub
	name   string
	source StateSource
	users  int // guarded by hub.mu
	ctx    context.Context
	cancel context.CancelFunc
	mail   mailbox[stateLetter]

	// The mailbox's own.
	present bool // the first values have come
	err     error
	values  map[string]eventlog.Value
	order   []string // keys, as they came
	groups  groups
}

// stateLetter is what a state topic's mailbox handles; exactly one part is set.
type stateLetter struct {
	values  []eventlog.Value
	present bool // the source has told its first values
	err     error
	join    *Subscriber
	leave   *Subscriber
}

// stateTopicFor returns the topic a state subscription follows, with one more user, opening it if
// need be.
func (h *Hub) stateTopicFor(spec Spec) *stateTopic {
	h.mu.Lock()
	t, ok := h.states[spec.Topic]
	if !ok {
		t = &stateTopic{
			hub: h, name: spec.Topic, source: spec.State,
			values: map[string]eventlog.Value{}, groups: groups{},
		}
		t.ctx, t.cancel = context.WithCancel(h.ctx)
		t.mail.handle, t.mail.spawn = t.handle, h.spawn
		h.states[t.name] = t
	}
	t.users++
	h.mu.Unlock()
	if !ok {
		h.spawn(t.open)
	}
	return t
}

// open watches the source until the topic's last user has gone.
func (t *stateTopic) open() {
	var stop func()
	err := t.hub.retry(t.ctx, "watching state", func() (err error) {
		stop, err = t.source(t.ctx, func(values []eventlog.Value) { t.mail.post(stateLetter{values: values}) })
		return err
	})
	if err != nil {
		t.mail.post(stateLetter{err: err})
		return
	}
	t.mail.post(stateLetter{present: true})
	<-t.ctx.Done()
	stop()
}

// leave takes a subscriber out; the last one stops the watch.
func (t *stateTopic) leave(s *Subscriber) {
	t.mail.post(stateLetter{leave: s})
	t.hub.mu.Lock()
	t.users--
	last := t.users == 0
	if last && t.hub.states[t.name] == t {
		delete(t.hub.states, t.name)
	}
	t.hub.mu.Unlock()
	if last {
		t.cancel()
	}
}

func (t *stateTopic) handle(letters []stateLetter) {
	for _, l := range letters {
		switch {
		case l.values != nil:
			t.take(l.values)
		case l.present:
			t.present = true
			for _, s := range t.groups.all() {
				t.show(s)
			}
		case l.err != nil:
			t.fail(l.err)
		case l.join != nil:
			t.join(l.join)
		case l.leave != nil:
			t.groups.remove(l.leave)
		}
	}
}

func (t *stateTopic) join(s *Subscriber) {
	switch {
	case s.ended.Load():
	case t.err != nil:
		s.finish(t.err)
	default:
		t.groups.add(s)
		if t.present {
			t.show(s)
		}
	}
}

// take keeps what is newer than what is known and, once the first values are complete, tells it.
func (t *stateTopic) take(values []eventlog.Value) {
	var news []eventlog.Value
	for _, v := range values {
		known, ok := t.values[v.Key]
		if ok && v.Version <= known.Version {
			continue
		}
		if !ok {
			t.order = append(t.order, v.Key)
		}
		t.values[v.Key] = v
		news = append(news, v)
	}
	if t.present && len(news) > 0 {
		t.deliver(news)
	}
}

func (t *stateTopic) deliver(values []eventlog.Value) {
	for _, g := range t.groups {
		n := g.deliver(func(r Renderer) ([]*Event, error) { return t.rendered(r, values) })
		t.hub.metrics.delivered.Add(float64(n))
	}
}

// show gives a newcomer the present values.
func (t *stateTopic) show(s *Subscriber) {
	values := make([]eventlog.Value, 0, len(t.order))
	for _, key := range t.order {
		values = append(values, t.values[key])
	}
	alone := group{renderer: s.renderer, members: []*Subscriber{s}}
	alone.deliver(func(r Renderer) ([]*Event, error) { return t.rendered(r, values) })
}

func (t *stateTopic) rendered(r Renderer, values []eventlog.Value) ([]*Event, error) {
	events := make([]*Event, 0, len(values))
	for _, v := range values {
		e, err := t.hub.renderValue(t.ctx, r, v)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

func (t *stateTopic) fail(err error) {
	t.err = err
	for _, s := range t.groups.all() {
		t.groups.remove(s)
		s.finish(err)
	}
}

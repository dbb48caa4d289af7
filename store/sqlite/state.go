package sqlite

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"parley/eventlog"
)

// WatchState implements eventlog.State for the topics of presence and typing. Values come from the
// store's bus, and none is lost. stop waits for a call under way, so sink itself must not call it.
func (s *Store) WatchState(ctx context.Context, topic string, sink func([]eventlog.Value)) (stop func(), err error) {
	present, err := presentValue(topic)
	if err != nil {
		return nil, err
	}
	p := &primed{sink: sink}
	w := s.bus.topics.add(topic, p.tell)
	stop = func() { s.bus.topics.remove(topic, w) }
	v, err := read(ctx, s, present)
	if err != nil {
		stop()
		return nil, err
	}
	p.begin(v)
	return stop, nil
}

// presentValue returns how to read the present value of a topic.
func presentValue(topic string) (func(context.Context, *conn) (eventlog.Value, error), error) {
	if room, ok := strings.CutPrefix(topic, eventlog.TypingTopic("")); ok {
		return func(ctx context.Context, c *conn) (eventlog.Value, error) { return c.typingValue(ctx, room) }, nil
	}
	if user, ok := strings.CutPrefix(topic, eventlog.PresenceTopic("")); ok {
		return func(ctx context.Context, c *conn) (eventlog.Value, error) { return c.presenceValue(ctx, user) }, nil
	}
	return nil, fmt.Errorf("sqlite: no such state topic: %q", topic)
}

// primed hands a sink the present value first, and what changed meanwhile after it. A topic of
// this engine has one key.
type primed struct {
	mu   sync.Mutex
	sink func([]eventlog.Value)
	// begun says that the present value was handed over; before, the latest value waits.
	begun   bool
	waiting []eventlog.Value
}

func (p *primed) tell(values []eventlog.Value) {
	p.mu.Lock()
	defer p.mu.Unlock()
	latest := values[len(values)-1:]
	if p.begun {
		p.sink(latest)
	} else {
		p.waiting = latest
	}
}

func (p *primed) begin(present eventlog.Value) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = true
	p.sink([]eventlog.Value{present})
	if len(p.waiting) > 0 && p.waiting[0].Version > present.Version {
		p.sink(p.waiting)
	}
	p.waiting = nil
}

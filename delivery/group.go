package delivery

import (
	"context"
	"errors"

	"parley/eventlog"
)

// group is the subscribers of a topic that share one rendering.
type group struct {
	key      string
	renderer Renderer
	filter   eventlog.Kinds
	members  []*Subscriber
	// personal: the rendering turned out to depend on the viewer, so each member has its own.
	personal bool
}

// deliver renders once, or once per member where it must be, gives the events to all, and has
// each connection flushed.
func (g *group) deliver(render func(Renderer) ([]*Event, error)) (deliveries int) {
	var flushes []*Lane
	put := func(s *Subscriber, events []*Event) {
		if s.put(events) {
			flushes = append(flushes, s.lane)
		}
		deliveries += len(events)
	}
	if !g.personal {
		events, err := render(g.renderer)
		for _, s := range g.members {
			put(s, events)
		}
		g.personal = errors.Is(err, ErrNotShareable)
	}
	if g.personal {
		for _, s := range g.members {
			events, _ := render(s.personal) // fails only when the topic is over
			put(s, events)
		}
	}
	for _, lane := range flushes {
		lane.Flush()
	}
	return deliveries
}

// groups is a topic's groups by key. It belongs to the topic's mailbox.
type groups map[string]*group

func (gs groups) add(s *Subscriber) {
	g, ok := gs[s.key]
	if !ok {
		g = &group{key: s.key, renderer: s.renderer, filter: s.spec.Filter}
		gs[s.key] = g
	}
	s.index = len(g.members)
	s.group = g
	g.members = append(g.members, s)
}

func (gs groups) remove(s *Subscriber) {
	g := s.group
	if g == nil {
		return
	}
	last := len(g.members) - 1
	g.members[s.index] = g.members[last]
	g.members[s.index].index = s.index
	g.members[last] = nil
	g.members = g.members[:last]
	s.group = nil
	if last == 0 {
		delete(gs, g.key)
	}
}

// all returns every subscriber, in a slice of its own.
func (gs groups) all() []*Subscriber {
	var all []*Subscriber
	for _, g := range gs {
		all = append(all, g.members...)
	}
	return all
}

func (gs groups) count() (subscribers int) {
	for _, g := range gs {
		subscribers += len(g.members)
	}
	return subscribers
}

// renderPublication renders one publication of a log. A store that doesn't answer is asked again
// until ctx is done.
func (h *Hub) renderPublication(ctx context.Context, r Renderer, log string, p *eventlog.Publication) (*Event, error) {
	cursor := eventlog.Cursor{Kind: eventlog.CursorLog, Log: log, Position: p.Position, Seq: p.Seq}
	payload, err := h.render(ctx, r, Source{Payload: p.Payload, Cursor: cursor})
	if err != nil {
		return nil, err
	}
	return &Event{Payload: payload, Cursor: cursor.String(), Offset: p.Offset}, nil
}

func (h *Hub) renderValue(ctx context.Context, r Renderer, v eventlog.Value) (*Event, error) {
	payload, err := h.render(ctx, r, Source{Payload: v.Payload})
	if err != nil {
		return nil, err
	}
	return &Event{Payload: payload, Key: v.Key}, nil
}

// render holds the group while the store doesn't answer, and gives up after maxRenderTries: then
// the response tells of the error. It fails with ErrNotShareable, and at the hub's end.
func (h *Hub) render(ctx context.Context, r Renderer, source Source) (payload []byte, err error) {
	tries := 0
	err = h.retry(ctx, "rendering", func() error {
		tries++
		bounded, cancel := context.WithTimeout(ctx, h.options.RenderTimeout)
		defer cancel()
		payload, err = r.Render(bounded, source)
		if errors.Is(err, ErrNotShareable) {
			return err
		}
		if err != nil && ctx.Err() == nil && (tries >= maxRenderTries || !isUnavailable(err)) {
			payload, err = r.RenderFailure(ctx, source, err), nil
		}
		return err
	})
	if err == nil {
		h.metrics.renders.Inc()
	}
	return payload, err
}

// maxRenderTries, with retry's waits, makes a group wait about 20 s for the store.
const maxRenderTries = 15

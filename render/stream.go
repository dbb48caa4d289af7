// Package render turns events into GraphQL response bytes, once per operation and audience. A
// subscription's operation is executed by gqlgen in two modes: once to open it, when the resolver
// authorizes and says what to follow, and once per event and group to render it.
package render

import (
	"context"
	"sync/atomic"

	"parley/delivery"
	"parley/eventlog"
)

// Spec is what opening a subscription leaves: what to follow, and how renderings are made for the
// one who follows it, should they depend on that.
type Spec struct {
	delivery.Spec
	// As puts the viewer into the context of a rendering that is the viewer's alone; nil means
	// that there is none to put.
	As func(context.Context) context.Context
	// Members is how many may follow the same topic, each by their own right; 0 for one.
	Members int
}

// Stream is the body of every subscription resolver. When the operation is opened, open authorizes
// it and says what to follow; nothing else is executed. When an event is rendered, event turns its
// source into the value of the field.
func Stream[T any](
	ctx context.Context,
	open func(context.Context) (Spec, error),
	event func(delivery.Source) (T, error),
) (<-chan T, error) {
	values := make(chan T, 1)
	if r := renderingOf(ctx); r != nil {
		value, err := event(r.source)
		if err != nil {
			return nil, err
		}
		values <- value
		return values, nil
	}
	opening, _ := ctx.Value(openingKey).(*opening)
	if opening == nil {
		return nil, errNotOpened
	}
	spec, err := open(ctx)
	if err != nil {
		return nil, err
	}
	opening.spec = &spec
	close(values)
	return values, nil
}

// Rendering reports whether the context is of an event's rendering. Whoever is shown an event has
// been judged by its place in the log; everywhere else it is for resolvers to judge.
func Rendering(ctx context.Context) bool { return renderingOf(ctx) != nil }

// At returns the place in its log of the event that is rendered, and false outside of an event's
// rendering, and for one of state.
func At(ctx context.Context) (eventlog.Cursor, bool) {
	r := renderingOf(ctx)
	if r == nil || r.source.Cursor.Kind == 0 {
		return eventlog.Cursor{}, false
	}
	return r.source.Cursor, true
}

// AudienceMoved is a resolver's word that the audience of a shared rendering may read something else
// by now: the rendering is thrown away, and those it was for are judged anew.
func AudienceMoved(ctx context.Context) {
	if r := renderingOf(ctx); r != nil {
		r.moved.Store(true)
	}
}

// RefuseViewer reports whether the context is of a shared rendering, in which nobody asks. The
// rendering is thrown away then, and made per viewer: a field that depends on the viewer lacks its
// @viewer in the schema. Whoever looks for the viewer in a context asks here first.
func RefuseViewer(ctx context.Context) bool {
	r := renderingOf(ctx)
	if r == nil || !r.shared {
		return false
	}
	r.asked.Store(true)
	return true
}

// opening is what the subscription resolver fills in when an operation is opened.
type opening struct{ spec *Spec }

// rendering is what the resolvers find when an event is rendered.
type rendering struct {
	source delivery.Source
	// shared: the rendering is for more than one viewer, so there is none to ask for.
	shared bool
	asked  atomic.Bool
	moved  atomic.Bool
}

type contextKey int

const (
	openingKey contextKey = iota
	renderingKey
)

func renderingOf(ctx context.Context) *rendering {
	r, _ := ctx.Value(renderingKey).(*rendering)
	return r
}

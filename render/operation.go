package render

import (
	"context"
	"errors"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
	"parley/eventlog"
)

// operation renders the events of a group, for everyone in it at once (delivery.Renderer). It may be
// used by many at a time: gqlgen only reads an operation context, but for a cache that has a lock.
type operation struct {
	exec graphql.GraphExecutor
	// context is the group's own: it has nobody's context, headers or extensions.
	context *graphql.OperationContext
	// enter puts what the group's audience may read into a rendering's context; nil where that
	// doesn't matter.
	enter func(context.Context) context.Context
	// root is the root field, nothing the data without a value for it.
	root     graphql.CollectedField
	nothing  string
	unshared prometheus.Counter
	plain    *plain // nil where the executor has to render
}

// newOperation makes a group's operation of one that has just been opened. Variables are coerced
// already, so that rendering finds exactly what opening did.
func newOperation(exec graphql.GraphExecutor, op *graphql.OperationContext, root graphql.CollectedField, variables map[string]any, audience delivery.Audience, unshared prometheus.Counter) *operation {
	return &operation{
		exec: exec, enter: audience.Enter, root: root, nothing: `{"` + root.Alias + `":null}`, unshared: unshared,
		context: &graphql.OperationContext{
			RawQuery: op.RawQuery, OperationName: op.OperationName, Variables: variables,
			Doc: op.Doc, Operation: op.Operation, DisableIntrospection: op.DisableIntrospection, RecoverFunc: op.RecoverFunc,
			ResolverMiddleware: op.ResolverMiddleware, RootResolverMiddleware: op.RootResolverMiddleware,
		},
	}
}

// forAudience is the operation of the same document for another audience.
func (o *operation) forAudience(audience delivery.Audience) *operation {
	other := *o
	other.enter = audience.Enter
	return &other
}

// personal renders for one viewer alone (delivery.Renderer).
type personal struct {
	*operation
	as func(context.Context) context.Context
}

// Render implements delivery.Renderer. A viewer that is asked for is delivery.ErrNotShareable, an
// audience that may read something else now delivery.ErrAudienceMoved.
func (o *operation) Render(ctx context.Context, source delivery.Source) ([]byte, error) {
	if o.enter != nil {
		ctx = o.enter(ctx)
	}
	state := &rendering{source: source, shared: true}
	payload, err := o.render(ctx, state)
	switch {
	case state.asked.Load():
		o.unshared.Inc()
		return nil, delivery.ErrNotShareable
	case state.moved.Load():
		return nil, delivery.ErrAudienceMoved
	}
	return payload, err
}

// Render implements delivery.Renderer.
func (p *personal) Render(ctx context.Context, source delivery.Source) ([]byte, error) {
	if p.as != nil {
		ctx = p.as(ctx)
	}
	return p.render(ctx, &rendering{source: source})
}

// RenderDirectly implements delivery.Direct.
func (o *operation) RenderDirectly(source delivery.Source) (payload []byte, ok bool) {
	if o.plain == nil {
		return nil, false
	}
	defer func() {
		if fault := recover(); fault != nil { // which the executor may get around, so it is told of here
			_ = o.context.RecoverFunc(context.Background(), fault)
			payload, ok = nil, false
		}
	}()
	return o.plain.render(source)
}

// RenderFailure implements delivery.Renderer.
func (o *operation) RenderFailure(ctx context.Context, source delivery.Source, err error) []byte {
	errs := gqlerror.List{gqlerror.WrapPath(ast.Path{ast.PathName(o.root.Alias)}, err)}
	response := o.exec.DispatchError(graphql.WithOperationContext(ctx, o.context), errs)
	return o.write(response, source.Cursor)
}

func (o *operation) render(ctx context.Context, state *rendering) (payload []byte, err error) {
	defer func() {
		if fault := recover(); fault != nil { // marshalling runs outside gqlgen's own recover
			payload, err = nil, o.context.RecoverFunc(ctx, fault)
		}
	}()
	handler, ctx := o.exec.DispatchOperation(context.WithValue(ctx, renderingKey, state), o.context)
	// gqlgen forgets the root field in the paths of what is below it.
	response := handler(graphql.WithFieldContext(ctx, &graphql.FieldContext{Object: o.root.ObjectDefinition.Name, Field: o.root}))
	if err := unavailable(ctx, response); err != nil {
		return nil, err
	}
	if response == nil {
		return nil, errors.New("render: the resolver yielded no event")
	}
	return o.write(response, state.source.Cursor), nil
}

// unavailable returns what kept an event from being rendered now, and needn't later: the store, or
// the time that was left. A response that lacks something for such a reason is never told.
func unavailable(ctx context.Context, response *graphql.Response) error {
	if response == nil && ctx.Err() != nil {
		return fmt.Errorf("render: %w: %w", eventlog.ErrUnavailable, ctx.Err())
	}
	if response == nil {
		return nil
	}
	for _, e := range response.Errors {
		if errors.Is(e, eventlog.ErrUnavailable) {
			return e
		}
		if errors.Is(e, context.DeadlineExceeded) || errors.Is(e, context.Canceled) {
			return fmt.Errorf("render: %w: %w", eventlog.ErrUnavailable, e)
		}
	}
	return nil
}

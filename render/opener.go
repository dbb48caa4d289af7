package render

import (
	"context"
	"errors"
	"maps"

	"github.com/99designs/gqlgen/graphql"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
)

var (
	errNotOpened = errors.New("render: the resolver left no spec")
	// ErrDefer refuses incremental delivery in subscriptions.
	ErrDefer = errors.New("@defer isn't possible in a subscription")
)

// maxRenderers bounds the renderers remembered for those who subscribe next.
const maxRenderers = 1024

// Opener opens subscriptions.
type Opener struct {
	schema    *ast.Schema
	renderers *lru.Cache[string, *renderer]
	unshared  prometheus.Counter
}

// NewOpener returns an opener for a schema. The registerer may be nil.
func NewOpener(schema *ast.Schema, registerer prometheus.Registerer) *Opener {
	renderers, err := lru.New[string, *renderer](maxRenderers)
	if err != nil {
		panic(err) // only a size below 1
	}
	o := &Opener{schema: schema, renderers: renderers, unshared: prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "parley", Name: "render_viewer_asked_total",
		Help: "Shared renderings thrown away because a field asked for the viewer: the schema lacks a @viewer.",
	})}
	if registerer != nil {
		registerer.MustRegister(o.unshared)
	}
	return o
}

// Opened is a subscription that has been parsed, validated and authorized, and waits to be served
// by the hub: delivery.Subscription without the connection's part.
type Opened struct {
	Spec     delivery.Spec
	Group    string
	Renderer delivery.Renderer
	Personal delivery.Renderer
}

// Open dispatches a subscription in open mode: directives and the root resolver run, nothing else.
// A response tells of the errors instead.
func (o *Opener) Open(ctx context.Context, exec graphql.GraphExecutor, op *graphql.OperationContext) (*Opened, *graphql.Response) {
	refuse := func(err error) (*Opened, *graphql.Response) {
		return nil, exec.DispatchError(graphql.WithOperationContext(ctx, op), gqlerror.List{gqlerror.Wrap(err)})
	}
	if defers(op.Operation) {
		return refuse(ErrDefer)
	}
	opening := &Opening{}
	handler, ctx := exec.DispatchOperation(context.WithValue(ctx, openingKey, opening), op)
	if response := handler(ctx); response != nil && len(response.Errors) > 0 {
		response.Data = nil
		return nil, response
	}
	if opening.spec == nil {
		return refuse(errNotOpened)
	}
	personal := o.renderer(exec, op, opening.as)
	if dependsOnViewer(o.schema, op.Operation) {
		opening.spec.Audience = "user:" + opening.spec.Principal
	}
	key, err := groupKey(op, opening.spec)
	if err != nil {
		return refuse(err)
	}
	opened := &Opened{Spec: *opening.spec, Group: key, Renderer: personal, Personal: personal}
	if opened.Spec.Audience == "" {
		opened.Renderer = o.sharedRenderer(key, exec, op)
	}
	return opened, nil
}

// sharedRenderer returns the one renderer of a group.
func (o *Opener) sharedRenderer(key string, exec graphql.GraphExecutor, op *graphql.OperationContext) *renderer {
	if r, ok := o.renderers.Get(key); ok {
		return r
	}
	fresh := o.renderer(exec, op, nil)
	if earlier, ok, _ := o.renderers.PeekOrAdd(key, fresh); ok {
		return earlier
	}
	return fresh
}

// renderer keeps of an operation what rendering needs: nobody's context, headers or extensions.
func (o *Opener) renderer(exec graphql.GraphExecutor, op *graphql.OperationContext, as func(context.Context) context.Context) *renderer {
	return &renderer{
		exec: exec, as: as, unshared: o.unshared,
		params: graphql.RawParams{Query: op.RawQuery, OperationName: op.OperationName, Variables: maps.Clone(op.Variables)},
	}
}

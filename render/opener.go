package render

import (
	"context"
	"errors"

	"github.com/99designs/gqlgen/graphql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
)

var (
	errNotOpened = errors.New("render: the resolver left no spec")
	// ErrDefer refuses incremental delivery in subscriptions.
	ErrDefer = errors.New("@defer isn't possible in a subscription")
	// ErrOneField refuses a subscription to nothing, or to several things (GraphQL §5.2.4.1, once
	// @skip and @include have done their work).
	ErrOneField = errors.New("a subscription has exactly one field")
)

// Opener opens subscriptions.
type Opener struct {
	schema     *ast.Schema
	operations operations
	unshared   prometheus.Counter

	// Afford judges a subscription whose events are rendered for each of so many viewers; its error
	// refuses it. Nil affords all.
	Afford func(op *graphql.OperationContext, viewers int) error
	// Plain are the fields that need no executor; nil for none.
	Plain *Plain
}

// NewOpener returns an opener for a schema. The registerer may be nil.
func NewOpener(schema *ast.Schema, registerer prometheus.Registerer) *Opener {
	o := &Opener{schema: schema, unshared: prometheus.NewCounter(prometheus.CounterOpts{
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
	Spec delivery.Spec
	// Sharing is with whom the renderings are shared by the access of Spec, Share with whom by
	// another; nil: always with the same.
	delivery.Sharing
	Share func(delivery.Access) delivery.Sharing
	// Personal renders for this subscription's viewer alone.
	Personal delivery.Renderer
}

// Open dispatches a subscription in open mode: directives and the root resolver run, nothing else.
// A response tells of the errors instead.
func (o *Opener) Open(ctx context.Context, exec graphql.GraphExecutor, op *graphql.OperationContext) (*Opened, *graphql.Response) {
	refuse := func(err error) (*Opened, *graphql.Response) {
		return nil, exec.DispatchError(graphql.WithOperationContext(ctx, op), gqlerror.List{gqlerror.WrapIfUnwrapped(err)})
	}
	traits := analyze(o.schema, op.Operation)
	if traits.defers {
		return refuse(ErrDefer)
	}
	fields := graphql.CollectFields(op, op.Operation.SelectionSet, []string{o.schema.Subscription.Name})
	if len(fields) != 1 {
		return refuse(ErrOneField)
	}
	opening := &opening{}
	handler, ctx := exec.DispatchOperation(context.WithValue(ctx, openingKey, opening), op)
	if response := handler(ctx); response != nil && len(response.Errors) > 0 {
		response.Data = nil
		return nil, response
	}
	if opening.spec == nil {
		return refuse(errNotOpened)
	}
	opened, err := o.opened(exec, op, fields[0], traits, opening.spec)
	if err != nil {
		return refuse(err)
	}
	return opened, nil
}

// opened finds out with whom the renderings of an authorized subscription are shared.
func (o *Opener) opened(exec graphql.GraphExecutor, op *graphql.OperationContext, root graphql.CollectedField, traits *analysis, spec *Spec) (*Opened, error) {
	variables := traits.variables(op.Variables)
	kin, err := kinKey(op, variables, &spec.Spec)
	if err != nil {
		return nil, err
	}
	// A state has no place in the log, which is up to where an audience may read.
	byHistory := traits.history && !traits.personal && spec.State == nil && spec.Audience.Enter != nil
	audience := delivery.Audience{}
	switch {
	case byHistory:
		audience = spec.Audience
	case traits.history || traits.personal:
		audience.Name = "user:" + spec.Principal
	}
	if !byHistory && audience.Name != "" && o.Afford != nil {
		if err := o.Afford(op, max(spec.Members, 1)); err != nil {
			return nil, err
		}
	}
	group := groupKey(kin, audience.Name)
	shared := o.operations.get(group, func() *operation {
		operation := newOperation(exec, op, root, variables, audience, o.unshared)
		if o.Plain != nil {
			operation.plain = o.Plain.compile(o.schema, operation.context, root)
		}
		return operation
	})
	opened := &Opened{
		Spec: spec.Spec, Personal: &personal{operation: shared, as: spec.As},
		Sharing: delivery.Sharing{Group: group, Audience: audience.Name, Renderer: shared},
	}
	switch {
	case byHistory:
		opened.Share = func(access delivery.Access) delivery.Sharing { return o.share(kin, shared, access.Audience) }
	case audience.Name != "":
		opened.Renderer = opened.Personal
	}
	if opened.Share == nil {
		opened.Spec.Audience = delivery.Audience{} // of no use any more
	}
	return opened, nil
}

// share is with whom the renderings are shared that one of the operation's kin makes for an audience.
func (o *Opener) share(kin string, like *operation, audience delivery.Audience) delivery.Sharing {
	group := groupKey(kin, audience.Name)
	return delivery.Sharing{
		Group: group, Audience: audience.Name,
		Renderer: o.operations.get(group, func() *operation { return like.forAudience(audience) }),
	}
}

package transport

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/render"
)

// maxErrors bounds the errors that one invalid operation is answered with.
const maxErrors = 20

// Call is one operation of a client, parsed and validated, whatever transport it came by.
type Call struct {
	service  *Service
	executor graphql.GraphExecutor
	op       *graphql.OperationContext
}

// Prepare charges its client for an operation, parses and validates it. The errors are those of the request: nothing has been
// executed.
func (s *Service) Prepare(ctx context.Context, executor graphql.GraphExecutor, params *graphql.RawParams) (call *Call, errs gqlerror.List) {
	if errs := s.charged(ctx); errs != nil {
		return nil, errs
	}
	return s.prepare(ctx, executor, params)
}

// prepare is Prepare of what has been charged already.
func (s *Service) prepare(ctx context.Context, executor graphql.GraphExecutor, params *graphql.RawParams) (call *Call, errs gqlerror.List) {
	defer s.recoverCall(params.OperationName, &errs)
	ctx = graphql.StartOperationTrace(ctx)
	params.ReadTime = graphql.TraceTiming{Start: graphql.Now(), End: graphql.Now()}
	op, errs := executor.CreateOperationContext(ctx, params)
	if errs == nil && usesDefer(op.Doc) {
		errs = errorList(CodeBadInput, "@defer is not supported")
	}
	if errs != nil {
		return nil, markSyntax(dispatchErrors(ctx, executor, op, errs[:min(len(errs), maxErrors)]), errs)
	}
	return &Call{service: s, executor: executor, op: op}, nil
}

// Type returns whether the call is a query, a mutation or a subscription.
func (c *Call) Type() ast.Operation { return c.op.Operation.Operation }

// Run executes a query or mutation, within [Options.OperationTimeout].
func (c *Call) Run(ctx context.Context) *graphql.Response {
	response, errs := c.execute(ctx)
	if errs != nil {
		return &graphql.Response{Errors: errs}
	}
	return response
}

func (c *Call) execute(ctx context.Context) (response *graphql.Response, errs gqlerror.List) {
	defer c.service.recoverCall(c.op.Operation.Name, &errs)
	ctx = context.WithValue(ctx, runningKey{}, &running{c, ctx})
	ctx, cancel := context.WithTimeout(graphql.StartOperationTrace(ctx), c.service.options.OperationTimeout)
	defer cancel()
	responses, ctx := c.executor.DispatchOperation(ctx, c.op)
	response = responses(ctx)
	switch {
	case response != nil:
		return response, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, errorList(CodeUnavailable, "the operation took too long")
	default:
		return nil, errorList(CodeUnavailable, "the operation was given up")
	}
}

type runningKey struct{}

// running is a query or mutation under way, and what it runs in.
type running struct {
	call *Call
	ctx  context.Context
}

// Validate judges another operation as if it came by itself, for the operation that ctx belongs to.
func Validate(ctx context.Context, params *graphql.RawParams) (ast.Operation, gqlerror.List) {
	of, ok := ctx.Value(runningKey{}).(*running)
	if !ok {
		return "", errorList(CodeInternal, "no operation is under way")
	}
	call, errs := of.call.service.prepare(of.ctx, of.call.executor, params)
	if errs != nil {
		return "", errs
	}
	return call.Type(), nil
}

// Open authorizes a subscription and finds out what it follows.
func (c *Call) Open(ctx context.Context) (opened *render.Opened, errs gqlerror.List) {
	defer c.service.recoverCall(c.op.Operation.Name, &errs)
	ctx, cancel := context.WithTimeout(graphql.StartOperationTrace(ctx), c.service.options.OperationTimeout)
	defer cancel()
	opened, response := c.service.options.Open(ctx, c.executor, c.op)
	switch {
	case response == nil && opened != nil:
		return opened, nil
	case response != nil && len(response.Errors) > 0:
		return nil, response.Errors
	default:
		return nil, errorList(CodeInternal, "the subscription can't be opened")
	}
}

// dispatchErrors has errors presented as the executor is set up to.
func dispatchErrors(ctx context.Context, executor graphql.GraphExecutor, op *graphql.OperationContext, errs gqlerror.List) gqlerror.List {
	ctx = graphql.WithOperationContext(graphql.StartOperationTrace(ctx), op)
	return executor.DispatchError(ctx, errs).Errors
}

// recoverCall, deferred, turns a panic into INTERNAL.
func (s *Service) recoverCall(operation string, errs *gqlerror.List) {
	if fault := recover(); fault != nil {
		s.logFault(operation, fault)
		*errs = errorList(CodeInternal, "internal error")
	}
}

// logFault logs a panic without its value, which may hold what somebody wrote.
func (s *Service) logFault(operation string, fault any) {
	what := fmt.Sprintf("%T", fault)
	if e, ok := fault.(runtime.Error); ok {
		what = e.Error()
	}
	s.options.Log.Error("panic in a transport", "operation", operation, "fault", what, "stack", string(debug.Stack()))
}

// usesDefer reports whether a document asks for incremental delivery, of which only the first part
// would ever be sent.
func usesDefer(doc *ast.QueryDocument) bool {
	for _, op := range doc.Operations {
		if selectsDefer(op.SelectionSet) {
			return true
		}
	}
	for _, f := range doc.Fragments {
		if selectsDefer(f.SelectionSet) {
			return true
		}
	}
	return false
}

func selectsDefer(set ast.SelectionSet) bool {
	for _, selection := range set {
		var directives ast.DirectiveList
		var inner ast.SelectionSet
		switch s := selection.(type) {
		case *ast.Field:
			inner = s.SelectionSet
		case *ast.InlineFragment:
			directives, inner = s.Directives, s.SelectionSet
		case *ast.FragmentSpread:
			directives = s.Directives
		}
		if directives.ForName("defer") != nil || selectsDefer(inner) {
			return true
		}
	}
	return false
}

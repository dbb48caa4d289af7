package render

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
	"parley/eventlog"
)

// renderer renders the events of one operation, for everyone or, with as, for one viewer. Its
// operation context is its own, made once, when the first event comes.
type renderer struct {
	exec     graphql.GraphExecutor
	params   graphql.RawParams
	as       func(context.Context) context.Context
	unshared prometheus.Counter

	once sync.Once
	op   *graphql.OperationContext
	errs gqlerror.List
}

func (r *renderer) operation() (*graphql.OperationContext, gqlerror.List) {
	r.once.Do(func() {
		params := r.params
		r.op, r.errs = r.exec.CreateOperationContext(graphql.StartOperationTrace(context.Background()), &params)
	})
	return r.op, r.errs
}

// Render executes the operation for one event (delivery.Renderer).
func (r *renderer) Render(ctx context.Context, source delivery.Source) (payload []byte, err error) {
	op, errs := r.operation()
	if errs != nil {
		return r.write(r.exec.DispatchError(graphql.WithOperationContext(ctx, op), errs), source)
	}
	defer func() {
		if p := recover(); p != nil {
			// Marshalling runs outside gqlgen's own recover.
			payload, err = nil, fmt.Errorf("render: panic: %v", p)
		}
	}()
	state := &rendering{source: source, shared: r.as == nil}
	ctx = context.WithValue(graphql.StartOperationTrace(ctx), renderingKey, state)
	if r.as != nil {
		ctx = r.as(ctx)
	}
	handler, ctx := r.exec.DispatchOperation(ctx, op)
	response := handler(ctx)
	switch {
	case state.asked.Load():
		r.unshared.Inc()
		return nil, delivery.ErrNotShareable
	case response == nil && ctx.Err() != nil:
		return nil, fmt.Errorf("render: %w: %w", eventlog.ErrUnavailable, ctx.Err())
	case response == nil:
		return nil, errors.New("render: the resolver yielded no event")
	}
	for _, e := range response.Errors {
		if errors.Is(e, eventlog.ErrUnavailable) {
			return nil, e
		}
	}
	return r.write(response, source)
}

// RenderFailure renders the response that tells of an error instead (delivery.Renderer).
func (r *renderer) RenderFailure(ctx context.Context, source delivery.Source, err error) []byte {
	op, errs := r.operation()
	if errs == nil {
		errs = gqlerror.List{gqlerror.WrapPath(ast.Path{ast.PathName(rootOf(op).Alias)}, err)}
	}
	payload, err := r.write(r.exec.DispatchError(graphql.WithOperationContext(ctx, op), errs), source)
	if err != nil {
		return []byte(`{"data":null,"errors":[{"message":"internal error","extensions":{"code":"INTERNAL"}}]}`)
	}
	return payload
}

func rootOf(op *graphql.OperationContext) *ast.Field {
	for _, s := range op.Operation.SelectionSet {
		if f, ok := s.(*ast.Field); ok {
			return f
		}
	}
	return &ast.Field{}
}

// write puts the response down: data, errors if any, and the cursor as an extension.
func (r *renderer) write(response *graphql.Response, source delivery.Source) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(response.Data) + 160)
	b.WriteString(`{"data":`)
	b.Write(r.data(response))
	if len(response.Errors) > 0 {
		errs, err := json.Marshal(response.Errors)
		if err != nil {
			return nil, fmt.Errorf("render: writing errors: %w", err)
		}
		b.WriteString(`,"errors":`)
		b.Write(errs)
	}
	if source.Cursor.Kind != 0 {
		b.WriteString(`,"extensions":{"cursor":`)
		b.WriteString(strconv.Quote(source.Cursor.String()))
		b.WriteByte('}')
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// data is the response's data, or null where the root field, which is never null in our schema,
// couldn't be had.
func (r *renderer) data(response *graphql.Response) []byte {
	if len(response.Data) == 0 {
		return []byte("null")
	}
	alias := strconv.Quote(rootOf(r.op).Alias)
	if string(response.Data) == "{"+alias+":null}" {
		return []byte("null")
	}
	return response.Data
}

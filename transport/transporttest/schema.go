package transporttest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
	"parley/eventlog"
	"parley/render"
)

var schema = gqlparser.MustLoadSchema(&ast.Source{Name: "transporttest", Input: `
	type Query { hello(name: String): String! slow: String! fail: String panic: String! big(size: Int!): String! viewer: String }
	type Mutation { say(text: String!): String! }
	type Subscription { ticks(log: String!, after: String): String! state(key: String!): String! panic: String! }
`})

// executable is a schema whose operations select one field, which is answered by its name.
type executable struct{ rig *Rig }

// Schema implements graphql.ExecutableSchema.
func (e executable) Schema() *ast.Schema { return schema }

// Complexity implements graphql.ExecutableSchema.
func (e executable) Complexity(context.Context, string, string, int, map[string]any) (int, bool) {
	return 0, false
}

// Exec implements graphql.ExecutableSchema.
func (e executable) Exec(ctx context.Context) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	if op.Operation.Operation == ast.Subscription {
		panic("a subscription was executed")
	}
	field := rootField(op)
	args := field.ArgumentMap(op.Variables)
	done := false
	return func(ctx context.Context) *graphql.Response {
		if done {
			return nil
		}
		done = true
		value, err := e.rig.resolve(ctx, field.Name, args)
		if err != nil {
			graphql.AddError(ctx, err)
		}
		data, err := json.Marshal(map[string]any{field.Alias: value})
		if err != nil {
			panic(err)
		}
		return &graphql.Response{Data: data}
	}
}

func rootField(op *graphql.OperationContext) *ast.Field {
	return op.Operation.SelectionSet[0].(*ast.Field)
}

func (r *Rig) resolve(ctx context.Context, field string, args map[string]any) (any, error) {
	switch field {
	case "__typename":
		return "Query", nil
	case "hello":
		if name, ok := args["name"].(string); ok {
			return "hello " + name, nil
		}
		return "hello", nil
	case "slow":
		r.Began <- struct{}{}
		select {
		case <-r.Finish:
			return "slow", nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case "fail":
		return nil, errors.New("it failed")
	case "panic":
		panic("a secret")
	case "big":
		size, _ := args["size"].(int64)
		return strings.Repeat("b", int(size)), nil
	case "viewer":
		return ViewerFrom(ctx), nil
	case "say":
		return args["text"], nil
	}
	return nil, fmt.Errorf("no field %s", field)
}

// open is what render's Opener does: it authorizes and names what is followed.
func (r *Rig) open(ctx context.Context, executor graphql.GraphExecutor, op *graphql.OperationContext) (*render.Opened, *graphql.Response) {
	field := rootField(op)
	args := field.ArgumentMap(op.Variables)
	switch field.Name {
	case "panic":
		panic("a secret")
	case "state":
		key := args["key"].(string)
		return &render.Opened{
			Spec:    delivery.Spec{Topic: "state/" + key, State: r.states.source(key)},
			Sharing: delivery.Sharing{Group: "g", Renderer: renderer{field.Alias}},
		}, nil
	}
	log := args["log"].(string)
	if log == "held" {
		r.Began <- struct{}{}
		<-ctx.Done()
	}
	viewer := ViewerFrom(ctx)
	start, err := r.start(log, op.Extensions["resume"], args["after"])
	access, denied := r.access(log, viewer)
	if err = cmp.Or(err, denied); err != nil {
		return nil, executor.DispatchError(graphql.WithOperationContext(ctx, op), gqlerror.List{{Err: err, Message: err.Error()}})
	}
	return &render.Opened{
		Spec: delivery.Spec{
			Topic: log, Start: start, Filter: eventlog.KindsOf(KindTick), Principal: viewer, Access: access,
			Authorize: func(context.Context) (delivery.Access, error) { return r.access(log, viewer) },
		},
		Sharing: delivery.Sharing{Group: op.RawQuery, Renderer: renderer{field.Alias}},
	}, nil
}

var errNotFound = errors.New("no such log")

func (r *Rig) start(log string, positions ...any) (eventlog.Cursor, error) {
	if log == "missing" {
		return eventlog.Cursor{}, errNotFound
	}
	for _, position := range positions {
		if text, ok := position.(string); ok && text != "" {
			return eventlog.ParseCursor(text)
		}
	}
	return r.Logs.Tail(log), nil
}

// renderer renders payloads, which are strings.
type renderer struct{ alias string }

// Render implements delivery.Renderer.
func (r renderer) Render(_ context.Context, source delivery.Source) ([]byte, error) {
	response := map[string]any{"data": map[string]any{r.alias: source.Payload}}
	if source.Cursor.Kind != 0 {
		response["extensions"] = map[string]string{"cursor": source.Cursor.String()}
	}
	return json.Marshal(response)
}

// RenderFailure implements delivery.Renderer.
func (r renderer) RenderFailure(_ context.Context, _ delivery.Source, err error) []byte {
	panic(err) // Render doesn't fail
}

// present gives errors their codes, as the edge of the program does.
func present(_ context.Context, err error) *gqlerror.Error {
	presented := &gqlerror.Error{Message: err.Error(), Extensions: map[string]any{"code": "INTERNAL"}}
	if known, ok := errors.AsType[*gqlerror.Error](err); ok {
		presented.Message, presented.Locations = known.Message, known.Locations
		if code := known.Extensions["code"]; code == errcode.ParseFailed || code == errcode.ValidationFailed {
			presented.Extensions["code"] = "BAD_INPUT"
		} else if code != nil {
			presented.Extensions["code"] = code
		}
	}
	if reset, ok := errors.AsType[*delivery.ResetError](err); ok {
		presented.Extensions = map[string]any{"code": "HISTORY_LOST", "cursor": reset.Tail.String()}
	}
	for sentinel, code := range map[error]string{
		delivery.ErrAccessRevoked: "FORBIDDEN", eventlog.ErrBadCursor: "BAD_INPUT", errNotFound: "NOT_FOUND",
	} {
		if errors.Is(err, sentinel) {
			presented.Extensions["code"] = code
		}
	}
	return presented
}

package document

import (
	"context"
	"encoding/json"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Responses are bounded twice: while fields are resolved by what they hold, so that no more is read
// than may be sent, and once encoded by their length.

var _ interface {
	graphql.OperationInterceptor
	graphql.ResponseInterceptor
	graphql.FieldInterceptor
} = (*Gate)(nil)

// budget is what is left of a response's bytes.
type budget struct{ left atomic.Int64 }

func (b *budget) spent() bool { return b.left.Load() < 0 }

type budgetKey struct{}

// InterceptOperation implements graphql.OperationInterceptor. Each event of a subscription is an
// operation of its own.
func (g *Gate) InterceptOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	if g.limits.ResponseBytes == 0 {
		return next(ctx)
	}
	b := &budget{}
	b.left.Store(int64(g.limits.ResponseBytes))
	return next(context.WithValue(ctx, budgetKey{}, b))
}

// InterceptResponse implements graphql.ResponseInterceptor.
func (g *Gate) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	response := next(ctx)
	limit := g.limits.ResponseBytes
	if response == nil || limit == 0 {
		return response
	}
	b, _ := ctx.Value(budgetKey{}).(*budget)
	if len(response.Data) <= limit && (b == nil || !b.spent()) {
		return response
	}
	return &graphql.Response{
		Data: json.RawMessage("null"), Extensions: response.Extensions,
		Errors: gqlerror.List{tooLong(limit)},
	}
}

func tooLong(limit int) *gqlerror.Error {
	return refusal(codeLimitExceeded, nil, "the response is too long: at most %d bytes, ask for less at once", limit)
}

// InterceptField implements graphql.FieldInterceptor. Once the budget is spent nothing more is
// resolved.
func (g *Gate) InterceptField(ctx context.Context, next graphql.Resolver) (any, error) {
	b, _ := ctx.Value(budgetKey{}).(*budget)
	if b == nil {
		return next(ctx)
	}
	if b.spent() {
		return nil, tooLong(g.limits.ResponseBytes)
	}
	value, err := next(ctx)
	b.left.Add(-int64(bytesOf(value) + len(graphql.GetFieldContext(ctx).Field.Alias)))
	return value, err
}

// punctuation is what JSON takes for a field at least: quotes, a colon, a comma, a digit.
const punctuation = 5

// bytesOf estimates, from below, what the value of a field takes in the response by itself.
func bytesOf(value any) int {
	switch value := value.(type) {
	case string:
		return punctuation + len(value)
	case *string:
		if value != nil {
			return punctuation + len(*value)
		}
	case json.RawMessage:
		return punctuation + len(value)
	}
	return punctuation
}

package resolvers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/99designs/gqlgen/graphql"

	"parley/chat"
)

// RecoverPanic makes an error of a panic (graphql.RecoverFunc). The log gets the stack but not the
// panic's value, which may hold what somebody wrote.
func RecoverPanic(log *slog.Logger) graphql.RecoverFunc {
	return func(ctx context.Context, fault any) error {
		if err, ok := fault.(error); ok {
			// So gqlgen takes a number, in an argument of a scalar of ours, that is too big.
			if _, ok := errors.AsType[*strconv.NumError](err); ok {
				return chat.Errorf(chat.BadInput, "a number is out of range")
			}
		}
		what := fmt.Sprintf("%T", fault)
		if err, ok := fault.(runtime.Error); ok {
			what = err.Error()
		}
		log.ErrorContext(ctx, "panic in a resolver", "fault", what, "stack", string(debug.Stack()))
		return chat.Errorf(chat.Internal, "panic: %s", what)
	}
}

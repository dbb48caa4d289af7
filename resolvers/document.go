package resolvers

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Documents is a gqlgen extension that refuses, before anything is executed, operations that are
// valid by the schema but can't be served: subscriptions that don't follow exactly one thing, and
// introspection where it is switched off.
type Documents struct {
	// Introspection lets clients read the schema.
	Introspection bool
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationContextMutator
} = Documents{}

// ExtensionName implements graphql.HandlerExtension.
func (Documents) ExtensionName() string { return "Documents" }

// Validate implements graphql.HandlerExtension.
func (Documents) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext implements graphql.OperationContextMutator. Its error is BAD_INPUT.
func (d Documents) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	op.DisableIntrospection = !d.Introspection
	switch op.Operation.Operation {
	case ast.Subscription:
		// The rule of gqlparser counts names, so that one name under two aliases passes.
		if len(graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Subscription"})) != 1 {
			return gqlerror.ErrorPosf(op.Operation.Position, "a subscription follows exactly one thing")
		}
	case ast.Query:
		for _, f := range graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Query"}) {
			if !d.Introspection && strings.HasPrefix(f.Name, "__") && f.Name != "__typename" {
				return gqlerror.ErrorPosf(f.Position, "introspection is switched off here")
			}
		}
	}
	return nil
}

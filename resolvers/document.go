package resolvers

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/render"
)

// Documents is a gqlgen extension that refuses, before anything is executed, operations that are
// valid by the schema but can't be served: null for a variable where null isn't allowed,
// subscriptions that don't follow exactly one thing, and introspection where it is switched off.
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

// Validate implements graphql.HandlerExtension: any schema will do.
func (Documents) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext implements graphql.OperationContextMutator. Its error is BAD_INPUT.
func (d Documents) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	op.DisableIntrospection = !d.Introspection
	err := misplacedNull(op) // first: to collect fields panics over it
	if err == nil {
		err = d.checkRoot(op)
	}
	if err != nil {
		errcode.Set(err, errcode.ValidationFailed)
	}
	return err
}

func (d Documents) checkRoot(op *graphql.OperationContext) *gqlerror.Error {
	switch op.Operation.Operation {
	case ast.Subscription:
		// The rule of gqlparser counts names, so that one name under two aliases passes.
		if len(graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Subscription"})) != 1 {
			return gqlerror.WrapPos(op.Operation.Position, render.ErrOneField)
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

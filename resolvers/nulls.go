package resolvers

import (
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// misplacedNull finds null for a variable that is used where the schema doesn't allow null: its
// default lets such a variable be declared nullable (GraphQL §5.8.5), and the request may still say
// null. gqlgen panics over that in @skip and @include, and takes zero elsewhere.
func misplacedNull(op *graphql.OperationContext) *gqlerror.Error {
	nulls := nullSearch{variables: map[string]bool{}, seen: map[string]bool{}}
	for _, v := range op.Operation.VariableDefinitions {
		if value, given := op.Variables[v.Variable]; given && value == nil && v.DefaultValue != nil {
			nulls.variables[v.Variable] = true
		}
	}
	if len(nulls.variables) > 0 {
		nulls.selections(op.Operation.SelectionSet)
	}
	if nulls.found == "" {
		return nil
	}
	return gqlerror.ErrorPathf(ast.Path{ast.PathName("variable"), ast.PathName(nulls.found)}, "cannot be null where it is used")
}

// nullSearch looks for one of some variables, which are null, where null isn't allowed.
type nullSearch struct {
	variables map[string]bool
	seen      map[string]bool // fragments
	found     string
}

func (n *nullSearch) selections(set ast.SelectionSet) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			n.directives(s.Directives)
			n.arguments(s.Arguments)
			n.selections(s.SelectionSet)
		case *ast.InlineFragment:
			n.directives(s.Directives)
			n.selections(s.SelectionSet)
		case *ast.FragmentSpread:
			n.directives(s.Directives)
			if !n.seen[s.Name] && s.Definition != nil {
				n.seen[s.Name] = true
				n.selections(s.Definition.SelectionSet)
			}
		}
	}
}

func (n *nullSearch) directives(list ast.DirectiveList) {
	for _, d := range list {
		n.arguments(d.Arguments)
	}
}

func (n *nullSearch) arguments(list ast.ArgumentList) {
	for _, a := range list {
		n.value(a.Value)
	}
}

func (n *nullSearch) value(v *ast.Value) {
	if v.Kind == ast.Variable && n.variables[v.Raw] && v.ExpectedType != nil && v.ExpectedType.NonNull {
		n.found = v.Raw
	}
	for _, child := range v.Children {
		n.value(child.Value)
	}
}

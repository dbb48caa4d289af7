package render

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"parley/delivery"
)

// openOnly are the root arguments that matter when a subscription is opened, and not to any event
// of it.
var openOnly = []string{"after", "snapshot"}

// groupKey names those who may share a rendering: same document, operation, variables (without
// those that only open), topic, filter and audience.
func groupKey(op *graphql.OperationContext, spec *delivery.Spec) (string, error) {
	ignored := openOnlyVariables(op.Operation)
	variables := make(map[string]any, len(op.Variables))
	for name, value := range op.Variables {
		if !ignored[name] {
			variables[name] = value
		}
	}
	sorted, err := json.Marshal(variables) // maps are written with sorted keys
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, part := range []string{op.RawQuery, op.Operation.Name, string(sorted), spec.Topic, spec.Audience} {
		fmt.Fprintf(h, "%d:%s,", len(part), part)
	}
	fmt.Fprintf(h, "%x", uint64(spec.Filter))
	return string(h.Sum(nil)), nil
}

// openOnlyVariables returns the variables used only as open-only arguments of the root field.
func openOnlyVariables(op *ast.OperationDefinition) map[string]bool {
	uses := map[string]int{}
	opening := map[string]int{}
	count := func(v *ast.Value) { countVariables(v, uses) }
	walkSelections(op.SelectionSet, map[string]bool{}, func(s ast.Selection) {
		for _, d := range directivesOf(s) {
			for _, a := range d.Arguments {
				count(a.Value)
			}
		}
		if f, ok := s.(*ast.Field); ok {
			for _, a := range f.Arguments {
				count(a.Value)
			}
		}
	})
	for _, s := range op.SelectionSet {
		f, ok := s.(*ast.Field)
		if !ok {
			continue
		}
		for _, name := range openOnly {
			if a := f.Arguments.ForName(name); a != nil && a.Value.Kind == ast.Variable {
				opening[a.Value.Raw]++
			}
		}
	}
	only := map[string]bool{}
	for name, n := range opening {
		only[name] = n == uses[name]
	}
	return only
}

func directivesOf(s ast.Selection) ast.DirectiveList {
	switch s := s.(type) {
	case *ast.Field:
		return s.Directives
	case *ast.InlineFragment:
		return s.Directives
	case *ast.FragmentSpread:
		return s.Directives
	}
	return nil
}

func countVariables(v *ast.Value, uses map[string]int) {
	if v == nil {
		return
	}
	if v.Kind == ast.Variable {
		uses[v.Raw]++
	}
	for _, child := range v.Children {
		countVariables(child.Value, uses)
	}
}

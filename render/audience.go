package render

import (
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// viewerDirective marks the fields that depend on who asks (schema.graphqls).
const viewerDirective = "viewer"

// dependsOnViewer reports whether an operation selects a field that depends on who asks. It looks
// at every field of every fragment, whatever @skip and @include say, and on an interface at the
// field of the interface and of everything that implements it.
func dependsOnViewer(schema *ast.Schema, op *ast.OperationDefinition) bool {
	found := false
	walkFields(op.SelectionSet, map[string]bool{}, func(f *ast.Field) {
		found = found || marked(f.Definition) || markedInImplementor(schema, f)
	})
	return found
}

func marked(def *ast.FieldDefinition) bool {
	return def != nil && def.Directives.ForName(viewerDirective) != nil
}

func markedInImplementor(schema *ast.Schema, f *ast.Field) bool {
	if f.ObjectDefinition == nil || !f.ObjectDefinition.IsAbstractType() {
		return false
	}
	return slices.ContainsFunc(schema.GetPossibleTypes(f.ObjectDefinition), func(t *ast.Definition) bool {
		return marked(t.Fields.ForName(f.Name))
	})
}

// defers reports whether an operation asks for incremental delivery, which subscriptions don't do.
func defers(op *ast.OperationDefinition) bool {
	found := false
	walkSelections(op.SelectionSet, map[string]bool{}, func(s ast.Selection) {
		switch s := s.(type) {
		case *ast.FragmentSpread:
			found = found || s.Directives.ForName("defer") != nil
		case *ast.InlineFragment:
			found = found || s.Directives.ForName("defer") != nil
		}
	})
	return found
}

func walkFields(set ast.SelectionSet, seen map[string]bool, visit func(*ast.Field)) {
	walkSelections(set, seen, func(s ast.Selection) {
		if f, ok := s.(*ast.Field); ok {
			visit(f)
		}
	})
}

// walkSelections visits every selection, each fragment's once.
func walkSelections(set ast.SelectionSet, seen map[string]bool, visit func(ast.Selection)) {
	for _, s := range set {
		visit(s)
		switch s := s.(type) {
		case *ast.Field:
			walkSelections(s.SelectionSet, seen, visit)
		case *ast.InlineFragment:
			walkSelections(s.SelectionSet, seen, visit)
		case *ast.FragmentSpread:
			if !seen[s.Name] && s.Definition != nil {
				seen[s.Name] = true
				walkSelections(s.Definition.SelectionSet, seen, visit)
			}
		}
	}
}

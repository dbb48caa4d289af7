package render

import (
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// viewerDirective marks the fields that depend on who asks (schema.graphqls).
const viewerDirective = "viewer"

// openOnly are the arguments of the root field that matter when a subscription is opened, and not
// to any event of it.
var openOnly = []string{"after", "snapshot"}

// analysis is what the text of an operation says about its renderings. It looks at every field of
// every fragment, whatever @skip and @include say.
type analysis struct {
	schema *ast.Schema
	seen   map[string]bool // fragments

	// defers: incremental delivery is asked for.
	defers bool
	// personal: a field is selected that depends on who asks; or, on an interface, one that does
	// in a type that implements it.
	personal bool
	// opening are variables given to open-only arguments, used those with any other use.
	opening, used map[string]bool
}

func analyze(schema *ast.Schema, op *ast.OperationDefinition) *analysis {
	a := &analysis{schema: schema, seen: map[string]bool{}, opening: map[string]bool{}, used: map[string]bool{}}
	a.selections(op.SelectionSet)
	return a
}

// variables returns those of an operation's variables that its renderings depend on.
func (a *analysis) variables(all map[string]any) map[string]any {
	kept := make(map[string]any, len(all))
	for name, value := range all {
		if a.used[name] || !a.opening[name] {
			kept[name] = value
		}
	}
	return kept
}

// selections looks at a selection set, and at each fragment once.
func (a *analysis) selections(set ast.SelectionSet) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			a.directives(s.Directives)
			a.field(s)
			a.selections(s.SelectionSet)
		case *ast.InlineFragment:
			a.directives(s.Directives)
			a.selections(s.SelectionSet)
		case *ast.FragmentSpread:
			a.directives(s.Directives)
			if !a.seen[s.Name] && s.Definition != nil {
				a.seen[s.Name] = true
				a.selections(s.Definition.SelectionSet)
			}
		}
	}
}

func (a *analysis) directives(list ast.DirectiveList) {
	for _, d := range list {
		a.defers = a.defers || d.Name == "defer"
		for _, arg := range d.Arguments {
			a.use(arg.Value)
		}
	}
}

func (a *analysis) field(f *ast.Field) {
	a.personal = a.personal || marked(f.Definition) || a.markedInImplementor(f)
	root := f.ObjectDefinition != nil && f.ObjectDefinition.Name == a.schema.Subscription.Name
	for _, arg := range f.Arguments {
		if root && arg.Value.Kind == ast.Variable && slices.Contains(openOnly, arg.Name) {
			a.opening[arg.Value.Raw] = true
		} else {
			a.use(arg.Value)
		}
	}
}

// use notes the variables in a value.
func (a *analysis) use(v *ast.Value) {
	if v.Kind == ast.Variable {
		a.used[v.Raw] = true
	}
	for _, child := range v.Children {
		a.use(child.Value)
	}
}

func marked(def *ast.FieldDefinition) bool {
	return def != nil && def.Directives.ForName(viewerDirective) != nil
}

func (a *analysis) markedInImplementor(f *ast.Field) bool {
	if f.ObjectDefinition == nil || !f.ObjectDefinition.IsAbstractType() {
		return false
	}
	return slices.ContainsFunc(a.schema.GetPossibleTypes(f.ObjectDefinition), func(t *ast.Definition) bool {
		return marked(t.Fields.ForName(f.Name))
	})
}

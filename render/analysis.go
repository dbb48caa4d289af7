package render

import (
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// viewerDirective marks the fields that depend on who asks, or, byHistory, on what they may read
// (schema.graphqls).
const (
	viewerDirective = "viewer"
	byHistory       = "HISTORY"
)

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
	// personal: a field is selected that depends on who asks; history: one that depends on what
	// they may read. On an interface that is also one which does in a type that implements it.
	personal, history bool
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
	a.mark(f.Definition)
	if f.ObjectDefinition != nil && f.ObjectDefinition.IsAbstractType() {
		for _, t := range a.schema.GetPossibleTypes(f.ObjectDefinition) {
			a.mark(t.Fields.ForName(f.Name))
		}
	}
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

// mark takes what the schema says of a field.
func (a *analysis) mark(def *ast.FieldDefinition) {
	if def == nil {
		return
	}
	directive := def.Directives.ForName(viewerDirective)
	if directive == nil {
		return
	}
	if by := directive.Arguments.ForName("by"); by != nil && by.Value.Raw == byHistory {
		a.history = true
	} else {
		a.personal = true
	}
}

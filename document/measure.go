package document

import (
	"cmp"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// size is how much a selection holds once fragments are expanded.
type size struct{ depth, fields, aliases, directives int }

// ceiling is where counting stops: fragments that double each other count beyond any integer.
const ceiling = 1 << 30

func (s *size) add(of size) {
	s.depth = max(s.depth, of.depth)
	s.fields = min(s.fields+of.fields, ceiling)
	s.aliases = min(s.aliases+of.aliases, ceiling)
	s.directives = min(s.directives+of.directives, ceiling)
}

// ruler measures a parsed document that hasn't been validated: each fragment once, however often it
// is spread, so that measuring takes time in proportion to the document's length.
type ruler struct {
	limits    *Limits
	fragments map[string]*ast.FragmentDefinition
	// sizes has the fragments that are measured, or being measured: those are nil.
	sizes map[string]*size
	// pairs counts the fields that the validator compares.
	pairs int
	err   *gqlerror.Error
}

// measure refuses what is too large to be validated, or to be executed, whatever the schema.
func (l *Limits) measure(doc *ast.QueryDocument) *gqlerror.Error {
	r := &ruler{limits: l, fragments: make(map[string]*ast.FragmentDefinition, len(doc.Fragments)), sizes: map[string]*size{}}
	for _, f := range doc.Fragments { // one of a name is measured, and the validator looks into all
		if r.fragments[f.Name] != nil {
			return refusal(codeBadInput, f.Position, "there is more than one fragment %.100q", f.Name)
		}
		r.fragments[f.Name] = f
	}
	r.fail(exceeded(len(doc.Operations), l.Operations, nil, "operations in one document"))
	r.fail(exceeded(len(doc.Fragments), l.Fragments, nil, "fragments"))
	for _, op := range doc.Operations {
		r.operation(op)
	}
	for _, f := range doc.Fragments { // those that no operation reaches are validated all the same
		r.within(r.fragment(f), f.Position)
	}
	if r.err == nil {
		r.repeats(doc)
	}
	return r.err
}

func (r *ruler) fail(err *gqlerror.Error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *ruler) operation(op *ast.OperationDefinition) {
	r.fail(exceeded(len(op.VariableDefinitions), r.limits.Variables, op.Position, "variables"))
	var of size
	for _, v := range op.VariableDefinitions {
		of.add(r.directives(v.Directives))
		if v.DefaultValue != nil {
			r.value(v.Variable, v.DefaultValue)
		}
	}
	of.add(r.directives(op.Directives))
	of.add(r.selections(op.SelectionSet))
	r.within(of, op.Position)
}

// within compares with the limits of one operation.
func (r *ruler) within(of size, at *ast.Position) {
	r.fail(firstOf(
		exceeded(of.depth, r.limits.Depth, at, "fields and inline fragments within each other"),
		exceeded(of.fields, r.limits.Fields, at, "fields"),
		exceeded(of.aliases, r.limits.Aliases, at, "aliases"),
		exceeded(of.directives, r.limits.Directives, at, "directives"),
	))
}

func (r *ruler) selections(set ast.SelectionSet) (total size) {
	for _, s := range set {
		if r.err != nil {
			return total
		}
		of := size{fields: 1}
		switch s := s.(type) {
		case *ast.Field:
			if s.Alias != s.Name {
				of.aliases++
			}
			r.arguments(s.Arguments, s.Position)
			of.add(r.directives(s.Directives))
			of.add(r.selections(s.SelectionSet))
			of.depth++
		case *ast.InlineFragment:
			of.add(r.directives(s.Directives))
			of.add(r.selections(s.SelectionSet))
			of.depth++
		case *ast.FragmentSpread:
			of.add(r.directives(s.Directives))
			if f := r.fragments[s.Name]; f != nil {
				of.add(r.fragment(f))
			}
		}
		total.add(of)
	}
	return total
}

func (r *ruler) fragment(f *ast.FragmentDefinition) size {
	known, met := r.sizes[f.Name]
	switch {
	case known != nil:
		return *known
	case met:
		r.fail(refusal(codeBadInput, f.Position, "the fragment %.100q spreads itself", f.Name))
		return size{}
	}
	r.sizes[f.Name] = nil
	of := r.directives(f.Directives)
	of.add(r.selections(f.SelectionSet))
	r.sizes[f.Name] = &of
	return of
}

func (r *ruler) directives(list ast.DirectiveList) size {
	for _, d := range list {
		r.arguments(d.Arguments, d.Position)
	}
	return size{directives: len(list)}
}

func (r *ruler) arguments(list ast.ArgumentList, at *ast.Position) {
	r.fail(exceeded(len(list), r.limits.Arguments, at, "arguments"))
	for _, a := range list {
		r.value(a.Name, a.Value)
	}
}

// value measures what is written for an argument or an input field of some name.
func (r *ruler) value(name string, v *ast.Value) (depth int) {
	if v.Kind != ast.ListValue && v.Kind != ast.ObjectValue {
		return 0
	}
	r.fail(inField(name, exceeded(len(v.Children), r.limits.List, v.Position, "items in a list, or fields in an object")))
	for _, child := range v.Children {
		depth = max(depth, r.value(cmp.Or(child.Name, name), child.Value))
	}
	depth++
	r.fail(inField(name, exceeded(depth, r.limits.Depth, v.Position, "lists and objects within each other")))
	return depth
}

package document

import (
	"encoding/json"
	"math"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

const (
	// pageSize is how many items a page has if nothing is said, maxPage how many it may have, by
	// the descriptions of first and last in the schema.
	pageSize = 50
	maxPage  = 100
	// listSize is reckoned for a list whose length the operation doesn't say.
	listSize = 20
)

// cost is what a selection may cost: once, and again for each item of the list that the object it
// is of turns out to hold. So `edges` costs by the item, and the field with first and last says how
// many there are.
type cost struct{ once, item int }

func (c cost) plus(of cost) cost {
	return cost{min(c.once+of.once, ceiling), min(c.item+of.item, ceiling)}
}

// times is the cost of n objects that each hold a list of so many items.
func (c cost) times(n, items int) int {
	each := int64(c.once) + int64(c.item)*int64(items)
	return int(min(each*int64(n), ceiling))
}

func (c cost) max(of cost) cost { return cost{max(c.once, of.once), max(c.item, of.item)} }

// pricer reckons the complexity of a validated operation: each field counts one, times the items of
// the lists that it is in. @skip and @include are ignored. A fragment is reckoned once.
type pricer struct {
	schema    *ast.Schema
	variables map[string]any
	fragments map[string]cost
}

// complexity returns that of an operation; of a subscription, that of each of its events.
func complexity(schema *ast.Schema, op *graphql.OperationContext) int {
	p := &pricer{schema: schema, variables: op.Variables, fragments: map[string]cost{}}
	c := p.selections(op.Operation.SelectionSet)
	return c.times(1, listSize)
}

// selections adds up fields. Of selections for one type each, an object meets only one.
func (p *pricer) selections(set ast.SelectionSet) (total cost) {
	var byType map[string]cost
	branch := func(on *ast.Definition, condition string, c cost) {
		if of := p.schema.Types[condition]; of == nil || of.IsAbstractType() || on == nil || !on.IsAbstractType() {
			total = total.plus(c)
			return
		}
		if byType == nil {
			byType = map[string]cost{}
		}
		byType[condition] = byType[condition].plus(c)
	}
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			total = total.plus(p.field(s))
		case *ast.InlineFragment:
			branch(s.ObjectDefinition, s.TypeCondition, p.selections(s.SelectionSet))
		case *ast.FragmentSpread:
			if s.Definition != nil {
				branch(s.ObjectDefinition, s.Definition.TypeCondition, p.fragment(s.Definition))
			}
		}
	}
	var dearest cost
	for _, c := range byType {
		dearest = dearest.max(c)
	}
	return total.plus(dearest)
}

func (p *pricer) fragment(f *ast.FragmentDefinition) cost {
	known, ok := p.fragments[f.Name]
	if !ok {
		known = p.selections(f.SelectionSet)
		p.fragments[f.Name] = known
	}
	return known
}

func (p *pricer) field(f *ast.Field) cost {
	inner := p.selections(f.SelectionSet)
	if f.Definition == nil {
		return cost{once: 1}
	}
	isList := f.Definition.Type.Elem != nil
	switch n, said := p.items(f); {
	case strings.HasPrefix(f.Definition.Type.Name(), "__"): // the schema is no longer than it is
		return cost{once: 1}.plus(inner)
	case isList && said:
		return cost{once: 1 + inner.times(n, listSize)}
	case isList:
		return cost{once: 1, item: inner.times(1, listSize)}
	case said:
		return cost{once: 1 + inner.times(1, n)}
	}
	return cost{once: 1 + inner.times(1, listSize)}
}

// items returns how many items the arguments of a field ask for, if they say: a page's size, or the
// length of a list.
func (p *pricer) items(f *ast.Field) (n int, said bool) {
	for _, def := range f.Definition.Arguments {
		isSize := def.Name == "first" || def.Name == "last"
		if !isSize && def.Type.Elem == nil {
			continue
		}
		said = true
		arg := f.Arguments.ForName(def.Name)
		if arg == nil {
			continue
		}
		value, err := arg.Value.Value(p.variables)
		if err != nil {
			return maxPage, true // a number beyond all bounds: it will be refused
		}
		if isSize {
			n = max(n, pageOf(value))
		} else {
			n = max(n, lengthOf(value))
		}
	}
	if n == 0 && said {
		n = pageSize
	}
	return n, said
}

// pageOf is 0 for what isn't a number.
func pageOf(value any) int {
	n := 0.0
	switch value := value.(type) {
	case int64:
		n = float64(value)
	case int:
		n = float64(value)
	case float64:
		n = value
	case json.Number:
		n, _ = value.Float64()
	}
	return int(math.Min(math.Max(n, 0), maxPage))
}

func lengthOf(value any) int {
	switch value := value.(type) {
	case nil:
		return 0
	case []any:
		return len(value)
	}
	return 1 // one item is a list of it
}

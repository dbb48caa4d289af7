package document

import (
	"github.com/vektah/gqlparser/v2/ast"
)

// Fields with one name in one selection are one field of the response, and the validator compares
// each with each. So it is their number that its time goes by the square of.

// pairsAllowed is how many pairs of such fields a document may have, in squares of the limit: as many
// as a few selections that reach it.
const pairsAllowed = 4

// repeats refuses a name, or a fragment, that stands in one selection too often.
func (r *ruler) repeats(doc *ast.QueryDocument) {
	reached := map[string]bool{}
	for _, op := range doc.Operations {
		top := r.merged([]ast.SelectionSet{op.SelectionSet}, reached)
		r.fail(exceeded(top, r.limits.RootFields, op.Position, "fields at the root"))
	}
	for _, f := range doc.Fragments {
		if !reached[f.Name] {
			r.merged([]ast.SelectionSet{f.SelectionSet}, reached)
		}
	}
}

// merged looks at selections that make one object of the response, and at those within. It returns
// how many names there are. Its time goes by the expanded fields, which are limited already.
func (r *ruler) merged(sets []ast.SelectionSet, reached map[string]bool) int {
	m := merge{ruler: r, reached: reached, within: map[string][]ast.SelectionSet{}, times: map[string]int{}, spread: map[string]bool{}}
	for _, set := range sets {
		m.collect(set)
	}
	for _, inner := range m.within {
		if r.err == nil {
			r.merged(inner, reached)
		}
	}
	return len(m.times)
}

type merge struct {
	*ruler
	reached map[string]bool
	// within are the selections of each name, times how often it stands there.
	within map[string][]ast.SelectionSet
	times  map[string]int
	// spread has the fragments met, spreads is how often any was.
	spread  map[string]bool
	spreads int
}

func (m *merge) collect(set ast.SelectionSet) {
	for _, s := range set {
		if m.err != nil {
			return
		}
		switch s := s.(type) {
		case *ast.Field:
			m.times[s.Alias]++
			m.pairs += m.times[s.Alias] - 1
			m.fail(exceeded(m.times[s.Alias], m.limits.Repeats, s.Position, "fields with one name in one selection"))
			m.fail(exceeded(m.pairs, pairsAllowed*m.limits.Repeats*m.limits.Repeats, s.Position, "pairs of fields with one name"))
			if len(s.SelectionSet) > 0 {
				m.within[s.Alias] = append(m.within[s.Alias], s.SelectionSet)
			}
		case *ast.InlineFragment:
			m.collect(s.SelectionSet)
		case *ast.FragmentSpread:
			m.spreads++
			m.fail(exceeded(m.spreads, m.limits.Repeats, s.Position, "fragments spread in one selection"))
			m.reached[s.Name] = true
			if f := m.fragments[s.Name]; f != nil && !m.spread[s.Name] {
				m.spread[s.Name] = true
				m.collect(f.SelectionSet)
			}
		}
	}
}

package document

import (
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// variables refuses variables that are too many values, or too deep, whatever they are for.
func (l *Limits) variables(given map[string]any) *gqlerror.Error {
	c := census{limits: l}
	for _, v := range given {
		c.count(v, 1)
	}
	return firstOf(
		exceeded(c.values, l.VariableValues, nil, "values in the variables"),
		exceeded(c.deepest, l.Depth, nil, "lists and objects within each other"),
	)
}

// census counts the values in a value decoded from JSON, until they are too many.
type census struct {
	limits          *Limits
	values, deepest int
}

func (c *census) count(v any, depth int) {
	c.values++
	if l := c.limits; l.VariableValues > 0 && c.values > l.VariableValues || l.Depth > 0 && c.deepest > l.Depth {
		return
	}
	switch v := v.(type) {
	case []any:
		c.deepest = max(c.deepest, depth)
		for _, item := range v {
			c.count(item, depth+1)
		}
	case map[string]any:
		c.deepest = max(c.deepest, depth)
		for _, member := range v {
			c.count(member, depth+1)
		}
	}
}

// lists refuses variables with lists that are too long. Lists within a scalar are that scalar's own.
func (l *Limits) lists(schema *ast.Schema, op *graphql.OperationContext) *gqlerror.Error {
	s := lists{schema: schema, limit: l.List}
	for _, v := range op.Operation.VariableDefinitions {
		s.look(v.Variable, op.Variables[v.Variable], v.Type)
	}
	return s.err
}

type lists struct {
	schema *ast.Schema
	limit  int
	err    *gqlerror.Error
}

// look looks at the value of a variable, or of an input field within.
func (s *lists) look(name string, value any, typ *ast.Type) {
	if s.err != nil {
		return
	}
	if items, ok := value.([]any); ok && typ.Elem != nil {
		s.err = inField(name, exceeded(len(items), s.limit, nil, "items in a list"))
		for _, item := range items {
			s.look(name, item, typ.Elem)
		}
		return
	}
	object, ok := value.(map[string]any)
	if def := s.schema.Types[typ.Name()]; ok && def != nil {
		for _, f := range def.Fields {
			s.look(f.Name, object[f.Name], f.Type)
		}
	}
}

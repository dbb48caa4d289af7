package render

import (
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"parley/delivery"
	"parley/eventlog"
)

// Plain tells of the schema's plain fields: what they show is part of the object they belong to, so there is nothing
// to resolve, to judge or to wait for. An event of which only such fields are selected is written at once. What
// comes out is what the executor would have made of it, byte by byte, at a fraction of the cost.
type Plain struct {
	// Roots are subscription fields by name: the object in an event, the zero Object where that is for the
	// resolver to judge.
	Roots map[string]func(delivery.Source) Object
	// Scalars and Objects are fields as "Type.field", of the value of an Object of that type. A scalar is appended
	// as JSON; the zero Object is null.
	Scalars map[string]func(dst []byte, of any) []byte
	Objects map[string]func(of any) Object
	// Bytes is how long data may become; longer is left to the executor, which has limits of its own.
	Bytes int
}

// Object is an object by its type's name in the schema. The value is a pointer.
type Object struct {
	Type  string
	Value any
}

// plain writes the events of an operation.
type plain struct {
	root   func(delivery.Source) Object
	prefix string // up to the root field's value
	of     selection
	bytes  int
}

// selection is the fields selected of each type that an object may have; types whose fields aren't all plain are
// missing.
type selection map[string][]plainField

type plainField struct {
	label    string // with a colon
	required bool
	// Exactly one of scalar and object is set.
	scalar func(dst []byte, of any) []byte
	object func(of any) Object
	of     selection
}

// compile returns what writes the events of an operation, nil where the executor has to.
func (p *Plain) compile(schema *ast.Schema, op *graphql.OperationContext, root graphql.CollectedField) *plain {
	value := p.Roots[root.Name]
	if value == nil {
		return nil
	}
	of := p.selection(schema, op, root)
	if len(of) == 0 {
		return nil
	}
	return &plain{root: value, prefix: `{"data":{` + label(root), of: of, bytes: p.Bytes}
}

func label(f graphql.CollectedField) string { return `"` + f.Alias + `":` }

// selection is what a field selects of the objects it may have.
func (p *Plain) selection(schema *ast.Schema, op *graphql.OperationContext, of graphql.CollectedField) selection {
	s := selection{}
	for _, possible := range schema.GetPossibleTypes(schema.Types[of.Definition.Type.Name()]) {
		if fields, ok := p.fields(schema, op, of, possible); ok {
			s[possible.Name] = fields
		}
	}
	return s
}

// fields are those selected of one type, false if not all are plain.
func (p *Plain) fields(schema *ast.Schema, op *graphql.OperationContext, of graphql.CollectedField, typ *ast.Definition) (fields []plainField, ok bool) {
	satisfies := []string{typ.Name}
	for _, general := range schema.GetImplements(typ) {
		satisfies = append(satisfies, general.Name)
	}
	for _, f := range graphql.CollectFields(op, of.Selections, satisfies) {
		name := typ.Name + "." + f.Name
		field := plainField{label: label(f), required: f.Definition.Type.NonNull, scalar: p.Scalars[name], object: p.Objects[name]}
		switch {
		case f.Name == "__typename":
			field.scalar = func(dst []byte, _ any) []byte { return append(dst, `"`+typ.Name+`"`...) }
		case field.object != nil:
			field.of = p.selection(schema, op, f)
		case field.scalar == nil:
			return nil, false
		}
		fields = append(fields, field)
	}
	return fields, len(fields) > 0
}

// render writes an event; false leaves it to the executor.
func (p *plain) render(source delivery.Source) (payload []byte, ok bool) {
	object := p.root(source)
	if object.Value == nil {
		return nil, false
	}
	payload = append(make([]byte, 0, 512), p.prefix...)
	if payload, ok = p.append(payload, object, p.of); !ok {
		return nil, false
	}
	return append(appendCursor(append(payload, '}'), source.Cursor), '}'), true
}

func (p *plain) append(dst []byte, object Object, of selection) (_ []byte, ok bool) {
	fields, ok := of[object.Type]
	if !ok {
		return nil, false
	}
	for i := range fields {
		f := &fields[i]
		if i == 0 {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		dst = append(dst, f.label...)
		if f.scalar != nil {
			dst = f.scalar(dst, object.Value)
		} else if inner := f.object(object.Value); inner.Value != nil {
			if dst, ok = p.append(dst, inner, f.of); !ok {
				return nil, false
			}
		} else if f.required {
			return nil, false
		} else {
			dst = append(dst, "null"...)
		}
		if len(dst) > p.bytes {
			return nil, false
		}
	}
	return append(dst, '}'), true
}

// appendCursor appends the cursor of a response as an extension; nothing for state.
func appendCursor(dst []byte, cursor eventlog.Cursor) []byte {
	if cursor.Kind == 0 {
		return dst
	}
	dst = append(dst, `,"extensions":{"cursor":"`...)
	return append(cursor.Append(dst), `"}`...)
}

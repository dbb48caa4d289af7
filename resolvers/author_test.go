package resolvers_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// author writes random subscriptions, valid by the schema: fragments, inline fragments, aliases,
// arguments, variables, @skip and @include, five levels deep at most.
type author struct {
	*rand.Rand
	schema  *ast.Schema
	room    string
	cursors []string
	// personal says which of the fields that depend on the viewer may be selected.
	personal func(field string) bool

	names     int
	budget    int // fields
	variables []variable
	fragments []fragment
	// used counts what there is beside fields, by name.
	used map[string]int
}

// constructs are what an author uses of the language beside fields.
var constructs = []string{
	"alias", "@skip", "@include", "condition by variable", "argument", "argument by variable", "default of a variable",
	"fragment", "fragment used again", "fragment on Subscription", "inline fragment", "inline fragment on Subscription",
	"inline fragment on a type", "inline fragment on an interface",
}

func (a *author) uses(construct string) { a.used[construct]++ }

type variable struct {
	name, kind string // kind as declared
	preset     string // a default, "" for none
	value      any    // nil for not given
}

type fragment struct {
	name, on, text string
}

const deepest = 5

func (a *author) chance(percent int) bool { return a.IntN(100) < percent }

func (a *author) name(prefix string) string {
	a.names++
	return fmt.Sprint(prefix, a.names)
}

// subscription returns a document with one operation and its variables.
func (a *author) subscription() request {
	a.budget = 40
	if a.used == nil {
		a.used = map[string]int{}
	}
	name := []string{"messageAdded", "messageAdded", "roomEvents", "roomEvents", "roomEvents", "typing", "presence"}[a.IntN(7)]
	root := a.schema.Subscription.Fields.ForName(name)
	text := a.alias(name) + a.rootArguments(root) + " " + a.selections(a.schema.Types[root.Type.Name()], 1)
	switch a.IntN(4) {
	case 0:
		a.uses("inline fragment on Subscription")
		text = "... on Subscription { " + text + " }"
	case 1:
		a.uses("fragment on Subscription")
		text = "..." + a.fragment("Subscription", "{ "+text+" }")
	}
	query := "subscription S" + a.declarations() + " { " + text + " }"
	for _, f := range a.fragments {
		query += "\nfragment " + f.name + " on " + f.on + " " + f.text
	}
	values := map[string]any{}
	for _, v := range a.variables {
		if v.value != nil {
			values[v.name] = v.value
		}
	}
	return request{query: query, variables: values}
}

func (a *author) alias(field string) string {
	if a.chance(25) {
		a.uses("alias")
		return a.name("a") + ": " + field
	}
	return field
}

func (a *author) rootArguments(root *ast.FieldDefinition) string {
	if root.Name == "presence" && a.chance(40) {
		return "(userIds: " + a.variable("[ID!]", everybody[a.IntN(len(everybody)):]) + ")"
	}
	room := `"` + a.room + `"`
	if a.chance(50) {
		room = a.variable("ID!", a.room)
	}
	if root.Arguments.ForName("after") == nil {
		return "(roomId: " + room + ")"
	}
	switch a.IntN(4) {
	case 0:
		return "(roomId: " + room + ", after: " + a.variable("Cursor", a.cursor()) + ")"
	case 1:
		return "(roomId: " + room + `, after: "` + a.cursor() + `")`
	case 2:
		return "(after: null, roomId: " + room + ")"
	}
	return "(roomId: " + room + ")"
}

func (a *author) cursor() string { return a.cursors[a.IntN(len(a.cursors))] }

// variable returns a use of a variable that has this value, or a default that is the same.
func (a *author) variable(kind string, value any) string {
	for _, v := range a.variables {
		if v.kind == kind && kind == "Cursor" && a.chance(50) {
			return "$" + v.name
		}
	}
	v := variable{name: a.name("v"), kind: kind, value: value}
	if a.chance(20) {
		a.uses("default of a variable")
		preset, _ := json.Marshal(value)
		v.preset, v.value = string(preset), nil
	}
	a.variables = append(a.variables, v)
	return "$" + v.name
}

func (a *author) declarations() string {
	if len(a.variables) == 0 {
		return ""
	}
	var all []string
	for _, v := range a.variables {
		declared := "$" + v.name + ": " + v.kind
		if v.preset != "" {
			declared += " = " + v.preset
		}
		all = append(all, declared)
	}
	return "(" + strings.Join(all, ", ") + ")"
}

func (a *author) fragment(on, text string) string {
	f := fragment{name: a.name("F"), on: on, text: text}
	a.fragments = append(a.fragments, f)
	return f.name
}

// selections returns a selection set on a type.
func (a *author) selections(on *ast.Definition, depth int) string {
	var parts []string
	for _, f := range a.choose(on, depth) {
		parts = append(parts, a.field(f, depth))
	}
	if on.IsAbstractType() {
		for _, t := range a.schema.GetPossibleTypes(on) {
			if a.chance(40) {
				a.uses("inline fragment on a type")
				parts = append(parts, "... on "+t.Name+a.condition()+" "+a.selections(t, depth))
			}
		}
	}
	for _, name := range on.Interfaces {
		if a.chance(15) {
			a.uses("inline fragment on an interface")
			common := []string{"__typename"}
			for _, f := range a.choose(a.schema.Types[name], depth) {
				common = append(common, a.field(f, depth))
			}
			parts = append(parts, "... on "+name+a.condition()+" { "+strings.Join(common, " ")+" }")
		}
	}
	if a.chance(15) {
		a.uses("inline fragment")
		parts = append(parts, "..."+a.condition()+" "+a.selections(on, depth))
	}
	if a.chance(15) {
		a.uses("fragment")
		parts = append(parts, "..."+a.fragment(on.Name, a.selections(on, depth))+a.condition())
	}
	if used := slices.IndexFunc(a.fragments, func(f fragment) bool { return f.on == on.Name && on.Name != "Subscription" }); used >= 0 && a.chance(30) {
		a.uses("fragment used again")
		parts = append(parts, "..."+a.fragments[used].name+a.condition())
	}
	if len(parts) == 0 || a.chance(20) {
		parts = append(parts, a.alias("__typename"))
	}
	a.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return "{ " + strings.Join(parts, " ") + " }"
}

// choose returns some of the fields of a type.
func (a *author) choose(on *ast.Definition, depth int) (chosen []*ast.FieldDefinition) {
	for _, f := range on.Fields {
		composite := a.schema.Types[f.Type.Name()].IsCompositeType()
		switch {
		case strings.HasPrefix(f.Name, "__"), personal[f.Name] && !a.personal(f.Name), composite && depth >= deepest, a.budget <= 0:
		case a.chance(35) || personal[f.Name] && a.chance(50):
			a.budget--
			chosen = append(chosen, f)
		}
	}
	return chosen
}

// personal are the fields marked @viewer in the schema as it is, and ought to be.
var personal = map[string]bool{
	"messages": true, "members": true, "typing": true, "viewerMembership": true, "viewerUnreadCount": true, "replyTo": true,
}

func (a *author) field(f *ast.FieldDefinition, depth int) string {
	text := f.Name
	if arguments := a.arguments(f); arguments != "" {
		text = a.name("a") + ": " + text + arguments // fields of one name merge only with equal arguments
	} else {
		text = a.alias(text)
	}
	text += a.condition()
	if t := a.schema.Types[f.Type.Name()]; t.IsCompositeType() {
		text += " " + a.selections(t, depth+1)
	}
	return text
}

func (a *author) arguments(f *ast.FieldDefinition) string {
	var all []string
	for _, arg := range f.Arguments {
		if !a.chance(30) {
			continue
		}
		value := ""
		switch arg.Type.NamedType {
		case "Int":
			value = fmt.Sprint(a.IntN(6))
			if a.chance(50) {
				a.uses("argument by variable")
				value = a.variable("Int", a.IntN(6))
			}
		case "Cursor":
			value = `""`
			if a.chance(70) {
				value = a.variable("Cursor", a.cursor())
			}
		}
		a.uses("argument")
		all = append(all, arg.Name+": "+value)
	}
	if len(all) == 0 {
		return ""
	}
	return "(" + strings.Join(all, ", ") + ")"
}

// condition returns @skip and @include, or nothing.
func (a *author) condition() (text string) {
	for _, directive := range []string{"@skip", "@include"} {
		if !a.chance(12) {
			continue
		}
		a.uses(directive)
		value := fmt.Sprint(a.chance(50))
		if a.chance(60) {
			a.uses("condition by variable")
			value = a.variable("Boolean!", a.chance(50))
		}
		text += " " + directive + "(if: " + value + ")"
	}
	return text
}

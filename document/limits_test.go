package document

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

func codeOf(err *gqlerror.Error) string {
	if err == nil {
		return ""
	}
	code, _ := err.Extensions["code"].(string)
	return code
}

// TestTextLimits: each limit lets its number pass, and no more.
func TestTextLimits(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("{ a ", n) + strings.Repeat("} ", n) }
	for _, test := range []struct {
		name  string
		limit Limits
		// text goes beyond the limit by n - 3.
		text func(n int) string
	}{
		{"bytes", Limits{Bytes: 10}, func(n int) string { return "{ a }" + strings.Repeat(" ", n+2) }},
		{"tokens", Limits{Tokens: 6}, func(n int) string { return "{ " + strings.Repeat("a ", n) + "b }" }},
		{"operations", Limits{Operations: 3}, func(n int) string { return repeat(n, "query Q%d { a } ") }},
		{"fragments", Limits{Fragments: 3}, func(n int) string { return "{ a }" + fragments(n, "id") }},
		{"depth", Limits{Depth: 3}, nested},
		{"depth in fragments", Limits{Depth: 6}, func(n int) string { return "{ a { b { ...F0 } c } }" + chain(3, "x { y "+nested(n-1)+" }") }},
		{"depth of a list", Limits{Depth: 3}, func(n int) string { return "{ a(b: " + strings.Repeat("[", n) + strings.Repeat("]", n) + ") }" }},
		{"depth of a default", Limits{Depth: 3}, func(n int) string {
			return "query($v: X = " + strings.Repeat("{x: ", n) + "1" + strings.Repeat("}", n) + ") { a }"
		}},
		{"fields", Limits{Fields: 3}, func(n int) string { return "{ " + strings.Repeat("a ", n) + "}" }},
		{"fields in fragments", Limits{Fields: 11}, func(n int) string {
			return "{ a { ...F0 } b { ...F0 } }" + chain(0, strings.Repeat("x ", n)) + ` query Q { c }`
		}},
		{"fields of one of two", Limits{Fields: 3}, func(n int) string { return "query A { a } query B { " + strings.Repeat("a ", n) + "}" }},
		{"fields of a fragment that nobody spreads", Limits{Fields: 3}, func(n int) string { return "{ a }" + fragments(1, strings.Repeat("a ", n)) }},
		{"root fields", Limits{RootFields: 3}, func(n int) string { return "{ " + repeat(n, "a%d ") + "}" }},
		{"root fields in fragments", Limits{RootFields: 5}, func(n int) string { return "{ a ...F b } fragment F on Query { a " + repeat(n, "c%d ") + "}" }},
		{"aliases", Limits{Aliases: 3}, func(n int) string { return "{ a b " + repeat(n, "a%d: a ") + "}" }},
		{"aliases in fragments", Limits{Aliases: 6}, func(n int) string { return "{ a { ...F0 } b { ...F0 } }" + chain(0, repeat(n, "a%d: a ")) }},
		{"repeats", Limits{Repeats: 3}, func(n int) string { return "{ " + strings.Repeat("a ", n) + "}" }},
		{"repeats of an alias", Limits{Repeats: 3}, func(n int) string { return "{ " + strings.Repeat("a: b ", n) + "}" }},
		{"repeats in selections of one name", Limits{Repeats: 3}, func(n int) string { return "{ a { x } a { y { z } } a { y { " + strings.Repeat("z ", n-1) + "} } }" }},
		{"repeats in fragments", Limits{Repeats: 3}, func(n int) string {
			return "{ a { ...F ...F ...G } } fragment F on X { z } fragment G on X { " + strings.Repeat("z ", n-1) + "}"
		}},
		{"repeats on several types", Limits{Repeats: 3}, func(n int) string { return "{ a { " + repeat(n, "... on T%d { id } ") + "} }" }},
		{"repeats in a fragment that nobody spreads", Limits{Repeats: 3}, func(n int) string { return "{ a }" + fragments(1, strings.Repeat("a ", n)) }},
		{"pairs", Limits{Repeats: 6}, func(n int) string { // 15 pairs each, 144 in all
			return repeat(9, "query Q%d { "+strings.Repeat("a ", 6)+"} ") + "{ " + strings.Repeat("b ", n+1) + strings.Repeat("c ", n-1) + strings.Repeat("d ", 2) + "}"
		}},
		{"spreads", Limits{Repeats: 3}, func(n int) string { return "{ a { " + strings.Repeat("...F ", n) + "} } fragment F on X { id }" }},
		{"directives", Limits{Directives: 3}, func(n int) string { return "{ a " + strings.Repeat("@x ", n) + "}" }},
		{"directives everywhere", Limits{Directives: 9}, func(n int) string {
			return "query($v: X @x) @x { ... @x { a } ...F @x } fragment F on X @x { a @x " + strings.Repeat("b @x ", n) + "}"
		}},
		{"inline fragments", Limits{Depth: 5}, func(n int) string {
			return "{ a " + strings.Repeat("{ ... ", n) + "{ b } " + strings.Repeat("} ", n) + "}"
		}},
		{"items", Limits{List: 3}, func(n int) string { return "{ a(b: [" + strings.Repeat("1 ", n) + "]) }" }},
		{"fields of an object", Limits{List: 3}, func(n int) string { return "{ a(b: {c: {" + repeat(n, "a%d: 1 ") + "}}) }" }},
		{"arguments", Limits{Arguments: 3}, func(n int) string { return "{ a(" + repeat(n, "a%d: 1 ") + ") }" }},
		{"arguments of a directive", Limits{Arguments: 3}, func(n int) string { return "{ a @x(" + repeat(n, "a%d: 1 ") + ") }" }},
		{"variables", Limits{Variables: 3}, func(n int) string { return "query(" + repeat(n, "$v%d: X ") + ") { a }" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.limit.text(test.text(3)); err != nil {
				t.Errorf("within: %v", err)
			}
			err := test.limit.text(test.text(4))
			if codeOf(err) != codeLimitExceeded || !strings.Contains(err.Message, "at most ") {
				t.Errorf("beyond: %v", err)
			}
		})
	}
}

func TestCircles(t *testing.T) {
	l := defaults(t)
	for _, query := range []string{
		`{ viewer { ...F0 } } fragment F0 on User { ...F0 }`,
		`{ viewer { ...F0 } } fragment F0 on User { a { ...F1 } } fragment F1 on User { ... { ...F0 } }`,
		`{ viewer { id } } fragment F0 on User { ...F1 } fragment F1 on User { ...F0 }`,
	} {
		if err := l.text(query); codeOf(err) != codeBadInput {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestFragmentsOfOneName: the validator looks into each of them, so none may go unmeasured.
func TestFragmentsOfOneName(t *testing.T) {
	l := defaults(t)
	const first, second = "{ ...F } fragment F on Query { __typename }", " fragment F on Query { __typename }"
	if err := l.text(first); err != nil {
		t.Errorf("one: %v", err)
	}
	if err := l.text(first + second); codeOf(err) != codeBadInput {
		t.Errorf("two: %v", err)
	}
}

// TestBombsTakeNoTime: fragments that double each other are measured once each.
func TestBombsTakeNoTime(t *testing.T) {
	bomb := "{ viewer { ...F0 } }"
	for i := range 45 {
		bomb += fmt.Sprintf(" fragment F%d on User { ...F%d ...F%[2]d }", i, i+1)
	}
	l := defaults(t)
	if err := l.text(bomb + " fragment F45 on User { id }"); codeOf(err) != codeLimitExceeded {
		t.Errorf("got %v", err)
	}
}

func TestVariables(t *testing.T) {
	l := Limits{VariableValues: 4, Depth: 2}
	for name, test := range map[string]struct {
		given  map[string]any
		beyond bool
	}{
		"nothing":         {nil, false},
		"values":          {map[string]any{"a": 1, "b": []any{1, 2}}, false},
		"too many values": {map[string]any{"a": 1, "b": []any{1, 2, 3}}, true},
		"depth":           {map[string]any{"a": map[string]any{"b": []any{1}}}, false},
		"too deep":        {map[string]any{"a": map[string]any{"b": []any{[]any{}}}}, true},
	} {
		if err := l.variables(test.given); (codeOf(err) == codeLimitExceeded) != test.beyond {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// prepared is an operation as the executor prepares it.
func prepared(t *testing.T, schema *ast.Schema, query string, variables map[string]any) *graphql.OperationContext {
	t.Helper()
	doc, err := parser.ParseQuery(&ast.Source{Input: query})
	if err != nil {
		t.Fatal(err)
	}
	if errs := validator.ValidateWithRules(schema, doc, Rules(true)); len(errs) > 0 {
		t.Fatal(errs)
	}
	op := doc.Operations[0]
	coerced, err := validator.VariableValues(schema, op, variables)
	if err != nil {
		t.Fatal(err)
	}
	return &graphql.OperationContext{Doc: doc, Operation: op, Variables: coerced, RawQuery: query}
}

func TestComplexity(t *testing.T) {
	schema := loadSchema(t)
	for name, test := range map[string]struct {
		query     string
		variables map[string]any
		want      int
	}{
		"fields":                     {`{ viewer { id name } }`, nil, 3},
		"a page":                     {`{ rooms(first: 20) { edges { node { id name } } } }`, nil, 62},
		"a page and what is beside":  {`{ rooms(first: 20) { edges { node { id name } } pageInfo { endCursor } } }`, nil, 64},
		"the last ones":              {`{ room(id: "r") { messages(last: 10) { edges { cursor } } } }`, nil, 1 + 1 + 1 + 10},
		"a page of no said size":     {`{ rooms { edges { node { id } } } }`, nil, 1 + 1 + 50*2},
		"a page beyond pages":        {`{ rooms(first: 2000000) { edges { node { id } } } }`, nil, 1 + 1 + 100*2},
		"fewer than none":            {`{ rooms(first: -5) { edges { node { id } } } }`, nil, 1 + 1 + 50*2},
		"a size by variable":         {`query($n: Int) { rooms(first: $n) { edges { node { id } } } }`, map[string]any{"n": 7}, 1 + 1 + 7*2},
		"a size by no variable":      {`query($n: Int) { rooms(first: $n) { edges { node { id } } } }`, nil, 1 + 1 + 50*2},
		"a size by default":          {`query($n: Int = 8) { rooms(first: $n) { edges { node { id } } } }`, nil, 1 + 1 + 8*2},
		"pages within pages":         {`{ rooms(first: 10) { edges { node { messages(first: 10) { edges { cursor } } } } } }`, nil, 1 + 1 + 10*(1+1+1+10)},
		"ids":                        {`{ nodes(ids: ["a", "b"]) { id } }`, nil, 1 + 2},
		"ids by variable":            {`query($ids: [ID!]!) { presence(userIds: $ids) { user { id } } }`, map[string]any{"ids": []any{"a", "b", "c"}}, 1 + 3*2},
		"one id for a list":          {`{ nodes(ids: "a") { id } }`, nil, 1 + 1},
		"a list of unknown length":   {`{ room(id: "r") { typing { id } } }`, nil, 1 + 1 + 20},
		"one type of several":        {`{ node(id: "r") { id ... on Room { topic memberCount } ... on User { avatarUrl } } }`, nil, 1 + 1 + 2},
		"several parts of one type":  {`{ node(id: "r") { ... on Room { name } ...F } } fragment F on Room { topic id }`, nil, 1 + 3},
		"a type and an interface":    {`{ node(id: "r") { ... on Room { name } ... on Node { id } } }`, nil, 1 + 2},
		"a fragment twice":           {`{ viewer { ...F ...F } } fragment F on User { id }`, nil, 3},
		"a fragment on a connection": {`{ a: rooms(first: 1) { ...F } b: rooms(first: 10) { ...F } } fragment F on RoomConnection { edges { cursor } }`, nil, 1 + 1 + 1 + 1 + 1 + 10},
		"events of a page":           {`{ roomEvents(roomId: "r", first: 5) { events { at } cursor } }`, nil, 1 + 1 + 5 + 1},
		"a subscription":             {`subscription { messageAdded(roomId: "r") { id room { name } } }`, nil, 4},
		"skipped":                    {`{ viewer { id @skip(if: true) } }`, nil, 2},
		"the schema":                 {`{ __schema { types { fields { name } } } }`, nil, 4},
	} {
		t.Run(name, func(t *testing.T) {
			if got := complexity(schema, prepared(t, schema, test.query, test.variables)); got != test.want {
				t.Errorf("got %d instead of %d", got, test.want)
			}
		})
	}
}

func TestComplexityDoesNotOverflow(t *testing.T) {
	schema := loadSchema(t)
	deep := strings.Repeat("room { messages(first: 100) { edges { node { ", 20) + "id" + strings.Repeat(" } } } }", 20)
	if got := complexity(schema, prepared(t, schema, `{ message(id: "m") { `+deep+` } }`, nil)); got < 1<<30 {
		t.Errorf("got %d", got)
	}
}

func TestLists(t *testing.T) {
	schema, l := loadSchema(t), Limits{List: 2}
	for name, test := range map[string]struct {
		query     string
		variables map[string]any
		want      string
	}{
		"given":               {`query($x: [ID!]!) { nodes(ids: $x) { id } }`, map[string]any{"x": []any{"a", "b"}}, ""},
		"too long, given":     {`query($x: [ID!]!) { nodes(ids: $x) { id } }`, map[string]any{"x": []any{"a", "b", "c"}}, "x"},
		"too long by default": {`query($x: [ID!]! = ["a", "b", "c"]) { nodes(ids: $x) { id } }`, nil, "x"},
		"a scalar's own":      {`mutation($m: JSON) { createRoom(input: {metadata: $m}) { room { id } } }`, map[string]any{"m": []any{1, 2, 3}}, ""},
		"within an input":     {`mutation($i: CreateRoomInput!) { createRoom(input: $i) { room { id } } }`, map[string]any{"i": map[string]any{"metadata": []any{1, 2, 3}}}, ""},
	} {
		err := l.lists(schema, prepared(t, schema, test.query, test.variables))
		if field := fmt.Sprint(orNothing(err)["field"]); (test.want == "") != (err == nil) || err != nil && field != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func orNothing(err *gqlerror.Error) map[string]any {
	if err == nil {
		return nil
	}
	return err.Extensions
}

// TestGateJudgesComplexity: of queries, of each event, and of each event for everyone.
func TestGateJudgesComplexity(t *testing.T) {
	schema := loadSchema(t)
	query := prepared(t, schema, `{ viewer { id } }`, nil)
	subscription := prepared(t, schema, `subscription { messageAdded(roomId: "r") { id } }`, nil)
	gate := func(l Limits) *Gate { return NewGate(schema, l, NewCache(1, 1), nil) }
	for _, test := range []struct {
		limits Limits
		op     *graphql.OperationContext
		want   string
	}{
		{Limits{Complexity: 2, EventComplexity: 1}, query, ""},
		{Limits{Complexity: 1}, query, codeLimitExceeded},
		{Limits{Complexity: 1, EventComplexity: 2}, subscription, ""},
		{Limits{EventComplexity: 1}, subscription, codeLimitExceeded},
	} {
		if err := gate(test.limits).MutateOperationContext(context.Background(), test.op); codeOf(err) != test.want {
			t.Errorf("%+v: %v", test.limits, err)
		}
	}
	within, beyond := gate(Limits{AudienceCost: 20}).Afford(subscription, 10), gate(Limits{AudienceCost: 19}).Afford(subscription, 10)
	if within != nil || beyond == nil {
		t.Errorf("within: %v, beyond: %v", within, beyond)
	}
}

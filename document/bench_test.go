package document

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

// ordinary is what a chat page asks when a room is opened.
const ordinary = `query Room($id: ID!) { room(id: $id) { ...Details viewerUnreadCount members(first: 10) { edges { node { ...Person } } }
	messages(last: 20) { cursor edges { cursor node { id seq content createdAt sender { id name } replyTo { id content } } } pageInfo { hasPreviousPage startCursor } } } }
	fragment Details on Room { id name type topic memberCount } fragment Person on RoomMember { id role user { id name avatarUrl } }`

// repeat is a format n times, each time with its number.
func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// fragments are n on User, of one body.
func fragments(n int, body string) string {
	return repeat(n, " fragment F%d on User { "+strings.ReplaceAll(body, "%", "%%")+" }")
}

// chain is fragments that spread each the next, the last of them the one with the body.
func chain(n int, body string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on User { ...F%d }", i, i+1)
	}
	return b.String() + fmt.Sprintf(" fragment F%d on User { %s }", n, body)
}

// worst are documents of a size that are dear to validate for it.
var worst = []struct {
	name string
	text func(size int) string
}{
	{"one field again and again", func(n int) string { return `{ viewer { ` + strings.Repeat("id ", n) + `} }` }},
	{"one selection again and again", func(n int) string {
		return `{ ` + strings.Repeat("viewer { "+strings.Repeat("id ", 19)+"} ", n/20) + `}`
	}},
	{"selections within selections", func(n int) string {
		inner := strings.Repeat("room { messages { "+strings.Repeat("edges { node { id } } ", 5)+"} } ", 5)
		return `{ nodes(ids: []) { ... on Message { ` + strings.Repeat(inner, n/75) + `} } }`
	}},
	{"one field in many fragments", func(n int) string {
		return `{ viewer { ` + repeat(49, "...F%d ") + `} }` + fragments(49, strings.Repeat("id ", n/49))
	}},
	{"a chain of fragments to a fat one", func(n int) string { return `{ viewer { ...F0 } }` + chain(48, repeat(n, "a%d: id ")) }},
	{"a chain of fragments to a fat one without aliases", func(n int) string {
		return `{ viewer { ...F0 } }` + chain(48, strings.Repeat("id name avatarUrl ", n/3))
	}},
	{"many operations with a fat fragment", func(n int) string {
		return repeat(49, "query Q%d { viewer { ...F0 } } ") + fragments(1, strings.Repeat("id name ", n/2))
	}},
	{"many operations with repeats", func(n int) string {
		return repeat(n, "query Q%d { viewer { "+strings.Repeat("id name ", 50)+"} } ")
	}},
	{"one fragment again and again", func(n int) string { return `{ viewer { ` + strings.Repeat("...F0 ", n) + `} }` + fragments(1, "id") }},
	{"many fragments again and again", func(n int) string {
		return `{ viewer { ` + strings.Repeat(repeat(49, "...F%d "), n/49) + `} }` + fragments(49, "id")
	}},
	{"fields that aren't there", func(n int) string { return `{ viewer { ` + repeat(n, "x%d ") + `} }` }},
	{"aliases", func(n int) string { return `{ viewer { ` + repeat(n, "x%d: id ") + `} }` }},
	{"directives", func(n int) string { return `{ viewer { id ` + strings.Repeat("@skip(if: true) ", n) + `} }` }},
	{"arguments", func(n int) string { return `{ viewer(` + repeat(n, "a%d: 1 ") + `) { id } }` }},
	{"variables", func(n int) string {
		return `query(` + repeat(n, "$v%d: ID ") + `) { ` + repeat(n, "r%[1]d: room(id: $v%[1]d) { id } ") + `}`
	}},
	{"a list", func(n int) string { return `{ nodes(ids: [` + strings.Repeat(`"x" `, n) + `]) { id } }` }},
	{"input fields", func(n int) string {
		return `mutation { sendMessage(input: {` + repeat(n, "a%d: 1 ") + `}) { message { id } } }`
	}},
	{"one input field again and again", func(n int) string {
		return `mutation { sendMessage(input: {` + strings.Repeat("a: 1 ", n) + `}) { message { id } } }`
	}},
	{"inline fragments within each other", func(n int) string {
		return `{ viewer ` + strings.Repeat("{ ... ", n) + `{ id } ` + strings.Repeat("} ", n) + `}`
	}},
	{"inline fragments beside each other", func(n int) string { return `{ nodes(ids: []) { ` + strings.Repeat("... on Room { id } ", n) + `} }` }},
	{"fields within each other", func(n int) string { return strings.Repeat("{ room ", n) + strings.Repeat("} ", n) }},
	{"unknown types", func(n int) string { return `{ viewer { ` + repeat(n, "... on T%d { id } ") + `} }` }},
}

// check is what a document costs before anybody is asked who they are.
func check(schema *ast.Schema, l *Limits, query string) (passed bool) {
	if l.text(query) != nil {
		return false
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, l.Tokens)
	if err != nil {
		return false
	}
	validator.ValidateWithRules(schema, doc, Rules(false))
	return true
}

// largest is the largest document of a kind that is let through to the validator.
func largest(l *Limits, text func(int) string) string {
	within, beyond := 1, 6000
	for within+1 < beyond {
		if n := (within + beyond) / 2; l.text(text(n)) == nil && parses(text(n), l.Tokens) {
			within = n
		} else {
			beyond = n
		}
	}
	return text(within)
}

func parses(query string, tokens int) bool {
	_, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, tokens)
	return err == nil
}

// BenchmarkCheck: parsing, measuring and validating what a page asks, and the dearest documents that
// pass the default limits.
func BenchmarkCheck(b *testing.B) {
	schema, l := loadSchema(b), defaults(b)
	b.Run("ordinary", func(b *testing.B) {
		for b.Loop() {
			check(schema, &l, ordinary)
		}
	})
	for _, w := range worst {
		query := largest(&l, w.text)
		b.Run(strings.ReplaceAll(w.name, " ", "-"), func(b *testing.B) {
			for b.Loop() {
				check(schema, &l, query)
			}
		})
	}
}

// TestWorstDocuments: the dearest documents cost some times an ordinary one, not thousands of times.
func TestWorstDocuments(t *testing.T) {
	schema, l := loadSchema(t), defaults(t)
	cost := func(query string) time.Duration { // the least of some: others use the machine too
		least := time.Hour
		for range 10 {
			begin := time.Now()
			check(schema, &l, query)
			least = min(least, time.Since(begin))
		}
		return least
	}
	base := cost(ordinary)
	for _, w := range worst {
		query := largest(&l, w.text)
		dear := cost(query)
		t.Logf("%-50s %6d bytes %8.2f ms, %5.1f times an ordinary document", w.name, len(query), float64(dear.Microseconds())/1000, float64(dear)/float64(base))
		if dear > 100*base {
			t.Errorf("%s: %v, an ordinary document takes %v", w.name, dear, base)
		}
	}
}

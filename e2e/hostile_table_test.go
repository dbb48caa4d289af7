package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"

	"parley/e2e/parleytest"
)

// hostileCase is a row of the table: attempts of one kind, and the words expected of the routes; ""
// where the route can't carry them.
type hostileCase struct {
	name     string
	attempts []attempt
	// want has POST, GET, WebSocket, SSE by POST, and SSE by GET; of a multipart response is expected what is
	// of SSE by POST, and of the legacy subprotocol what is of the other.
	want [5]string
	// field is what extensions.field must name; "" for not checked.
	field string
	// alike: the answers must not tell the attempts from each other.
	alike bool
}

// ask is a case of one operation of a user's.
func ask(name string, as *parleytest.Client, op parleytest.Operation) hostileCase {
	body, err := json.Marshal(op)
	if err != nil {
		panic(err) // a test's operation always marshals
	}
	values := url.Values{"query": {op.Query}}
	if op.OperationName != "" {
		values.Set("operationName", op.OperationName)
	}
	for name, object := range map[string]map[string]any{"variables": op.Variables, "extensions": op.Extensions} {
		if object != nil {
			text, _ := json.Marshal(object) // it has been marshalled once
			values.Set(name, string(text))
		}
	}
	return hostileCase{name: name, attempts: []attempt{{body: string(body), query: values.Encode(), token: as.Token}}}
}

// askEach is ask with each value of a variable.
func askEach(name string, as *parleytest.Client, query, variable string, values ...any) hostileCase {
	c := hostileCase{name: name}
	for _, value := range values {
		c.attempts = append(c.attempts, ask(name, as, parleytest.Operation{Query: query, Variables: map[string]any{variable: value}}).attempts...)
	}
	return c
}

// refused: the operation isn't executed.
func (c hostileCase) refused(code string) hostileCase {
	c.want = [5]string{"400 " + code, "400 " + code, code, code, code}
	return c
}

// answered: a query is executed, with this word as its result.
func (c hostileCase) answered(word string) hostileCase {
	c.want = [5]string{"200 " + word, "200 " + word, word, word, word}
	return c
}

// mutated: a mutation is executed, but never by GET.
func (c hostileCase) mutated(word string) hostileCase {
	c.want = [5]string{"200 " + word, "405 BAD_INPUT", word, word, "405 BAD_INPUT"}
	return c
}

// followed: a subscription, which plain POST and GET don't serve, begins with this word.
func (c hostileCase) followed(word string) hostileCase {
	c.want = [5]string{"406 BAD_INPUT", "406 BAD_INPUT", word, word, word}
	return c
}

// in names the input at fault.
func (c hostileCase) in(field string) hostileCase {
	c.field = field
	return c
}

// table collects what was seen.
type table struct {
	text strings.Builder
	rows *tabwriter.Writer
}

func newTable(columns ...string) *table {
	t := &table{}
	t.rows = tabwriter.NewWriter(&t.text, 0, 0, 1, ' ', tabwriter.Debug)
	t.row(columns...)
	return t
}

func (t *table) row(cells ...string) { fmt.Fprintln(t.rows, " "+strings.Join(cells, "\t ")) }

// String is the table so far.
func (t *table) String() string {
	_ = t.rows.Flush() // a strings.Builder takes everything
	return "\n" + t.text.String()
}

// runCases makes each attempt by each route, compares, and prints the table.
func runCases(t *testing.T, node *parleytest.Node, cases []hostileCase) {
	t.Helper()
	rows, requests := answers(t, node, cases)
	seen := newTable(append([]string{"case"}, routeNames()...)...)
	for i, cells := range rows {
		seen.row(append([]string{cases[i].name}, cells...)...)
	}
	t.Logf("%d cases, %d requests%s", len(cases), requests, seen)
}

// answers makes each attempt by each route and compares. It returns the words seen, a row for each
// case, and how many requests that took.
func answers(t *testing.T, node *parleytest.Node, cases []hostileCase) (rows [][]string, requests int64) {
	t.Helper()
	cells := make([]string, len(cases)*len(routes))
	var made atomic.Int64
	crowd(len(cells), func(i int) {
		c, r := cases[i/len(routes)], routes[i%len(routes)]
		if cells[i] = uncarried; c.want[r.want] != "" {
			cells[i] = c.run(t, node, r, c.want[r.want])
			made.Add(int64(len(c.attempts)))
		}
	})
	return slices.Collect(slices.Chunk(cells, len(routes))), made.Load()
}

// uncarried stands where a route can't carry what is asked.
const uncarried = "–"

// run makes the attempts by one route, and returns the words seen.
func (c hostileCase) run(t *testing.T, node *parleytest.Node, r route, want string) string {
	t.Helper()
	var words, bodies []string
	for i, a := range c.attempts {
		got := r.send(t.Context(), node, a)
		c.check(t, fmt.Sprintf("%s (%d) by %s", c.name, i, r.name), want, got)
		words, bodies = append(words, got.word), append(bodies, got.body)
	}
	if c.alike && len(slices.Compact(slices.Clone(bodies))) > 1 {
		t.Errorf("%s by %s: the answers differ: %.900q", c.name, r.name, slices.Compact(bodies))
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), ", ")
}

// check compares one outcome. Errors must say something, and nothing internal.
func (c hostileCase) check(t *testing.T, which, want string, got outcome) {
	t.Helper()
	if got.word != want {
		t.Errorf("%s: %q instead of %q: %.300s", which, got.word, want, got.body)
	}
	if refused := strings.HasPrefix(got.word, "429") || strings.HasPrefix(got.word, "503"); refused != (got.comeBack != "") {
		t.Errorf("%s: %s with Retry-After %q", which, got.word, got.comeBack)
	}
	for _, e := range got.result.Errors {
		if e.Message == "" || !errorCodes[e.Extensions.Code] {
			t.Errorf("%s: an error with the code %q says %q", which, e.Extensions.Code, e.Message)
		}
		if limited := e.Extensions.Code == "RATE_LIMITED"; limited != (e.Extensions.RetryAfter > 0) {
			t.Errorf("%s: %s says to come back in %v s", which, e.Extensions.Code, e.Extensions.RetryAfter)
		}
		for _, internal := range []string{"sql", "redis", "goroutine", ".go:", "runtime", "json:", "Did you mean"} {
			if strings.Contains(e.Message, internal) {
				t.Errorf("%s: the message speaks of %s: %q", which, internal, e.Message)
			}
		}
	}
	executed := !strings.HasPrefix(want, "4")
	if executed && len(got.result.Errors) > 0 && c.field != "" && got.result.Errors[0].Extensions.Field != c.field {
		t.Errorf("%s: the field %q instead of %q", which, got.result.Errors[0].Extensions.Field, c.field)
	}
}

// errorCodes are those of the schema that bad input may meet.
var errorCodes = map[string]bool{
	"UNAUTHENTICATED": true, "FORBIDDEN": true, "NOT_FOUND": true, "BAD_INPUT": true, "CONFLICT": true,
	"RATE_LIMITED": true, "LIMIT_EXCEEDED": true, "HISTORY_LOST": true, "UNAVAILABLE": true,
}

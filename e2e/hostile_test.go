package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/e2e/parleytest"
	"parley/store/redis/redistest"
)

// The hostile suite sends every kind of bad input over every transport. Each must be answered by its
// one clear code, and leave nothing behind. Servers run as in production, with a secret, so that
// nothing that development allows hides a hole.

// hostileSecret is what the servers' tokens are signed with.
const hostileSecret = "a secret of the tests, long enough"

// whispered is part of every content that the tests send; no log line may show it.
const whispered = "just between us"

// hostileEngines are the settings of each engine.
func hostileEngines(t *testing.T) map[string]map[string]string {
	return map[string]map[string]string{
		"SQLite": {},
		"Redis":  {"PARLEY_REDIS_URL": redistest.Start(t).URL},
	}
}

// startHostile starts a server with a secret.
func startHostile(t *testing.T, settings map[string]string) *parleytest.Node {
	t.Helper()
	all := map[string]string{"PARLEY_AUTH_SECRET": hostileSecret, "PARLEY_LOG_LEVEL": "DEBUG"}
	for name, value := range settings {
		all[name] = value
	}
	node := parleytest.Start(t, all)
	t.Cleanup(func() { checkLog(t, node) })
	return node
}

// checkLog looks for faults, and for what should have stayed between client and server.
func checkLog(t *testing.T, node *parleytest.Node) {
	for line := range strings.Lines(node.Log()) {
		for _, bad := range []string{"level=ERROR", "panic", "eyJ", hostileSecret, whispered} {
			if strings.Contains(line, bad) {
				t.Errorf("the server logged %s: %.500s", bad, line)
				return
			}
		}
	}
}

// signed signs a token; key is []byte, or what the method demands.
func signed(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func tokenOf(t testing.TB, user string) string {
	t.Helper()
	return signed(t, jwt.SigningMethodHS256, []byte(hostileSecret), claimsOf(user))
}

func claimsOf(user string) jwt.MapClaims {
	return jwt.MapClaims{"sub": user, "name": user, "exp": time.Now().Add(time.Hour).Unix()}
}

// person returns a client of a server with a secret.
func person(t testing.TB, node *parleytest.Node, user string) *parleytest.Client {
	t.Helper()
	return &parleytest.Client{URL: node.URL, User: user, Token: tokenOf(t, user), HTTP: http.DefaultClient}
}

// hostileCase is a row of the table: an attempt, and the word expected of each route; "" where the
// route can't carry it.
type hostileCase struct {
	name string
	attempt
	want [5]string
	// field is what extensions.field must name; "" for not checked.
	field string
}

// ask is a case made of an operation of a user's.
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
	return hostileCase{name: name, attempt: attempt{body: string(body), query: values.Encode(), token: as.Token}}
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

func (t *table) String() string {
	_ = t.rows.Flush() // a strings.Builder takes everything
	return "\n" + t.text.String()
}

// runCases makes each attempt by each route and compares.
func runCases(t *testing.T, node *parleytest.Node, cases []hostileCase) {
	columns := []string{"case"}
	for _, r := range routes {
		columns = append(columns, r.name)
	}
	seen := newTable(columns...)
	for _, c := range cases {
		cells := []string{c.name}
		for i, r := range routes {
			if c.want[i] == "" {
				cells = append(cells, "–")
				continue
			}
			got := r.send(t.Context(), node, c.attempt)
			cells = append(cells, got.word)
			c.check(t, r.name, c.want[i], got)
		}
		seen.row(cells...)
	}
	t.Log(seen)
}

// check compares one outcome. Errors must say something, and nothing internal.
func (c hostileCase) check(t *testing.T, route, want string, got outcome) {
	t.Helper()
	if got.word != want {
		t.Errorf("%s by %s: %q instead of %q: %.300s", c.name, route, got.word, want, got.body)
	}
	for _, e := range got.result.Errors {
		if e.Message == "" || !errorCodes[e.Extensions.Code] {
			t.Errorf("%s by %s: an error with the code %q says %q", c.name, route, e.Extensions.Code, e.Message)
		}
		for _, internal := range []string{"sql", "redis", "goroutine", ".go:", "runtime", "json:", "Did you mean"} {
			if strings.Contains(e.Message, internal) {
				t.Errorf("%s by %s: the message speaks of %s: %q", c.name, route, internal, e.Message)
			}
		}
	}
	if len(got.result.Errors) > 0 && c.field != "" && got.result.Errors[0].Extensions.Field != c.field {
		t.Errorf("%s by %s: the field %q instead of %q", c.name, route, got.result.Errors[0].Extensions.Field, c.field)
	}
}

// errorCodes are those of the schema that bad input may meet.
var errorCodes = map[string]bool{
	"UNAUTHENTICATED": true, "FORBIDDEN": true, "NOT_FOUND": true, "BAD_INPUT": true, "CONFLICT": true,
	"RATE_LIMITED": true, "LIMIT_EXCEEDED": true, "HISTORY_LOST": true, "UNAVAILABLE": true,
}

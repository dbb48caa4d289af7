package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"parley/e2e/parleytest"
	"parley/store/redis/redistest"
)

// overSingle makes an attempt by a reserved event stream of its own.
func overSingle(ctx context.Context, n *parleytest.Node, a attempt) outcome {
	ctx, cancel := context.WithTimeout(ctx, parleytest.Patience)
	defer cancel()
	s := &parleytest.Single{Client: &parleytest.Client{URL: n.URL, Token: a.token, HTTP: http.DefaultClient}}
	status, text := s.Do(ctx, http.MethodPut, "", nil)
	if status != http.StatusCreated {
		return outcome{word: fmt.Sprint("PUT: ", status), body: text}
	}
	s.Token = text
	stream, status, err := s.Open(ctx, "")
	if err != nil {
		return outcome{word: fmt.Sprint("GET: ", status)}
	}
	defer stream.Close()
	var body map[string]any
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		return unseen(err)
	}
	extensions := map[string]any{"operationId": "1"}
	if given, ok := body["extensions"].(map[string]any); ok {
		maps.Copy(extensions, given)
	}
	body["extensions"] = extensions
	o := outcome{}
	if status, o.body = s.Do(ctx, http.MethodPost, "", body); status != http.StatusAccepted {
		if err := json.Unmarshal([]byte(o.body), &o.result); err != nil {
			return unseen(err)
		}
		o.word = fmt.Sprint(status, " ", wordFor(o.result))
		return o
	}
	for e := range stream.Events {
		if e.Event == "next" {
			return outcome{word: wordFor(e.Result), result: e.Result}
		}
	}
	return outcome{word: "nothing"}
}

// TestHostileSingle: a reserved stream has the same verdicts as a stream of one operation, is nobody's but its user's, and
// can't be had without number.
func TestHostileSingle(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	node := startHostile(t, map[string]string{"PARLEY_REDIS_URL": redis.URL, "PARLEY_MAX_OPERATIONS": "5"})
	before := settled(t, node)
	w := &singleWorld{node: node, redis: redis, ada: person(t, node, "ada"), eve: person(t, node, "eve")}
	w.room = w.ada.CreateRoom(t, "Single")
	t.Run("the same verdicts", w.verdicts)
	t.Run("another user's", w.foreign)
	t.Run("guessed", w.guessed)
	t.Run("ids", w.ids)
	t.Run("operations without number", w.operations)
	t.Run("a flood of reservations", w.flood)
	t.Run("kicked", w.kicked)
	t.Run("revoked", w.revoked)
	for _, token := range w.tokens {
		if strings.Contains(node.Log(), token) {
			t.Error("a reservation's token was logged")
		}
	}
	nothingLeft(t, node, before)
}

type singleWorld struct {
	node     *parleytest.Node
	redis    *redistest.Server
	ada, eve *parleytest.Client
	room     string
	tokens   []string
}

func (w *singleWorld) reserve(t *testing.T, c *parleytest.Client) *parleytest.Single {
	t.Helper()
	s := parleytest.Reserve(t, c)
	w.tokens = append(w.tokens, s.Token)
	return s
}

// open opens a stream that ends with the test.
func (w *singleWorld) open(t *testing.T, s *parleytest.Single) *parleytest.SingleStream {
	t.Helper()
	stream, _, err := s.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stream.Close)
	return stream
}

func (w *singleWorld) verdicts(t *testing.T) {
	byPost := routes[3].send
	add := func(room, after string) parleytest.Operation {
		return parleytest.Operation{Query: messageAdded, Variables: map[string]any{"room": room, "after": after}}
	}
	deep := `{ room(id: "r_x") ` + strings.Repeat("{ messages { edges { node { room ", 20) + "{ id }" + strings.Repeat(" } } } }", 20) + " }"
	for name, op := range map[string]parleytest.Operation{
		"a query":                     {Query: `{ viewer { id } }`},
		"no document":                 {Query: ``},
		"no GraphQL":                  {Query: `}{`},
		"no such field":               {Query: `{ nothing }`},
		"two root fields":             {Query: `subscription { a: messageAdded(roomId: "r_x") { id } b: messageAdded(roomId: "r_x") { id } }`},
		"introspection":               {Query: `{ __schema { types { name } } }`},
		"too deep":                    {Query: deep},
		"too many aliases":            {Query: "{" + aliases(300) + "}"},
		"@defer":                      {Query: `{ viewer { ... @defer { id } } }`},
		"a room that isn't there":     add("r_nowhere", ""),
		"a cursor that is none":       add(w.room, "junk"),
		"a variable that doesn't fit": {Query: messageAdded, Variables: map[string]any{"room": nil}},
		"a mutation that is refused":  {Query: parleytest.SendQuery, Variables: map[string]any{"room": "r_nowhere", "content": whispered}},
	} {
		attempt := ask(name, w.ada, op).attempts[0]
		want, got := byPost(t.Context(), w.node, attempt), overSingle(t.Context(), w.node, attempt)
		if got.word != want.word {
			t.Errorf("%s: %q, but %q by a stream of its own: %s", name, got.word, want.word, got.body)
		}
		t.Logf("%s: %s", name, got.word)
	}
}

func aliases(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, " a%d: viewer { id }", i)
	}
	return text.String()
}

func (w *singleWorld) foreign(t *testing.T) {
	own := w.reserve(t, w.ada)
	stream := w.open(t, own)
	stolen := &parleytest.Single{Client: w.eve, Token: own.Token}
	nobody := &parleytest.Single{Client: &parleytest.Client{URL: w.node.URL, HTTP: http.DefaultClient}, Token: own.Token}
	operation := map[string]any{"query": `{ viewer { id } }`, "extensions": map[string]any{"operationId": "1"}}
	for name, by := range map[string]struct {
		single *parleytest.Single
		want   int
	}{"another user": {stolen, 403}, "nobody": {nobody, 401}} {
		if status, text := by.single.Do(t.Context(), http.MethodPost, "", operation); status != by.want {
			t.Errorf("POST of %s: %d %s", name, status, text)
		}
		if status, text := by.single.Do(t.Context(), http.MethodDelete, "?operationId=1", nil); status != by.want {
			t.Errorf("DELETE of %s: %d %s", name, status, text)
		}
	}
	if _, status, _ := stolen.Open(t.Context(), ""); status != 403 {
		t.Errorf("GET of another user: %d", status)
	}
	if _, status, _ := nobody.Open(t.Context(), ""); status != 409 { // who has the token alone may open it, but it is open
		t.Errorf("GET of nobody: %d", status)
	}
	own.MustRun(t, "2", parleytest.Operation{Query: `{ viewer { id } }`})
	for e := range stream.Events {
		if e.Operation != "" {
			if e.Operation != "2" || e.Result.Text("viewer", "id") != "ada" {
				t.Errorf("got %+v", e)
			}
			break
		}
	}
}

func (w *singleWorld) guessed(t *testing.T) {
	limited := startHostile(t, map[string]string{"PARLEY_RATE_LIMITS": "on", "PARLEY_RATE_OPERATIONS_ADDRESS": "1/m burst 20"})
	statuses := map[int]int{}
	for i := range 60 {
		guess := &parleytest.Single{
			Client: &parleytest.Client{URL: limited.URL, HTTP: http.DefaultClient},
			Token:  fmt.Sprintf("%043d", i),
		}
		_, status, _ := guess.Open(t.Context(), "")
		statuses[status]++
	}
	if statuses[404] != 20 || statuses[429] != 40 {
		t.Errorf("guesses are answered %v", statuses)
	}
}

func (w *singleWorld) ids(t *testing.T) {
	s := w.reserve(t, w.ada)
	stream := w.open(t, s)
	for name, id := range map[string]any{
		"huge": strings.Repeat("x", 100_000), "none": nil, "a number": 1, "an object": map[string]any{}, "empty": "",
	} {
		status, text := s.Do(t.Context(), http.MethodPost, "", map[string]any{
			"query": `{ viewer { id } }`, "extensions": map[string]any{"operationId": id},
		})
		if status != 400 {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, text := s.Do(t.Context(), http.MethodDelete, "?operationId="+strings.Repeat("x", 100_000), nil); status != 400 {
		t.Errorf("DELETE: %d %s", status, text)
	}
	injected := "x\n\ndata: {\"id\":\"y\"}\n\n"
	s.MustRun(t, injected, parleytest.Operation{Query: `{ viewer { id } }`})
	for e := range stream.Events {
		if e.Event == "next" {
			if e.Operation != injected {
				t.Errorf("%q became %q", injected, e.Operation)
			}
			break
		}
	}
	for _, last := range []string{"junk", strings.Repeat("A", 8000), strings.Repeat("A", 9000)} {
		if _, status, err := s.Open(t.Context(), last); status != 400 {
			t.Errorf("a Last-Event-ID of %d bytes: %d, %v", len(last), status, err)
		}
	}
}

func (w *singleWorld) operations(t *testing.T) {
	s := w.reserve(t, w.ada)
	stream := w.open(t, s)
	for i := range 7 {
		s.MustRun(t, fmt.Sprint(i), follow(messageAdded, w.room, ""))
	}
	var refused []string
	for e := range stream.Events {
		if e.Event == "complete" {
			refused = append(refused, e.Operation)
		} else if e.Event == "next" && e.Result.Code() != "LIMIT_EXCEEDED" {
			t.Errorf("got %+v", e)
		}
		if len(refused) == 2 {
			break
		}
	}
	if fmt.Sprint(refused) != "[5 6]" {
		t.Errorf("refused: %v", refused)
	}
}

func (w *singleWorld) flood(t *testing.T) {
	kept := w.reserve(t, w.eve)
	w.open(t, kept)
	count := parleytest.Scale(200, 5000)
	for range count {
		parleytest.Reserve(t, w.eve)
	}
	keys := w.redis.Do("KEYS", "*:reservation:*").([]any)
	if len(keys) > 50+20 { // eve's, and the others of this test
		t.Errorf("%d reservations are kept", len(keys))
	}
	if status, text := kept.Run(t.Context(), "1", parleytest.Operation{Query: `{ viewer { id } }`}); status != http.StatusAccepted {
		t.Errorf("the open stream's reservation has gone: %d %s", status, text)
	}
	t.Logf("%d made, %d kept", count, len(keys))
}

func (w *singleWorld) kicked(t *testing.T) {
	w.ada.Must(t, `mutation($room: ID!) { addMember(input: {roomId: $room, userId: "eve"}) { member { id } } }`, map[string]any{"room": w.room})
	s := w.reserve(t, w.eve)
	stream := w.open(t, s)
	s.MustRun(t, "kicked", follow(messageAdded, w.room, ""))
	s.MustRun(t, "stays", parleytest.Operation{Query: `subscription { messageAdded(roomId: "` + w.eve.CreateRoom(t, "Eve's") + `") { id } }`})
	w.ada.Must(t, `mutation($room: ID!) { removeMember(input: {roomId: $room, userId: "eve"}) { room { id } } }`, map[string]any{"room": w.room})
	w.ada.MustSend(t, w.room, whispered)
	for e := range stream.Events {
		if e.Operation == "kicked" {
			if e.Event == "complete" {
				break
			}
			if e.Result.Code() != "FORBIDDEN" {
				t.Errorf("got %+v", e)
			}
		}
	}
	if status, text := s.Run(t.Context(), "kicked", follow(messageAdded, w.room, "")); status != http.StatusAccepted {
		t.Errorf("again: %d %s", status, text)
	}
	for e := range stream.Events {
		if e.Event == "next" {
			if e.Operation != "kicked" || e.Result.Code() != "NOT_FOUND" {
				t.Errorf("got %+v", e)
			}
			break
		}
	}
}

func (w *singleWorld) revoked(t *testing.T) {
	s := w.reserve(t, w.ada)
	stream := w.open(t, s)
	s.MustRun(t, "1", follow(messageAdded, w.room, ""))
	w.ada.MustSend(t, w.room, whispered)
	for e := range stream.Events {
		if e.Event == "next" {
			break // what was only asked for isn't told of the end, but that the reservation has gone
		}
	}
	revoke(t, w.node, map[string]string{"user": "ada"})
	told := ""
	for e := range stream.Events {
		told += e.Event + e.Result.Code() + " "
	}
	if !strings.HasSuffix(told, "nextUNAUTHENTICATED complete ") {
		t.Errorf("told %q", told)
	}
	alone := &parleytest.Single{Client: &parleytest.Client{URL: w.node.URL, HTTP: http.DefaultClient}, Token: s.Token}
	if _, status, _ := alone.Open(t.Context(), ""); status != http.StatusNotFound && status != http.StatusUnauthorized {
		t.Errorf("the reservation is answered %d", status)
	}
}

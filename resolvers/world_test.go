package resolvers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/auth"
	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/graph"
	"parley/presence"
	"parley/render"
	"parley/resolvers"
	"parley/store/sqlite"
)

// world is everything between a parsed request and the store, as the server wires it.
type world struct {
	testing.TB
	store    *sqlite.Store
	resolver *resolvers.Resolver
	schema   *ast.Schema
	exec     *executor.Executor
	opener   *render.Opener
	log      *journal
	// documents is the extension, as the server has it outside development.
	documents resolvers.Documents
	// names are the words in braces that requests and outcomes use for ids and cursors.
	names map[string]string
}

// newWorld opens a store in a folder of its own. Edits of the schema are pairs of what is replaced
// and by what.
func newWorld(t testing.TB, edits ...string) *world {
	t.Helper()
	w := &world{TB: t, log: &journal{}, names: map[string]string{"{general}": chat.GeneralRoomID}}
	var err error
	if w.store, err = sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Now: yesteryear, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	rooms := chat.NewService(w.store, w.store, chat.Limits{})
	if err := rooms.EnsureGeneral(t.Context()); err != nil {
		t.Fatal(err)
	}
	tracker, err := presence.NewTracker(w.store, presence.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.assemble(&resolvers.Resolver{
		Chat: rooms, Tracker: tracker, Presence: w.store, State: w.store, Log: w.store, PollAfterSeconds: 10,
	}, edits...)
	return w
}

// yesteryear is the clock of the stores, some years slow: what has another time was not stored.
func yesteryear() time.Time { return time.Now().AddDate(-5, 0, 0) }

// assemble puts the executor around a resolver.
func (w *world) assemble(resolver *resolvers.Resolver, edits ...string) {
	w.Helper()
	logger := slog.New(slog.NewTextHandler(w.log, nil))
	w.resolver, resolver.Logger = resolver, logger
	schema := graph.NewExecutableSchema(graph.Config{Schema: loadSchema(w, edits...), Resolvers: w.resolver})
	w.schema = schema.Schema()
	w.exec = executor.New(schema)
	w.exec.SetErrorPresenter(resolvers.PresentError(logger))
	w.exec.SetRecoverFunc(resolvers.RecoverPanic(logger))
	w.exec.Use(w.documents)
	w.exec.SetParserTokenLimit(5000)
	w.exec.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	w.opener = render.NewOpener(w.schema, nil)
	w.opener.Plain = resolvers.Plain(4096)
}

// introspected is the world as in development.
func (w *world) introspected() *world {
	w.documents.Introspection = true
	w.assemble(w.resolver)
	return w
}

// loadSchema reads our schema with edits; nil, for the one that was generated from, without any.
func loadSchema(t testing.TB, edits ...string) *ast.Schema {
	t.Helper()
	if len(edits) == 0 {
		return nil
	}
	text, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	edited := string(text)
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(edited, edits[i]) {
			t.Fatalf("the schema has no %q", edits[i])
		}
		edited = strings.Replace(edited, edits[i], edits[i+1], 1)
	}
	return gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphqls", Input: edited})
}

// journal is what was logged.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// signedIn returns a context of somebody; "" is nobody.
func signedIn(ctx context.Context, user string) context.Context {
	if user == "" {
		return ctx
	}
	return auth.WithViewer(ctx, &auth.Viewer{ID: user, Name: strings.ToUpper(user[:1]) + user[1:]})
}

// request is what a client sends.
type request struct {
	user       string
	query      string
	variables  map[string]any
	extensions map[string]any
}

// prepare parses and validates a request.
func (w *world) prepare(q request) (context.Context, *graphql.OperationContext, gqlerror.List) {
	ctx := graphql.StartOperationTrace(signedIn(w.Context(), q.user))
	op, errs := w.exec.CreateOperationContext(ctx, &graphql.RawParams{Query: w.filled(q.query), Variables: q.variables, Extensions: q.extensions})
	if errs != nil {
		errs = w.exec.DispatchError(graphql.WithOperationContext(ctx, op), errs).Errors
	}
	return ctx, op, errs
}

// do executes a query or mutation.
func (w *world) do(q request) *graphql.Response {
	w.Helper()
	ctx, op, errs := w.prepare(q)
	if errs != nil {
		return &graphql.Response{Errors: errs}
	}
	handler, ctx := w.exec.DispatchOperation(ctx, op)
	response := handler(ctx)
	if response == nil {
		w.Fatalf("no response to %s", q.query)
	}
	return response
}

// open opens a subscription.
func (w *world) open(q request) (*render.Opened, gqlerror.List) {
	w.Helper()
	ctx, op, errs := w.prepare(q)
	if errs != nil {
		return nil, errs
	}
	opened, response := w.opener.Open(ctx, w.exec, op)
	if response != nil {
		return nil, response.Errors
	}
	return opened, nil
}

// rendered is what the hub makes of an event.
func rendered(ctx context.Context, r delivery.Renderer, source delivery.Source) ([]byte, error) {
	if payload, ok := r.(delivery.Direct).RenderDirectly(source); ok {
		return payload, nil
	}
	return r.Render(ctx, source)
}

// must executes what has to succeed, remembers what it finds by the paths given ("{name}", "a.b.c"),
// and returns the data.
func (w *world) must(user, query string, remember ...string) string {
	w.Helper()
	response := w.do(request{user: user, query: query})
	if len(response.Errors) > 0 {
		w.Fatalf("%s: %s: %v", user, w.filled(query), response.Errors)
	}
	for i := 0; i < len(remember); i += 2 {
		w.names[remember[i]] = at(w, response.Data, remember[i+1])
	}
	return string(response.Data)
}

// at returns the text at a dotted path of a JSON value.
func at(t testing.TB, data []byte, path string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(v) {
				t.Fatalf("no %s in %s", path, data)
			}
			value = v[i]
		}
	}
	text, ok := value.(string)
	if !ok {
		t.Fatalf("no %s in %s", path, data)
	}
	return text
}

// filled puts ids and cursors for the words in braces.
func (w *world) filled(text string) string {
	for name, id := range w.names {
		text = strings.ReplaceAll(text, name, id)
	}
	return text
}

var times = regexp.MustCompile(`"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"`)

// outcome is a response in short: its data, ids and cursors replaced by their names and times by T,
// then each error's code, path and field.
func (w *world) outcome(response *graphql.Response) string {
	text := times.ReplaceAllString(string(response.Data), `"T"`)
	for name, id := range w.names {
		text = strings.ReplaceAll(text, `"`+id+`"`, `"`+name+`"`)
	}
	return strings.TrimSpace(text + " " + w.errors(response.Errors))
}

// errors is the codes, paths and fields of errors.
func (w *world) errors(errs gqlerror.List) string {
	var out strings.Builder
	for _, e := range errs {
		fmt.Fprintf(&out, " !%v", e.Extensions["code"])
		if len(e.Path) > 0 {
			fmt.Fprintf(&out, " at %s", e.Path)
		}
		if field := e.Extensions["field"]; field != nil {
			fmt.Fprintf(&out, " in %s", field)
		}
	}
	return strings.TrimSpace(out.String())
}

// say sends a message and remembers its id and cursor.
func (w *world) say(user, room, content, name string) {
	w.Helper()
	w.must(user, fmt.Sprintf(`mutation { sendMessage(input: {roomId: %q, content: %q}) { message { id cursor } } }`, room, content),
		"{"+name+"}", "sendMessage.message.id", "{@"+name+"}", "sendMessage.message.cursor")
}

// tea is a world with a private room {tea}, owned by ada, where bob is a member and cyd isn't, with
// three messages; and a public room {square} of ada's.
func tea(t testing.TB, edits ...string) *world {
	w := newWorld(t, edits...)
	w.must("ada", `mutation { createRoom(input: {name: "Tea", topic: "Which?", metadata: {a: [1, 2.5, "x", null, true]}}) { room { id } } }`, "{tea}", "createRoom.room.id")
	w.must("ada", `mutation { createRoom(input: {name: "Square", type: CHANNEL, visibility: PUBLIC}) { room { id } } }`, "{square}", "createRoom.room.id")
	w.must("ada", `mutation { addMember(input: {roomId: "{tea}", userId: "bob"}) { member { id } } }`, "{bob in tea}", "addMember.member.id")
	w.say("ada", "{tea}", "One", "one")
	w.say("bob", "{tea}", "Two", "two")
	w.must("bob", `mutation { sendMessage(input: {roomId: "{tea}", content: "Three", replyToId: "{one}", clientId: "k"}) { message { id cursor } } }`,
		"{three}", "sendMessage.message.id", "{@three}", "sendMessage.message.cursor")
	return w
}

// deafPresence is a presence store that can't be told who types.
type deafPresence struct{ presence.Store }

func (deafPresence) SetTyping(context.Context, string, presence.User, time.Duration) error {
	return eventlog.ErrUnavailable
}

func unmarshal(t testing.TB, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
}

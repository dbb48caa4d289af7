package render_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/graph"
	"parley/render"
)

// rig is the generated executor over resolvers that a test may replace.
type rig struct {
	testing.TB
	exec    *executor.Executor
	opener  *render.Opener
	metrics *prometheus.Registry
	root
}

// root resolves what the tests select.
type root struct {
	graph.ResolverRoot
	open  func(ctx context.Context, room string, after *eventlog.Cursor) (render.Spec, error)
	event func(delivery.Source) (*chat.Message, error)
	room  func(ctx context.Context, id string) (*chat.Room, error)
	reply func(ctx context.Context, m *chat.Message) (*chat.Message, error)
}

type audienceKey struct{}

// reads is the access of those who may read what is named: an audience of its own.
func reads(name string) delivery.Access {
	return delivery.Access{Audience: delivery.Audience{Name: name, Enter: func(ctx context.Context) context.Context {
		return context.WithValue(ctx, audienceKey{}, name)
	}}}
}

type viewerKey struct{}

// viewer is how resolvers ask who asks.
func viewer(ctx context.Context) (string, error) {
	if render.RefuseViewer(ctx) {
		return "", fmt.Errorf("nobody asks")
	}
	name, _ := ctx.Value(viewerKey{}).(string)
	return name, nil
}

func as(name string) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context { return context.WithValue(ctx, viewerKey{}, name) }
}

func newRig(t testing.TB, edits ...string) *rig {
	r := &rig{TB: t, metrics: prometheus.NewRegistry(), root: root{
		open: func(ctx context.Context, room string, _ *eventlog.Cursor) (render.Spec, error) {
			name, err := viewer(ctx)
			return render.Spec{Spec: delivery.Spec{Topic: room, Principal: name, Filter: 4}, As: as(name)}, err
		},
		event: func(s delivery.Source) (*chat.Message, error) { return s.Payload.(*chat.Message), nil },
		room: func(_ context.Context, id string) (*chat.Room, error) {
			return &chat.Room{ID: id, RoomSettings: chat.RoomSettings{Name: "Hall"}}, nil
		},
		reply: func(ctx context.Context, m *chat.Message) (*chat.Message, error) {
			name, ok := ctx.Value(audienceKey{}).(string)
			var err error
			if !ok {
				name, err = viewer(ctx)
			}
			if err != nil {
				return nil, err
			}
			answered := *m
			answered.Content = "for " + name
			return &answered, nil
		},
	}}
	schema := graph.NewExecutableSchema(graph.Config{Schema: loadSchema(t, edits...), Resolvers: r})
	r.exec = executor.New(schema)
	r.exec.SetRecoverFunc(func(context.Context, any) error { return gqlerror.Errorf("recovered") })
	r.opener = render.NewOpener(schema.Schema(), r.metrics)
	return r
}

// loadSchema reads our schema with edits, pairs of what is replaced and by what; nil, for the one
// that was generated from, without any.
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

func (r *root) Subscription() graph.SubscriptionResolver { return subscription{root: r} }
func (r *root) Message() graph.MessageResolver           { return message{r} }
func (r *root) MessageSent() graph.MessageSentResolver   { return messageSent{r} }

type subscription struct {
	graph.SubscriptionResolver
	root *root
}

func (s subscription) MessageAdded(ctx context.Context, room string, after *eventlog.Cursor) (<-chan *chat.Message, error) {
	return render.Stream(ctx,
		func(ctx context.Context) (render.Spec, error) { return s.root.open(ctx, room, after) }, s.root.event)
}

func (s subscription) RoomEvents(ctx context.Context, room string, after *eventlog.Cursor) (<-chan chat.RoomEvent, error) {
	return render.Stream(ctx,
		func(ctx context.Context) (render.Spec, error) { return s.root.open(ctx, room, after) },
		func(source delivery.Source) (chat.RoomEvent, error) {
			m, err := s.root.event(source)
			return &chat.MessageSent{Event: &chat.Event{Kind: chat.KindMessageSent, RoomID: m.RoomID, Message: m, At: m.CreatedAt}}, err
		})
}

type message struct{ *root }

func (r message) Room(ctx context.Context, m *chat.Message) (*chat.Room, error) {
	return r.room(ctx, m.RoomID)
}

func (r message) ReplyTo(ctx context.Context, m *chat.Message) (*chat.Message, error) {
	return r.reply(ctx, m)
}

type messageSent struct{ *root }

func (r messageSent) Room(ctx context.Context, e *chat.MessageSent) (*chat.Room, error) {
	return r.room(ctx, e.RoomID)
}

// hello is an event.
func hello() delivery.Source {
	at := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	m := &chat.Message{
		RoomID: "r_1", Seq: 7, Salt: "abc", Sender: chat.User{ID: "ada"}, Type: chat.Text, Content: "Hello",
		CreatedAt: at, UpdatedAt: at, Sent: eventlog.Position{Epoch: 1, Offset: 9, Check: 5},
	}
	return delivery.Source{Payload: m, Cursor: m.Cursor()}
}

// request is what a client sends.
type request struct {
	viewer    string
	query     string
	operation string
	variables map[string]any
}

// tryOpen opens a subscription, or returns the messages of the errors.
func (r *rig) tryOpen(q request) (*render.Opened, []string) {
	r.Helper()
	ctx := graphql.StartOperationTrace(as(q.viewer)(r.Context()))
	op, errs := r.exec.CreateOperationContext(ctx, &graphql.RawParams{
		Query: q.query, OperationName: q.operation, Variables: q.variables, Headers: map[string][]string{"Authorization": {"secret"}},
	})
	if errs == nil {
		opened, response := r.opener.Open(ctx, r.exec, op)
		if response == nil {
			return opened, nil
		}
		if opened != nil || response.Data != nil {
			r.Errorf("beside its errors, Open returned %v and %s", opened, response.Data)
		}
		errs = response.Errors
	}
	var messages []string
	for _, e := range errs {
		messages = append(messages, e.Message)
	}
	return nil, messages
}

func (r *rig) mustOpen(q request) *render.Opened {
	r.Helper()
	opened, errs := r.tryOpen(q)
	if errs != nil {
		r.Fatalf("%s: %v", q.query, errs)
	}
	return opened
}

func (r *rig) render(renderer delivery.Renderer, source delivery.Source) string {
	r.Helper()
	payload, err := renderer.Render(r.Context(), source)
	if err != nil {
		r.Fatal(err)
	}
	return string(payload)
}

// asked is how often a shared rendering was thrown away because somebody asked for the viewer.
func (r *rig) asked() float64 {
	r.Helper()
	families, err := r.metrics.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "parley_render_viewer_asked_total" {
		r.Fatalf("gathered %v, %v", families, err)
	}
	return families[0].GetMetric()[0].GetCounter().GetValue()
}

func operationOf(ctx context.Context) *graphql.OperationContext {
	return graphql.GetOperationContext(ctx)
}

package render_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/render"
)

var position = fmt.Sprintf(`"extensions":{"cursor":%q}`, hello().Cursor.String())

func TestRender(t *testing.T) {
	for name, test := range map[string]struct{ query, want string }{
		"fields":                   {`subscription { messageAdded(roomId: "r_1") { id content } }`, `{"messageAdded":{"id":"m_1_7_abc","content":"Hello"}}`},
		"aliases":                  {`subscription { x: messageAdded(roomId: "r_1") { y: content } }`, `{"x":{"y":"Hello"}}`},
		"one field in two parts":   {`subscription { messageAdded(roomId: "r_1") { id } messageAdded(roomId: "r_1") { content } }`, `{"messageAdded":{"id":"m_1_7_abc","content":"Hello"}}`},
		"a fragment at the top":    {`subscription { ...F } fragment F on Subscription { x: messageAdded(roomId: "r_1") { content } }`, `{"x":{"content":"Hello"}}`},
		"an inline one":            {`subscription { ... on Subscription { ... { messageAdded(roomId: "r_1") { content } } } }`, `{"messageAdded":{"content":"Hello"}}`},
		"nothing but what is left": {`subscription { messageAdded(roomId: "r_1") { id @skip(if: true) } }`, `{"messageAdded":{}}`},
		"typename":                 {`subscription { messageAdded(roomId: "r_1") { __typename room { __typename name } } }`, `{"messageAdded":{"__typename":"Message","room":{"__typename":"Room","name":"Hall"}}}`},
		"an interface":             {`subscription { roomEvents(roomId: "r_1") { __typename ... on MessageSent { message { seq } } ... on RoomReset { reason } } }`, `{"roomEvents":{"__typename":"MessageSent","message":{"seq":7}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			opened := r.mustOpen(request{query: test.query})
			want := `{"data":` + test.want + `,` + position + `}`
			for range 2 {
				if got := r.render(opened.Renderer, hello()); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
		})
	}
	t.Run("a state has no position", func(t *testing.T) {
		r := newRig(t)
		opened := r.mustOpen(request{query: `subscription { messageAdded(roomId: "r_1") { content } }`})
		if got := r.render(opened.Renderer, delivery.Source{Payload: hello().Payload}); got != `{"data":{"messageAdded":{"content":"Hello"}}}` {
			t.Errorf("got %s", got)
		}
	})
	t.Run("the operation that was asked for", func(t *testing.T) {
		r := newRig(t)
		query := `subscription A { messageAdded(roomId: "r_1") { ...F } } subscription B { b: messageAdded(roomId: "r_1") { ...F seq } } fragment F on Message { content }`
		opened := r.mustOpen(request{query: query, operation: "B"})
		if got := r.render(opened.Renderer, hello()); !strings.HasPrefix(got, `{"data":{"b":{"content":"Hello","seq":7}}`) {
			t.Errorf("got %s", got)
		}
	})
}

func TestRenderWithVariables(t *testing.T) {
	r := newRig(t)
	query := `subscription($room: ID!, $after: Cursor, $short: Boolean! = true) { messageAdded(roomId: $room, after: $after) { seq content @skip(if: $short) } }`
	cursor := hello().Cursor.String()
	for _, test := range []struct {
		variables map[string]any
		want      string
	}{
		{map[string]any{"room": "r_1", "after": cursor}, `{"seq":7}`},
		{map[string]any{"room": float64(1), "short": false}, `{"seq":7,"content":"Hello"}`}, // an ID may be given as a number
		{map[string]any{"room": "r_1", "after": nil, "short": true}, `{"seq":7}`},
	} {
		got := r.render(r.mustOpen(request{query: query, variables: test.variables}).Renderer, hello())
		if !strings.HasPrefix(got, `{"data":{"messageAdded":`+test.want+`}`) {
			t.Errorf("%v: got %s", test.variables, got)
		}
	}
}

// TestNobodysContext: nothing of the one who opened first is in a rendering.
func TestNobodysContext(t *testing.T) {
	r := newRig(t)
	r.root.room = func(ctx context.Context, id string) (*chat.Room, error) {
		op := operationOf(ctx)
		if op.Headers != nil || op.Extensions != nil || ctx.Value(viewerKey{}) != nil || op.Variables["after"] != nil {
			t.Errorf("found headers %v, extensions %v, viewer %v, variables %v", op.Headers, op.Extensions, ctx.Value(viewerKey{}), op.Variables)
		}
		return &chat.Room{ID: id}, nil
	}
	query := `subscription($after: Cursor) { messageAdded(roomId: "r_1", after: $after) { room { id } } }`
	opened := r.mustOpen(request{viewer: "ada", query: query, variables: map[string]any{"after": hello().Cursor.String()}})
	r.render(opened.Renderer, hello())
}

func TestRenderErrors(t *testing.T) {
	const query = `subscription { messageAdded(roomId: "r_1") { content room { name } replyTo { content } } }`
	for name, test := range map[string]struct {
		change func(*root)
		want   string
	}{
		"a nullable field fails": {
			func(r *root) {
				r.reply = func(context.Context, *chat.Message) (*chat.Message, error) { return nil, errors.New("no") }
			},
			`{"data":{"messageAdded":{"content":"Hello","room":{"name":"Hall"},"replyTo":null}},"errors":[{"message":"no","path":["messageAdded","replyTo"],"locations":[{"line":1,"column":68}]}],`,
		},
		"a field that isn't nullable fails": {
			func(r *root) {
				r.room = func(context.Context, string) (*chat.Room, error) { return nil, errors.New("no") }
			},
			`{"data":null,"errors":[{"message":"no","path":["messageAdded","room"]`,
		},
		"the root fails": {
			func(r *root) { r.event = func(delivery.Source) (*chat.Message, error) { return nil, errors.New("no") } },
			`{"data":null,"errors":[{"message":"no","path":["messageAdded"]`,
		},
		"the root is null": {
			func(r *root) { r.event = func(delivery.Source) (*chat.Message, error) { return nil, nil } },
			`{"data":null,"errors":[{"message":"cannot return null`,
		},
		"a resolver panics": {
			func(r *root) { r.reply = func(context.Context, *chat.Message) (*chat.Message, error) { panic("!") } },
			`{"data":{"messageAdded":{"content":"Hello","room":{"name":"Hall"},"replyTo":null}},"errors":[{"message":"recovered","path":["messageAdded"`,
		},
		"the root panics": {
			func(r *root) { r.event = func(delivery.Source) (*chat.Message, error) { panic("!") } },
			`{"data":null,"errors":[{"message":"recovered","path":["messageAdded"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			opened := r.mustOpen(request{query: query})
			test.change(&r.root)
			got := r.render(opened.Renderer, hello())
			if !strings.HasPrefix(got, test.want) || !strings.HasSuffix(got, position+"}") {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestRenderPanicsWhileWriting, which gqlgen doesn't recover from.
func TestRenderPanicsWhileWriting(t *testing.T) {
	r := newRig(t)
	r.root.room = func(_ context.Context, id string) (*chat.Room, error) {
		return &chat.Room{ID: id, RoomSettings: chat.RoomSettings{Metadata: []byte(`{`)}}, nil
	}
	opened := r.mustOpen(request{query: `subscription { messageAdded(roomId: "r_1") { room { metadata } } }`})
	payload, err := opened.Renderer.Render(t.Context(), hello())
	if payload != nil || err == nil || err.Error() != "input: recovered" || errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("got %s, %v", payload, err)
	}
}

// TestRenderDirectlyPanics: a fault in what writes plain fields is told of, though the executor renders the event.
func TestRenderDirectlyPanics(t *testing.T) {
	r := newRig(t)
	faults := 0
	r.exec.SetRecoverFunc(func(context.Context, any) error {
		faults++
		return errors.New("recovered")
	})
	r.opener.Plain = &render.Plain{
		Bytes:   1 << 10,
		Roots:   map[string]func(delivery.Source) render.Object{"messageAdded": func(s delivery.Source) render.Object { return render.Object{Type: "Message", Value: s.Payload} }},
		Scalars: map[string]func([]byte, any) []byte{"Message.content": func([]byte, any) []byte { panic("!") }},
	}
	opened := r.mustOpen(request{query: `subscription { messageAdded(roomId: "r_1") { content } }`})
	if payload, ok := opened.Renderer.(delivery.Direct).RenderDirectly(hello()); payload != nil || ok {
		t.Errorf("got %s, %v", payload, ok)
	}
	if faults != 1 {
		t.Errorf("told of %d faults", faults)
	}
	if got := r.render(opened.Renderer, hello()); !strings.HasPrefix(got, `{"data":{"messageAdded":{"content":"Hello"}}`) {
		t.Errorf("got %s", got)
	}
}

// TestUnavailable: what may come right later is an error of Render, and the next call may do.
func TestUnavailable(t *testing.T) {
	const query = `subscription { messageAdded(roomId: "r_1") { room { name } replyTo { id } } }`
	for name, reason := range map[string]error{
		"the store doesn't answer": fmt.Errorf("reading: %w", eventlog.ErrUnavailable),
		"the deadline passes":      fmt.Errorf("reading: %w", context.DeadlineExceeded),
		"the hub gives up":         fmt.Errorf("reading: %w", context.Canceled),
	} {
		for field, fail := range map[string]func(*root, error){
			"root": func(r *root, err error) {
				r.event = func(delivery.Source) (*chat.Message, error) { return nil, err }
			},
			"room": func(r *root, err error) {
				r.room = func(context.Context, string) (*chat.Room, error) { return nil, err }
			},
			"replyTo": func(r *root, err error) {
				r.reply = func(context.Context, *chat.Message) (*chat.Message, error) { return nil, err }
			},
		} {
			t.Run(name+" for "+field, func(t *testing.T) {
				r := newRig(t)
				opened := r.mustOpen(request{viewer: "ada", query: query})
				well := r.root
				fail(&r.root, reason)
				if payload, err := opened.Renderer.Render(t.Context(), hello()); payload != nil || !errors.Is(err, eventlog.ErrUnavailable) {
					t.Fatalf("got %s, %v", payload, err)
				}
				r.root = well
				if got := r.render(opened.Renderer, hello()); strings.Contains(got, "errors") {
					t.Errorf("then got %s", got)
				}
			})
		}
	}
}

// TestDeadline: a rendering that takes too long may do later.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.root.room = func(ctx context.Context, id string) (*chat.Room, error) {
			<-ctx.Done()
			return &chat.Room{ID: id}, nil
		}
		opened := r.mustOpen(request{query: `subscription { messageAdded(roomId: "r_1") { room { id } } }`})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := opened.Renderer.Render(ctx, hello()); err != nil {
			t.Errorf("what is complete is good, deadline or not: %v", err)
		}
		if payload, err := opened.Renderer.Render(ctx, hello()); !errors.Is(err, eventlog.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the deadline got %s, %v", payload, err)
		}
	})
}

func TestRenderFailure(t *testing.T) {
	r := newRig(t)
	opened := r.mustOpen(request{query: `subscription { ...F } fragment F on Subscription { x: messageAdded(roomId: "r_1") { id } }`})
	want := `{"data":null,"errors":[{"message":"gone","path":["x"]}],` + position + `}`
	for name, renderer := range map[string]delivery.Renderer{"shared": opened.Renderer, "personal": opened.Personal} {
		if got := renderer.RenderFailure(t.Context(), hello(), errors.New("gone")); string(got) != want {
			t.Errorf("%s: got %s", name, got)
		}
	}
	for range 2 {
		if got := r.render(opened.Renderer, hello()); strings.Contains(got, "errors") {
			t.Errorf("a failure was remembered: %s", got)
		}
	}
}

// TestPersonal: what depends on the viewer is rendered with the viewer.
func TestPersonal(t *testing.T) {
	r := newRig(t)
	query := `subscription { messageAdded(roomId: "r_1") { replyTo { content } } }`
	for _, name := range []string{"ada", "bob"} {
		opened := r.mustOpen(request{viewer: name, query: query})
		for _, renderer := range []delivery.Renderer{opened.Renderer, opened.Personal} {
			if got := r.render(renderer, hello()); !strings.Contains(got, `"content":"for `+name+`"`) {
				t.Errorf("%s got %s", name, got)
			}
		}
	}
	if r.asked() != 0 {
		t.Errorf("%v shared renderings were thrown away", r.asked())
	}
}

// TestForgottenViewerDirective: a field depends on the viewer and the schema doesn't say so. That is
// found out, counted, and nobody gets what was rendered for another.
func TestForgottenViewerDirective(t *testing.T) {
	r := newRig(t, "replyTo: Message @viewer(by: HISTORY)", "replyTo: Message")
	query := `subscription { messageAdded(roomId: "r_1") { content replyTo { content } } }`
	ada, bob := r.mustOpen(request{viewer: "ada", query: query}), r.mustOpen(request{viewer: "bob", query: query})
	if ada.Group != bob.Group || ada.Renderer != bob.Renderer || ada.Audience != "" {
		t.Fatal("the analysis knew after all")
	}
	for i := range 3 {
		if payload, err := ada.Renderer.Render(t.Context(), hello()); payload != nil || !errors.Is(err, delivery.ErrNotShareable) {
			t.Fatalf("got %s, %v", payload, err)
		}
		if r.asked() != float64(i+1) {
			t.Errorf("counted %v after %d", r.asked(), i+1)
		}
	}
	for name, opened := range map[string]*render.Opened{"ada": ada, "bob": bob} {
		if got := r.render(opened.Personal, hello()); !strings.Contains(got, `"content":"for `+name+`"`) {
			t.Errorf("%s got %s", name, got)
		}
	}
	t.Run("and panics over it", func(t *testing.T) {
		r.root.reply = func(ctx context.Context, _ *chat.Message) (*chat.Message, error) {
			_, err := viewer(ctx)
			panic(err)
		}
		if payload, err := ada.Renderer.Render(t.Context(), hello()); !errors.Is(err, delivery.ErrNotShareable) {
			t.Errorf("got %s, %v", payload, err)
		}
	})
}

// TestConcurrentRendering: one group's renderer is used by many at a time, for the first event too.
func TestConcurrentRendering(t *testing.T) {
	r := newRig(t)
	query := `subscription($ids: Boolean = true) { roomEvents(roomId: "r_1") { __typename room { name } ... on MessageSent { message { ...M room { id } } } } }
		fragment M on Message { id @include(if: $ids) content sender { name } }`
	want := r.render(r.mustOpen(request{query: query + " "}).Renderer, hello())
	opened := r.mustOpen(request{query: query})
	var all sync.WaitGroup
	var wrong atomic.Int64
	for range 8 {
		all.Go(func() {
			for range 50 {
				for _, renderer := range []delivery.Renderer{opened.Renderer, opened.Personal} {
					if got, err := renderer.Render(t.Context(), hello()); err != nil || string(got) != want {
						wrong.Add(1)
					}
				}
			}
		})
	}
	all.Wait()
	if wrong.Load() > 0 {
		t.Errorf("%d renderings differ", wrong.Load())
	}
}

// TestOperationsAreForgotten: what nobody is subscribed to costs nothing.
func TestOperationsAreForgotten(t *testing.T) {
	r := newRig(t)
	const n = 200
	query := func(i int) request {
		return request{query: `subscription($r: ID!) { messageAdded(roomId: $r) { id } }`, variables: map[string]any{"r": fmt.Sprint("r_", i, strings.Repeat("x", 1<<16))}}
	}
	kept := r.mustOpen(query(0))
	for i := range n {
		r.mustOpen(query(i + 1))
	}
	var used uint64
	for range 50 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if used = m.HeapAlloc; used < n<<16/2 {
			break
		}
	}
	if used >= n<<16/2 {
		t.Errorf("%d bytes are in use", used)
	}
	if again := r.mustOpen(query(0)); again.Renderer != kept.Renderer {
		t.Error("what is in use was forgotten")
	}
}

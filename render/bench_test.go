package render_test

import (
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
)

// typical is what a chat page asks for.
var typical = request{
	viewer: "ada",
	query: `subscription Messages($room: ID!, $after: Cursor) { messageAdded(roomId: $room, after: $after) { ...M room { id } } }
		fragment M on Message { id seq cursor content clientId createdAt editedAt deletedAt sender { id name avatarUrl } }`,
	variables: map[string]any{"room": "r_1", "after": hello().Cursor.String()},
}

func BenchmarkRender(b *testing.B) {
	r := newRig(b)
	renderer, source := r.mustOpen(typical).Renderer, hello()
	b.ReportAllocs()
	b.SetBytes(int64(len(r.render(renderer, source))))
	for b.Loop() {
		if _, err := renderer.Render(b.Context(), source); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens subscriptions of a document that has been parsed before, as when everybody
// reconnects.
func BenchmarkOpen(b *testing.B) {
	r := newRig(b)
	r.exec.SetQueryCache(lru.New[*ast.QueryDocument](10))
	kept := r.mustOpen(typical)
	ctx := graphql.StartOperationTrace(as("ada")(b.Context()))
	b.ReportAllocs()
	for b.Loop() {
		op, errs := r.exec.CreateOperationContext(ctx, &graphql.RawParams{Query: typical.query, Variables: typical.variables})
		if errs != nil {
			b.Fatal(errs)
		}
		opened, response := r.opener.Open(ctx, r.exec, op)
		if response != nil || opened.Renderer != kept.Renderer {
			b.Fatal(response)
		}
	}
}

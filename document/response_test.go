package document

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// respond has a gate execute an operation that resolves fields of some lengths and answers with as
// much data; resolved is how many of them were.
func respond(t *testing.T, limit int, fields []int, data int) (response *graphql.Response, resolved int) {
	t.Helper()
	gate := NewGate(loadSchema(t), Limits{ResponseBytes: limit}, NewCache(1, 1), nil)
	ctx := graphql.WithFieldContext(context.Background(), &graphql.FieldContext{Field: graphql.CollectedField{Field: &ast.Field{}}})
	handler := gate.InterceptOperation(ctx, func(ctx context.Context) graphql.ResponseHandler {
		return func(context.Context) *graphql.Response {
			return gate.InterceptResponse(ctx, func(ctx context.Context) *graphql.Response {
				for _, n := range fields {
					_, err := gate.InterceptField(ctx, func(context.Context) (any, error) {
						resolved++
						return strings.Repeat("x", n), nil
					})
					if err != nil {
						break
					}
				}
				return &graphql.Response{Data: json.RawMessage(strings.Repeat("x", data)), Extensions: map[string]any{"kept": true}}
			})
		}
	})
	return handler(ctx), resolved
}

func TestResponses(t *testing.T) {
	for name, test := range map[string]struct {
		fields   []int
		data     int
		beyond   bool
		resolved int
	}{
		"short":                  {[]int{10, 10}, 100, false, 2},
		"long data":              {[]int{10}, 101, true, 1},
		"fields that fit":        {[]int{45, 45}, 100, false, 2},
		"fields that are longer": {[]int{45, 46}, 50, true, 2},
		"fields after that":      {[]int{45, 46, 1, 1, 1}, 50, true, 2},
	} {
		response, resolved := respond(t, 100, test.fields, test.data)
		if beyond := len(response.Errors) > 0; beyond != test.beyond || resolved != test.resolved {
			t.Errorf("%s: %v, %d fields resolved", name, response.Errors, resolved)
		}
		if test.beyond && (codeOf(response.Errors[0]) != codeLimitExceeded || string(response.Data) != "null" || response.Extensions["kept"] != true) {
			t.Errorf("%s: %+v", name, response)
		}
	}
}

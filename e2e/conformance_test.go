package e2e

import (
	"context"
	"net/http"
	"testing"

	"parley/e2e/parleytest"
)

// TestDraft2026 switches the server to the statuses of GraphQL over HTTP's draft of August 2026.
func TestDraft2026(t *testing.T) {
	draft := parleytest.Start(t, map[string]string{"PARLEY_DRAFT2026": "true"})
	audited := parleytest.Start(t, nil)
	const accept = "application/graphql-response+json"
	for name, test := range map[string]struct {
		query          string
		audited, draft int
	}{
		"data":                 {`{"query":"{ __typename }"}`, 200, 200},
		"data and errors":      {`{"query":"{ rooms { edges { cursor } } }"}`, 200, 294},
		"document not parsed":  {`{"query":"{"}`, 400, 400},
		"document not valid":   {`{"query":"{ nothing }"}`, 400, 422},
		"variable not coerced": {`{"query":"query($id: ID!) { room(id: $id) { id } }","variables":{"id":null}}`, 400, 422},
		"query missing":        {`{}`, 400, 422},
	} {
		t.Run(name, func(t *testing.T) {
			for n, want := range map[*parleytest.Node]int{audited: test.audited, draft: test.draft} {
				ctx, cancel := context.WithTimeout(t.Context(), parleytest.Patience)
				response, err := sendHTTP(ctx, n, attempt{body: test.query}, http.MethodPost, accept)
				cancel()
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				if response.StatusCode != want {
					t.Errorf("got %d, want %d", response.StatusCode, want)
				}
			}
		})
	}
}

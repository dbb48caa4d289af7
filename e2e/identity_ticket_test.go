package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/e2e/parleytest"
)

const createTicket = `mutation($document: String!, $variables: JSON) {
  createTicket(input: {document: $document, variables: $variables}) { ticket expiresAt } }`

func ticketFor(t *testing.T, c *parleytest.Client, room string) string {
	t.Helper()
	return c.Must(t, createTicket, map[string]any{
		"document": messageAdded, "variables": map[string]any{"room": room},
	}).Text("createTicket", "ticket")
}

// TestIdentityTickets: EventSource opens a subscription by a ticket, on any node; a later stream of
// the same ticket takes over, resuming; revocations and expiries end it; nobody else can use it.
func TestIdentityTickets(t *testing.T) {
	t.Parallel()
	nodes := twoNodes(t)
	ada := person(t, nodes[0], "ada")
	room := ada.CreateRoom(t, "Tickets")
	ticket := ticketFor(t, ada, room)
	open := func(t *testing.T, node *parleytest.Node, ticket, last string) *parleytest.Stream {
		t.Helper()
		s, _, err := parleytest.OverTicket(t.Context(), node, ticket, last)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	}
	hears := func(t *testing.T, s *parleytest.Stream, content string) string {
		t.Helper()
		f := s.Next(t)
		if f.Result.Text("messageAdded", "content") != content {
			t.Fatalf("%+v instead of %q", f, content)
		}
		return f.Cursor
	}
	first := open(t, nodes[1], ticket, "")
	first.Position(t)
	ada.MustSend(t, room, "one")
	cursor := hears(t, first, "one")

	t.Run("a later stream takes over, across nodes, and resumes", func(t *testing.T) {
		ada.MustSend(t, room, "two")
		begin := time.Now()
		second := open(t, nodes[0], ticket, cursor)
		hears(t, second, "two")
		hears(t, first, "two")
		if f := first.Next(t); f.Result.Code() != "CONFLICT" {
			t.Errorf("the older stream: %+v", f)
		}
		t.Logf("taken over %v later", time.Since(begin))
		third := open(t, nodes[0], ticket, "")
		if f := second.Next(t); f.Result.Code() != "CONFLICT" {
			t.Errorf("the older stream of the same node: %+v", f)
		}
		third.Position(t)
		ada.MustSend(t, room, "three")
		hears(t, third, "three")
	})
	t.Run("nothing else is opened by it", func(t *testing.T) {
		for name, c := range map[string]struct {
			path, accept, authorization string
			status                      int
		}{
			"a query beside it":   {"?ticket=" + ticket + "&query={viewer{id}}", "text/event-stream", "", 400},
			"two of them":         {"?ticket=" + ticket + "&ticket=" + ticket, "text/event-stream", "", 400},
			"a token beside it":   {"?ticket=" + ticket, "text/event-stream", "Bearer " + ada.Token, 400},
			"as JSON":             {"?ticket=" + ticket, "application/json", "", 406},
			"half of it":          {"?ticket=" + ticket[:20], "text/event-stream", "", 401},
			"another one":         {"?ticket=" + strings.Repeat("A", len(ticket)), "text/event-stream", "", 401},
			"none":                {"?ticket=", "text/event-stream", "", 401},
			"one that isn't text": {"?ticket=%ff%00", "text/event-stream", "", 401},
		} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, nodes[0].URL+"/graphql"+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept", c.accept)
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != c.status {
				t.Errorf("%s: status %d instead of %d", name, response.StatusCode, c.status)
			}
		}
	})
	t.Run("none is made of what isn't a subscription", func(t *testing.T) {
		for name, c := range map[string]struct {
			variables map[string]any
			field     string
		}{
			"a query":                 {map[string]any{"document": "{ viewer { id } }"}, "document"},
			"a mutation":              {map[string]any{"document": createTicket, "variables": map[string]any{"document": "x"}}, "document"},
			"no document":             {map[string]any{"document": ""}, "document"},
			"one that isn't valid":    {map[string]any{"document": "subscription { nothing }"}, "document"},
			"two operations":          {map[string]any{"document": messageAdded + " query Q { viewer { id } }", "variables": map[string]any{"room": room}}, "document"},
			"a variable missing":      {map[string]any{"document": messageAdded}, "variables"},
			"variables that are none": {map[string]any{"document": messageAdded, "variables": []string{"room"}}, "variables"},
		} {
			result, err := ada.Do(t.Context(), parleytest.Operation{Query: createTicket, Variables: c.variables})
			if err != nil || result.Code() != "BAD_INPUT" || result.Errors[0].Extensions.Field != c.field {
				t.Errorf("%s: %+v, %v", name, result.Errors, err)
			}
		}
		nobody := &parleytest.Client{URL: nodes[0].URL, HTTP: http.DefaultClient}
		result, err := nobody.Do(t.Context(), parleytest.Operation{Query: createTicket, Variables: map[string]any{"document": messageAdded, "variables": map[string]any{"room": room}}})
		if err != nil || result.Code() != "UNAUTHENTICATED" {
			t.Errorf("nobody's: %+v, %v", result.Errors, err)
		}
	})
	t.Run("a revocation ends it", func(t *testing.T) {
		s := open(t, nodes[1], ticket, "")
		s.Position(t)
		revoke(t, nodes[0], map[string]string{"user": "ada"})
		if f := s.Next(t); f.Result.Code() != "UNAUTHENTICATED" {
			t.Errorf("the stream: %+v", f)
		}
		if _, status, _ := parleytest.OverTicket(t.Context(), nodes[0], ticket, ""); status != http.StatusUnauthorized {
			t.Errorf("the ticket is answered %d", status)
		}
	})
	for _, node := range nodes {
		if strings.Contains(node.Log(), ticket) {
			t.Error("the ticket was logged")
		}
	}
}

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

// ticketWorld is two nodes, and what ada has there.
type ticketWorld struct {
	nodes        []*parleytest.Node
	ada          *parleytest.Client
	room, ticket string
}

// open opens the ticket at a node, until the test ends.
func (w *ticketWorld) open(t *testing.T, node *parleytest.Node, last string) *parleytest.Stream {
	t.Helper()
	s, _, err := parleytest.OverTicket(t.Context(), node, w.ticket, last)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// hears fails unless a message of that content comes next, and returns the cursor after it.
func hears(t *testing.T, s *parleytest.Stream, content string) string {
	t.Helper()
	f := s.Next(t)
	if f.Result.Text("messageAdded", "content") != content {
		t.Fatalf("%+v instead of %q", f, content)
	}
	return f.Cursor
}

// TestIdentityTickets: EventSource opens a subscription by a ticket, on any node; a later stream of
// the same ticket takes over, resuming; revocations and expiries end it; nobody else can use it.
func TestIdentityTickets(t *testing.T) {
	t.Parallel()
	w := &ticketWorld{nodes: twoNodes(t)}
	w.ada = person(t, w.nodes[0], "ada")
	w.room = w.ada.CreateRoom(t, "Tickets")
	w.ticket = ticketFor(t, w.ada, w.room)
	t.Run("a later stream takes over, across nodes, and resumes", w.takesOver)
	t.Run("nothing else is opened by it", w.opensNothingElse)
	t.Run("none is made of what isn't a subscription", w.madeOfSubscriptionsOnly)
	t.Run("a revocation ends it", func(t *testing.T) {
		s := w.open(t, w.nodes[1], "")
		s.Position(t)
		revoke(t, w.nodes[0], map[string]string{"user": "ada"})
		if f := s.Next(t); f.Result.Code() != "UNAUTHENTICATED" {
			t.Errorf("the stream: %+v", f)
		}
		if _, status, _ := parleytest.OverTicket(t.Context(), w.nodes[0], w.ticket, ""); status != http.StatusUnauthorized {
			t.Errorf("the ticket is answered %d", status)
		}
	})
	for _, node := range w.nodes {
		if strings.Contains(node.Log(), w.ticket) {
			t.Error("the ticket was logged")
		}
	}
}

func (w *ticketWorld) takesOver(t *testing.T) {
	first := w.open(t, w.nodes[1], "")
	first.Position(t)
	w.ada.MustSend(t, w.room, "one")
	cursor := hears(t, first, "one")
	w.ada.MustSend(t, w.room, "two")
	begin := time.Now()
	second := w.open(t, w.nodes[0], cursor)
	hears(t, second, "two")
	hears(t, first, "two")
	if f := first.Next(t); f.Result.Code() != "CONFLICT" {
		t.Errorf("the older stream: %+v", f)
	}
	t.Logf("taken over %v later", time.Since(begin))
	third := w.open(t, w.nodes[0], "")
	if f := second.Next(t); f.Result.Code() != "CONFLICT" {
		t.Errorf("the older stream of the same node: %+v", f)
	}
	third.Position(t)
	w.ada.MustSend(t, w.room, "three")
	hears(t, third, "three")
}

func (w *ticketWorld) opensNothingElse(t *testing.T) {
	ticket := w.ticket
	for name, c := range map[string]struct {
		path, accept, authorization string
		status                      int
	}{
		"a query beside it":   {"?ticket=" + ticket + "&query={viewer{id}}", "text/event-stream", "", 400},
		"two of them":         {"?ticket=" + ticket + "&ticket=" + ticket, "text/event-stream", "", 400},
		"a token beside it":   {"?ticket=" + ticket, "text/event-stream", "Bearer " + w.ada.Token, 400},
		"as JSON":             {"?ticket=" + ticket, "application/json", "", 406},
		"half of it":          {"?ticket=" + ticket[:20], "text/event-stream", "", 401},
		"another one":         {"?ticket=" + strings.Repeat("A", len(ticket)), "text/event-stream", "", 401},
		"none":                {"?ticket=", "text/event-stream", "", 401},
		"one that isn't text": {"?ticket=%ff%00", "text/event-stream", "", 401},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.nodes[0].URL+"/graphql"+c.path, nil)
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
}

func (w *ticketWorld) madeOfSubscriptionsOnly(t *testing.T) {
	variables := map[string]any{"room": w.room}
	for name, c := range map[string]struct {
		variables map[string]any
		field     string
	}{
		"a query":                 {map[string]any{"document": "{ viewer { id } }"}, "document"},
		"a mutation":              {map[string]any{"document": createTicket, "variables": map[string]any{"document": "x"}}, "document"},
		"no document":             {map[string]any{"document": ""}, "document"},
		"one that isn't valid":    {map[string]any{"document": "subscription { nothing }"}, "document"},
		"two operations":          {map[string]any{"document": messageAdded + " query Q { viewer { id } }", "variables": variables}, "document"},
		"a variable missing":      {map[string]any{"document": messageAdded}, "variables"},
		"variables that are none": {map[string]any{"document": messageAdded, "variables": []string{"room"}}, "variables"},
	} {
		result, err := w.ada.Do(t.Context(), parleytest.Operation{Query: createTicket, Variables: c.variables})
		if err != nil || result.Code() != "BAD_INPUT" || result.Errors[0].Extensions.Field != c.field {
			t.Errorf("%s: %+v, %v", name, result.Errors, err)
		}
	}
	nobody := &parleytest.Client{URL: w.nodes[0].URL, HTTP: http.DefaultClient}
	result, err := nobody.Do(t.Context(), parleytest.Operation{Query: createTicket, Variables: map[string]any{"document": messageAdded, "variables": variables}})
	if err != nil || result.Code() != "UNAUTHENTICATED" {
		t.Errorf("nobody's: %+v, %v", result.Errors, err)
	}
}

// byHash is an operation as stock clients send it where only trusted documents are served.
func byHash(document string, variables map[string]any) parleytest.Operation {
	return parleytest.Operation{Query: document, Variables: variables, Extensions: map[string]any{
		"persistedQuery": map[string]any{"version": 1, "sha256Hash": hashOf(document)},
	}}
}

// TestIdentityTicketsOfTrustedDocuments: where only trusted documents are served, tickets open nothing
// else: neither when they are made, nor later, when the documents have changed.
func TestIdentityTicketsOfTrustedDocuments(t *testing.T) {
	t.Parallel()
	const create = `mutation { createRoom(input: {name: "Vault"}) { room { id } } }`
	const named = `subscription Typing($room: ID!) { typing(roomId: $room) { users { id } } }`
	documents := map[string]string{"typing": named}
	for _, document := range []string{create, createTicket, parleytest.SendQuery, messageAdded} {
		documents["sha256:"+hashOf(document)] = document
	}
	node, path := startTrusted(t, documents)
	ada := person(t, node, "ada")
	do := func(document string, variables map[string]any) parleytest.Result {
		t.Helper()
		result, err := ada.Do(t.Context(), byHash(document, variables))
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	room := do(create, nil).Text("createRoom", "room", "id")
	makeTicket := func(document string) parleytest.Result {
		t.Helper()
		return do(createTicket, map[string]any{"document": document, "variables": map[string]any{"room": room}})
	}
	made := makeTicket(messageAdded)
	w := &ticketWorld{nodes: []*parleytest.Node{node}, ada: ada, room: room, ticket: made.Text("createTicket", "ticket")}
	if w.ticket == "" {
		t.Fatalf("no ticket: %+v", made.Errors)
	}
	s := w.open(t, node, "")
	s.Position(t)
	do(parleytest.SendQuery, map[string]any{"room": room, "content": "heard"})
	hears(t, s, "heard")
	for name, document := range map[string]string{
		"one that isn't trusted":          roomEvents,
		"a trusted one with a blank more": messageAdded + " ",
		"one whose id isn't its hash":     named,
		"a trusted mutation":              create,
	} {
		if result := makeTicket(document); result.Code() != "BAD_INPUT" || result.Errors[0].Extensions.Field != "document" {
			t.Errorf("%s: %s %+v", name, result.Data, result.Errors)
		}
	}

	node.Stop()
	delete(documents, "sha256:"+hashOf(messageAdded))
	writeTrusted(t, path, documents)
	node.Restart()
	if f := w.open(t, node, "").Next(t); f.Result.Code() != "BAD_INPUT" {
		t.Errorf("a ticket of a document that is trusted no more: %+v", f)
	}
}

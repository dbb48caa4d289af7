package resolvers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/auth"
	"parley/chat"
	"parley/graph"
)

func (m mutation) CreateTicket(ctx context.Context, input graph.CreateTicketInput) (*graph.CreateTicketPayload, error) {
	if _, err := viewer(ctx); err != nil {
		return nil, err
	}
	given := input.Variables.Value()
	variables, ok := given.(map[string]any)
	if !ok && given != nil {
		return nil, chat.Errorf(chat.BadInput, "variables must be an object").InField("variables")
	}
	kind, errs := m.Validate(ctx, TicketOperation(input.Document, variables))
	switch {
	case errs != nil:
		return nil, unfitForTicket(errs[0])
	case kind != ast.Subscription:
		return nil, chat.Errorf(chat.BadInput, "a ticket opens a subscription, not a %s", kind).InField("document")
	}
	v := auth.ViewerFrom(ctx)
	ticket, err := m.Tickets.Create(ctx, v, input.Document, variables)
	if err != nil {
		return nil, err
	}
	expires := v.Expires.Add(-auth.Leeway).UTC().Truncate(time.Millisecond)
	return &graph.CreateTicketPayload{Ticket: ticket, ExpiresAt: expires}, nil
}

// TicketOperation is what a ticket opens, as if it came by itself. Where only trusted documents are
// served, it names its own by the hash, which is the id that they have as a rule.
func TicketOperation(document string, variables map[string]any) *graphql.RawParams {
	hash := sha256.Sum256([]byte(document))
	return &graphql.RawParams{
		Query: document, Variables: variables,
		Extensions: map[string]any{"documentId": hex.EncodeToString(hash[:])},
	}
}

// unfitForTicket says of a ticket's operation what would be said of it if it came by itself.
func unfitForTicket(g *gqlerror.Error) error {
	field := "document"
	if g.Extensions["field"] != nil {
		field = "variables"
	}
	return chat.Errorf(chat.Code(fmt.Sprint(g.Extensions["code"])), "%s", g.Message).InField(field)
}

package resolvers

import (
	"context"
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
	kind, errs := m.Validate(ctx, &graphql.RawParams{Query: input.Document, Variables: variables})
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

// unfitForTicket says of a ticket's operation what would be said of it if it came by itself.
func unfitForTicket(g *gqlerror.Error) error {
	field := "document"
	if g.Extensions["field"] != nil {
		field = "variables"
	}
	return chat.Errorf(chat.Code(fmt.Sprint(g.Extensions["code"])), "%s", g.Message).InField(field)
}

package resolvers

import (
	"context"
	"errors"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/auth"
	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/render"
)

// PresentError is the table of what errors mean to a client (graphql.ErrorPresenterFunc): a code, a
// message without anything internal, the field at fault. What it doesn't know is INTERNAL: logged,
// not shown.
func PresentError(log *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		shown := domainError(err)
		if shown.Code == chat.Internal {
			log.ErrorContext(ctx, "internal error", "path", graphql.GetPath(ctx).String(), "error", err)
		}
		return present(ctx, err, shown)
	}
}

// present writes an error down for a client. Err stays inside, for those who ask with errors.Is.
func present(ctx context.Context, err error, shown *chat.Error) *gqlerror.Error {
	out := &gqlerror.Error{
		Err: err, Message: shown.Message, Path: graphql.GetPath(ctx),
		Extensions: map[string]any{"code": shown.Code},
	}
	if shown.Field != "" {
		out.Extensions["field"] = shown.Field
	}
	if reset, ok := errors.AsType[*delivery.ResetError](err); ok && reset.Tail.Kind != 0 {
		out.Extensions["cursor"] = reset.Tail.String()
	}
	if g, ok := errors.AsType[*gqlerror.Error](err); ok {
		out.Locations, out.Rule = g.Locations, g.Rule
		if g.Path != nil {
			out.Path = g.Path
		}
	}
	return out
}

func domainError(err error) *chat.Error {
	if own, ok := errors.AsType[*chat.Error](err); ok {
		return own
	}
	if _, ok := errors.AsType[*delivery.ResetError](err); ok {
		return chat.Errorf(chat.HistoryLost, "the history this subscription followed is gone: read a page and go on from there")
	}
	for _, row := range []struct {
		is      error
		code    chat.Code
		message string
	}{
		{delivery.ErrAccessRevoked, chat.Forbidden, "you are no longer a member of this room"},
		{delivery.ErrClosed, chat.Unavailable, "the server is going away; connect again"},
		{eventlog.ErrBadCursor, chat.BadInput, "not a valid cursor"},
		{eventlog.ErrNoLog, chat.NotFound, "no such room"},
		{eventlog.ErrUnavailable, chat.Unavailable, "the store can't answer now; try again later"},
		{render.ErrDefer, chat.BadInput, "@defer isn't possible in a subscription"},
		{auth.ErrExpired, chat.Unauthenticated, "the token has expired"},
		{auth.ErrBadToken, chat.Unauthenticated, "the token isn't valid"},
		{auth.ErrNoToken, chat.Unauthenticated, "sign in first: this needs a token"},
		{context.DeadlineExceeded, chat.Unavailable, "it took too long; try again later"},
		{context.Canceled, chat.Unavailable, "the request was given up"},
	} {
		if errors.Is(err, row.is) {
			return chat.Errorf(row.code, "%s", row.message)
		}
	}
	return graphqlError(err)
}

// graphqlError tells errors that gqlgen makes of the request (parsing, validation, coercion) from
// errors that our code let slip through.
func graphqlError(err error) *chat.Error {
	if g, ok := errors.AsType[*gqlerror.Error](err); ok && g.Err == nil {
		if code, _ := g.Extensions["code"].(chat.Code); code != "" {
			return &chat.Error{Code: code, Message: g.Message}
		}
		return chat.Errorf(chat.BadInput, "%s", g.Message)
	}
	return &chat.Error{Code: chat.Internal, Message: "something went wrong on our side", Cause: err}
}

package resolvers

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/auth"
	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/ratelimit"
	"parley/render"
)

// sentinels is what the errors of packages that can't import chat mean to a client.
var sentinels = []struct {
	is      error
	code    chat.Code
	message string
}{
	{delivery.ErrAccessRevoked, chat.Forbidden, "you are no longer a member of this room"},
	{delivery.ErrTooManyAudiences, chat.LimitExceeded, "too many follow this room who may read different parts of it, or ask about themselves: ask without the fields marked @viewer"},
	{delivery.ErrClosed, chat.Unavailable, "the server is going away; connect again"},
	{eventlog.ErrBadCursor, chat.BadInput, "not a valid cursor"},
	{eventlog.ErrNoLog, chat.NotFound, "no such room"},
	{eventlog.ErrUnavailable, chat.Unavailable, "the store can't answer now; try again later"},
	{render.ErrDefer, chat.BadInput, "@defer isn't possible in a subscription"},
	{render.ErrOneField, chat.BadInput, "a subscription has exactly one field"},
	{auth.ErrExpired, chat.Unauthenticated, "the token has expired"},
	{auth.ErrBadToken, chat.Unauthenticated, "the token isn't valid"},
	{auth.ErrNoToken, chat.Unauthenticated, "sign in first: this needs a token"},
	{auth.ErrUnavailable, chat.Unavailable, "the token can't be checked now; try again later"},
	{auth.ErrOtherUser, chat.Forbidden, "the token is another user's"},
	{auth.ErrNoConnection, chat.BadInput, auth.ErrNoConnection.Error()},
	{context.DeadlineExceeded, chat.Unavailable, "it took too long; try again later"},
	{context.Canceled, chat.Unavailable, "the request was given up"},
}

// requestCodes are those of errors that gqlgen, its extensions and the transports make of a request
// before it is executed; their messages are fit for the client's eyes.
var requestCodes = map[string]chat.Code{
	errcode.ParseFailed:         chat.BadInput,
	errcode.ValidationFailed:    chat.BadInput,
	"COMPLEXITY_LIMIT_EXCEEDED": chat.LimitExceeded,
	string(chat.BadInput):       chat.BadInput,
	string(chat.Forbidden):      chat.Forbidden,
	string(chat.LimitExceeded):  chat.LimitExceeded,
	string(chat.Unavailable):    chat.Unavailable,
}

const (
	// maxMessage bounds what repeats words of the client's, in bytes.
	maxMessage = 200
	// Words for what has none of its own fit for a client.
	internalMessage = "something went wrong on our side"
	wrongType       = "not a value of the type that is expected here"
	tooOften        = "too often: come back when retryAfter, in seconds, is over"
)

// PresentError is the table of what errors mean to a client (graphql.ErrorPresenterFunc): a code, a
// message without anything internal, the input at fault. What it doesn't know is INTERNAL: logged,
// not shown.
func PresentError(log *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		shown := meaning(ctx, err)
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
	if shown.Code == chat.Internal {
		out.Message = internalMessage
	}
	if shown.Field != "" {
		out.Extensions["field"] = shown.Field
	}
	if shown.RetryAfter > 0 {
		out.Extensions["retryAfter"] = ratelimit.Seconds(shown.RetryAfter)
	}
	if reset, ok := errors.AsType[*delivery.ResetError](err); ok && reset.Tail.Kind != 0 {
		out.Extensions["cursor"] = reset.Tail.String()
	}
	if g, ok := errors.AsType[*gqlerror.Error](err); ok {
		out.Locations, out.Rule = g.Locations, g.Rule
		if g.Path != nil && inputAtFault(ctx, g) == "" {
			out.Path = g.Path
		}
	}
	return out
}

// meaning returns what an error means to a client.
func meaning(ctx context.Context, err error) *chat.Error {
	if wait, ok := ratelimit.RetryAfter(err); ok {
		return &chat.Error{Code: chat.RateLimited, Message: tooOften, RetryAfter: wait}
	}
	if own, ok := errors.AsType[*chat.Error](err); ok {
		return own
	}
	if _, ok := errors.AsType[*delivery.ResetError](err); ok {
		return chat.Errorf(chat.HistoryLost, "the history this subscription followed is gone: read a page and go on from there")
	}
	g, isGraphQL := errors.AsType[*gqlerror.Error](err)
	field := ""
	if isGraphQL {
		field = inputAtFault(ctx, g)
	}
	for _, row := range sentinels {
		if errors.Is(err, row.is) {
			return chat.Errorf(row.code, "%s", row.message).InField(field)
		}
	}
	if isGraphQL {
		if shown := ofRequest(g); shown != nil {
			return shown.InField(cmp.Or(field, shown.Field))
		}
	}
	if field != "" {
		return chat.Errorf(chat.BadInput, wrongType).InField(field)
	}
	return &chat.Error{Code: chat.Internal, Message: internalMessage, Cause: err}
}

// ofRequest returns what an error of the request, made before anything was executed, means to a
// client; nil for other errors.
func ofRequest(g *gqlerror.Error) *chat.Error {
	text, _ := g.Extensions["code"].(string)
	code, ok := requestCodes[text]
	switch {
	case !ok:
		return nil
	case g.Err != nil: // the words are another library's
		return chat.Errorf(code, wrongType)
	}
	field, _ := g.Extensions["field"].(string)
	return chat.Errorf(code, "%s", shortened(g.Message)).InField(shortened(field))
}

// inputAtFault returns the name of the input that couldn't be coerced, for an error about one: its
// path leads from "variable", or from the field that is resolved, on to the input.
func inputAtFault(ctx context.Context, g *gqlerror.Error) string {
	rest := g.Path
	if field := graphql.GetFieldContext(ctx); field != nil {
		rest = rest[min(len(field.Path()), len(rest)):]
	} else if len(rest) == 0 || rest[0] != ast.PathName("variable") {
		return ""
	}
	for i := len(rest) - 1; i >= 0; i-- {
		if name, ok := rest[i].(ast.PathName); ok {
			return shortened(string(name))
		}
	}
	return ""
}

func shortened(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	end := maxMessage
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

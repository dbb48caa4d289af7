// Package resolvers maps the fields of the schema to calls of the application: one file per noun,
// no rules of its own. What spans two packages is joined here.
package resolvers

import (
	"context"
	"log/slog"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/auth"
	"parley/chat"
	"parley/eventlog"
	"parley/graph"
	"parley/presence"
	"parley/ratelimit"
	"parley/render"
)

// Resolver is the root of all resolvers (graph.ResolverRoot).
type Resolver struct {
	Chat     *chat.Service
	Tracker  *presence.Tracker
	Presence presence.Store
	State    eventlog.State
	// Log is watched for who comes and goes in a room whose presence is followed.
	Log eventlog.Log
	// CutOff says whether the store has been silent about a log for too long; nil means never.
	CutOff func(log string) bool
	// RefreshSession has the connection that carries the operation of ctx go on with another token,
	// and returns its end.
	RefreshSession func(ctx context.Context, token string) (expires time.Time, err error)
	// Tickets are made here; Validate judges what they shall open as an operation that came by itself.
	Tickets  *auth.Tickets
	Validate func(context.Context, *graphql.RawParams) (ast.Operation, gqlerror.List)
	// PollAfterSeconds is what clients that poll are told.
	PollAfterSeconds int
	// MaxPresence bounds the members of a room whose presence may be followed; 0 means 1,000.
	MaxPresence int
	// TypingRate bounds how often a user says that they type; nil doesn't.
	TypingRate *ratelimit.Limiter
	// Logger takes what operators should know; nil means slog.Default().
	Logger *slog.Logger
}

func (r *Resolver) log() *slog.Logger {
	if r.Logger == nil {
		return slog.Default()
	}
	return r.Logger
}

type (
	query        struct{ *Resolver }
	mutation     struct{ *Resolver }
	subscription struct{ *Resolver }
)

// Query, Mutation and Subscription are the roots; the others are types with fields that need more
// than their object holds.
func (r *Resolver) Query() graph.QueryResolver               { return query{r} }
func (r *Resolver) Mutation() graph.MutationResolver         { return mutation{r} }
func (r *Resolver) Subscription() graph.SubscriptionResolver { return subscription{r} }
func (r *Resolver) Room() graph.RoomResolver                 { return room{r} }
func (r *Resolver) RoomMember() graph.RoomMemberResolver     { return member{r} }
func (r *Resolver) Message() graph.MessageResolver           { return message{r} }

func (r *Resolver) MessageSent() graph.MessageSentResolver     { return event[*chat.MessageSent]{r} }
func (r *Resolver) MessageEdited() graph.MessageEditedResolver { return event[*chat.MessageEdited]{r} }
func (r *Resolver) MessageDeleted() graph.MessageDeletedResolver {
	return event[*chat.MessageDeleted]{r}
}
func (r *Resolver) MemberJoined() graph.MemberJoinedResolver   { return event[*chat.MemberJoined]{r} }
func (r *Resolver) MemberLeft() graph.MemberLeftResolver       { return event[*chat.MemberLeft]{r} }
func (r *Resolver) MemberRemoved() graph.MemberRemovedResolver { return event[*chat.MemberRemoved]{r} }
func (r *Resolver) MemberRoleChanged() graph.MemberRoleChangedResolver {
	return event[*chat.MemberRoleChanged]{r}
}
func (r *Resolver) RoomUpdated() graph.RoomUpdatedResolver { return event[*chat.RoomUpdated]{r} }
func (r *Resolver) RoomReset() graph.RoomResetResolver     { return event[*chat.RoomReset]{r} }

// roomOf reads the room an object belongs to. Whoever is shown an event may know of its room; whoever
// got the object otherwise is judged anew, for one who was removed may still repeat a sending.
func (r *Resolver) roomOf(ctx context.Context, id string) (*chat.Room, error) {
	if render.Rendering(ctx) {
		room, err := r.Chat.RoomByID(ctx, id)
		return &room, err
	}
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	room, err := r.Chat.Room(ctx, v.ID, id)
	return &room, err
}

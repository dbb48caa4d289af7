package resolvers

import (
	"context"

	"parley/auth"
	"parley/chat"
	"parley/presence"
	"parley/render"
)

// viewer returns who asks, or UNAUTHENTICATED. In a shared rendering nobody does: that fails, and
// the event is rendered per viewer instead.
func viewer(ctx context.Context) (chat.User, error) {
	if render.RefuseViewer(ctx) {
		return chat.User{}, chat.Errorf(chat.Internal, "no viewer in a shared rendering")
	}
	v := auth.ViewerFrom(ctx)
	if v == nil {
		return chat.User{}, chat.Errorf(chat.Unauthenticated, "sign in first: this needs a token")
	}
	user := chat.User{ID: v.ID, AvatarURL: v.AvatarURL}
	if v.Name != v.ID {
		user.Name = v.Name
	}
	return user, nil
}

// asViewer returns a function that puts the viewer of ctx into another context, for renderings
// that are the viewer's alone.
func asViewer(ctx context.Context) func(context.Context) context.Context {
	v := auth.ViewerFrom(ctx)
	return func(ctx context.Context) context.Context { return auth.WithViewer(ctx, v) }
}

// PresenceUser is the viewer of ctx as presence shows them, and false for nobody.
func PresenceUser(ctx context.Context) (presence.User, bool) {
	user, err := viewer(ctx)
	return presence.User(user), err == nil
}

// Viewer is the field Query.viewer: null for nobody.
func (query) Viewer(ctx context.Context) (*chat.User, error) {
	user, err := viewer(ctx)
	if chat.CodeOf(err) == chat.Unauthenticated {
		return nil, nil
	}
	return &user, err
}

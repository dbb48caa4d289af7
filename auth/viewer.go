package auth

import (
	"context"
	"time"
)

// Viewer is the signed-in user on whose behalf an operation runs. It is shared
// by everything that serves one request or connection: treat it as read-only.
type Viewer struct {
	// ID is the token's subject: 1 to [MaxUserIDBytes] bytes of UTF-8 without
	// control characters, never beginning like an id of a room, message or member.
	ID string
	// Name is what others see: 1 to [MaxNameLength] characters, none of them a control
	// character. It is the ID, whole, when the token names nobody.
	Name string
	// AvatarURL is an absolute http or https URL, or empty.
	AvatarURL string
	// TokenID is the token's jti (RFC 7519 §4.1.7), by which a single token can be
	// revoked; empty when it has none.
	TokenID string
	// IssuedAt is the token's iat, in whole seconds; zero when it has none.
	IssuedAt time.Time
	// Expires is the instant from which the token is refused: its exp claim plus
	// [Leeway]. Whatever outlives a request ends then.
	Expires time.Time
}

type viewerKey struct{}

// WithViewer returns a context that carries the viewer.
func WithViewer(ctx context.Context, viewer *Viewer) context.Context {
	return context.WithValue(ctx, viewerKey{}, viewer)
}

// ViewerFrom returns the viewer that ctx carries, nil when nobody is signed in.
func ViewerFrom(ctx context.Context) *Viewer {
	viewer, _ := ctx.Value(viewerKey{}).(*Viewer)
	return viewer
}

package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"parley/auth"
)

// identity is how the server knows who asks: by tokens of a secret that operators set, or, in
// development, of one that the server keeps and signs with.
type identity struct {
	verifier auth.Verifier
	origins  *auth.Origins
	signer   *auth.Signer // nil outside development
}

func newIdentity(c *config) (*identity, error) {
	secret := []byte(c.AuthSecret)
	var err error
	if c.development() {
		if secret, err = auth.LoadOrCreateSecret(c.Data); err != nil {
			return nil, err
		}
	}
	var i identity
	if i.verifier, err = auth.NewHS256Verifier(secret, auth.Options{}); err != nil {
		return nil, err
	}
	if i.origins, err = auth.NewOrigins(c.Origins, c.development()); err != nil {
		return nil, err
	}
	if c.development() {
		i.signer, err = auth.NewSigner(secret)
	}
	return &i, err
}

// keep returns a context that holds, of a request, only what its connection needs to live on.
func (i *identity) keep(r *http.Request) context.Context {
	if v := auth.ViewerFrom(r.Context()); v != nil {
		return auth.WithViewer(context.Background(), v)
	}
	return context.Background()
}

// fromPayload authenticates a WebSocket by the payload of connection_init. Without a token there,
// the viewer of the handshake stays, if any: nobody may still ask who they are.
func (i *identity) fromPayload(ctx context.Context, payload map[string]any) (context.Context, error) {
	token, err := auth.BearerFromPayload(payload)
	if errors.Is(err, auth.ErrNoToken) && auth.ViewerFrom(ctx) != nil {
		return ctx, nil
	}
	if err != nil {
		return nil, err
	}
	viewer, err := i.verifier.Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	return auth.WithViewer(ctx, viewer), nil
}

func (i *identity) expires(ctx context.Context) (time.Time, bool) {
	v := auth.ViewerFrom(ctx)
	if v == nil {
		return time.Time{}, false
	}
	return v.Expires, !v.Expires.IsZero()
}

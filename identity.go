package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"parley/auth"
	"parley/transport"
)

// identity is how the server knows who asks: by tokens of a secret that operators set, of an
// issuer that publishes its keys, or, in development, of a secret that the server keeps and signs
// with.
type identity struct {
	verifier auth.Verifier
	origins  *auth.Origins
	signer   *auth.Signer // nil outside development
	keys     *auth.KeySet // nil where tokens are signed by a secret
	// spread is how long before its token's end a connection may be closed.
	spread time.Duration
}

func newIdentity(c *config, log *slog.Logger) (*identity, error) {
	i := &identity{spread: c.ExpirySpread}
	var err error
	if i.origins, err = auth.NewOrigins(c.Origins, c.development()); err != nil {
		return nil, err
	}
	options := auth.Options{Issuer: c.AuthIssuer, Audience: c.AuthAudience}
	if c.AuthJWKSURL != "" {
		i.keys, err = auth.NewKeySet(auth.KeySetOptions{URL: c.AuthJWKSURL, Refresh: c.AuthJWKSRefresh, Log: log})
		if err != nil {
			return nil, fmt.Errorf("PARLEY_AUTH_JWKS_URL: %w", err)
		}
		i.verifier = auth.NewKeySetVerifier(i.keys, options)
		return i, nil
	}
	secret := []byte(c.AuthSecret)
	if c.development() {
		if secret, err = auth.LoadOrCreateSecret(c.Data); err != nil {
			return nil, err
		}
		if i.signer, err = auth.NewSigner(secret); err != nil {
			return nil, err
		}
	}
	i.verifier, err = auth.NewHS256Verifier(secret, options)
	return i, err
}

// run keeps current what tokens are verified with, until ctx ends.
func (i *identity) run(ctx context.Context) error {
	if i.keys == nil {
		return nil
	}
	return i.keys.Run(ctx)
}

// ready reports whether tokens can be verified at all.
func (i *identity) ready() bool { return i.keys == nil || i.keys.Ready() }

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
	viewer, err := i.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	return auth.WithViewer(ctx, viewer), nil
}

// verify tells the transports which errors aren't the token's fault.
func (i *identity) verify(ctx context.Context, token string) (*auth.Viewer, error) {
	viewer, err := i.verifier.Verify(ctx, token)
	if err != nil && !errors.Is(err, auth.ErrBadToken) {
		err = fmt.Errorf("%w: %w", transport.ErrTryLater, err)
	}
	return viewer, err
}

// expires returns when the viewer's connection is to be closed: never later than its token is
// refused, and at some moment of the spread before, for many tokens may end together. It takes at
// most half of what is left of a token's life.
func (i *identity) expires(ctx context.Context) (time.Time, bool) {
	v := auth.ViewerFrom(ctx)
	if v == nil {
		return time.Time{}, false
	}
	spread := min(i.spread, time.Until(v.Expires)/2)
	return v.Expires.Add(-rand.N(max(spread, 0) + 1)), !v.Expires.IsZero()
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/prometheus/client_golang/prometheus"

	"parley/auth"
	"parley/reservation"
	"parley/resolvers"
	"parley/transport"
)

// identity is how the server knows who asks: by tokens of a secret that operators set, of an
// issuer that publishes its keys, or, in development, of a secret that the server keeps and signs
// with.
type identity struct {
	verifier    auth.Verifier
	origins     *auth.Origins
	signer      *auth.Signer // nil outside development
	keys        *auth.KeySet // nil where tokens are signed by a secret
	revocations *auth.Revocations
	tickets     *auth.Tickets
	// spread is how long before its token's end a connection may be closed.
	spread time.Duration
}

func newIdentity(c *config, store auth.Store, log *slog.Logger, metrics prometheus.Registerer) (*identity, error) {
	i := &identity{spread: c.ExpirySpread}
	i.revocations = auth.NewRevocations(store, auth.RevocationOptions{
		Keep: keptFor(c.AuthMaxLifetime), Most: c.MaxRevocations, Cutoff: c.Cutoff, Log: log, Registerer: metrics,
	})
	i.tickets = auth.NewTickets(store, i.revocations, auth.TicketOptions{TTL: c.TicketTTL, Most: c.MaxTickets})
	verifier, err := i.newVerifier(c, log)
	if err != nil {
		return nil, err
	}
	i.verifier = i.revocations.Verifier(verifier)
	i.origins, err = auth.NewOrigins(c.Origins, c.development())
	return i, err
}

// keptFor is how long a revocation must be remembered: as long as a token of its time is accepted.
func keptFor(maxLifetime time.Duration) time.Duration {
	if maxLifetime == 0 {
		return 0 // for ever
	}
	return maxLifetime + 3*auth.Leeway
}

// newVerifier returns what judges a token by itself.
func (i *identity) newVerifier(c *config, log *slog.Logger) (v auth.Verifier, err error) {
	options := auth.Options{Issuer: c.AuthIssuer, Audience: c.AuthAudience, MaxLifetime: c.AuthMaxLifetime}
	if c.AuthJWKSURL != "" {
		i.keys, err = auth.NewKeySet(auth.KeySetOptions{URL: c.AuthJWKSURL, Refresh: c.AuthJWKSRefresh, Log: log})
		if err != nil {
			return nil, fmt.Errorf("PARLEY_AUTH_JWKS_URL: %w", err)
		}
		return auth.NewKeySetVerifier(i.keys, options), nil
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
	return auth.NewHS256Verifier(secret, options)
}

// parts are what keeps current, in the background, what tokens and tickets are judged by.
func (i *identity) parts() map[string]func(context.Context) error {
	parts := map[string]func(context.Context) error{
		"revocations": i.revocations.Run, "tickets": i.tickets.Run,
	}
	if i.keys != nil {
		parts["keys"] = i.keys.Run
	}
	return parts
}

// ready reports whether tokens can be verified at all.
func (i *identity) ready() bool {
	return (i.keys == nil || i.keys.Ready()) && i.revocations.Current()
}

// keep returns a context that holds, of a request, only what its connection needs to live on.
func (i *identity) keep(r *http.Request) context.Context {
	kept := located(r.Context())
	if v := auth.ViewerFrom(r.Context()); v != nil {
		kept = auth.WithViewer(kept, v)
	}
	return kept
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

func (i *identity) verify(ctx context.Context, token string) (*auth.Viewer, error) {
	viewer, err := i.verifier.Verify(ctx, token)
	return viewer, tryLater(err)
}

// tryLater tells the transports which errors aren't the fault of a token or ticket.
func tryLater(err error) error {
	if err != nil && !errors.Is(err, auth.ErrBadToken) {
		err = fmt.Errorf("%w: %w", transport.ErrTryLater, err)
	}
	return err
}

// refresh has the connection that carries an operation go on with another token of its user's.
func (i *identity) refresh(ctx context.Context, token string) (expires time.Time, err error) {
	conn := transport.ConnFrom(ctx)
	if conn == nil {
		return time.Time{}, auth.ErrNoConnection
	}
	viewer, err := i.verifier.Verify(ctx, token)
	if err != nil {
		return time.Time{}, err
	}
	return viewer.Expires.Add(-auth.Leeway), i.renew(conn, viewer)
}

// refreshFromPayload does the same with the payload of a pong, which need not hold a token.
func (i *identity) refreshFromPayload(conn *transport.Conn, payload map[string]any) error {
	token, err := auth.BearerFromPayload(payload)
	if errors.Is(err, auth.ErrNoToken) {
		return nil
	}
	if err != nil {
		return err
	}
	viewer, err := i.verify(conn.Context(), token)
	if err != nil {
		return err
	}
	return i.renew(conn, viewer)
}

func (i *identity) renew(conn *transport.Conn, viewer *auth.Viewer) error {
	if before := auth.ViewerFrom(conn.Context()); before == nil || before.ID != viewer.ID {
		return auth.ErrOtherUser
	}
	conn.Renew(func(base context.Context) context.Context {
		i.hold(conn, viewer)
		return auth.WithViewer(base, viewer)
	})
	return nil
}

// hold has a connection end when its viewer's token is revoked.
func (i *identity) hold(conn *transport.Conn, viewer *auth.Viewer) {
	i.revocations.Hold(conn, viewer, func() { conn.Close(transport.ReasonRevoked) })
}

// attend has a connection end when its token is revoked, or the ticket that opened it opens another.
func (i *identity) attend(ctx context.Context, conn *transport.Conn, viewer *auth.Viewer) (release func()) {
	i.hold(conn, viewer)
	drop := func() { i.revocations.Drop(conn) }
	admission, ok := ctx.Value(admissionKey{}).(*auth.Admission)
	if !ok {
		return drop
	}
	giveUp, err := i.tickets.Serve(ctx, admission, func() { conn.Close(transport.ReasonTakenOver) })
	switch {
	case errors.Is(err, auth.ErrBadTicket):
		conn.Close(transport.ReasonForbidden.Because("The ticket has expired"))
		return drop
	case err != nil:
		conn.Close(transport.ReasonOverload.Because("The ticket can't be checked now, please reconnect"))
		return drop
	}
	return func() {
		giveUp()
		drop()
	}
}

type admissionKey struct{}

// redeem reads a ticket; attend opens it, once nothing stands against the stream.
func (i *identity) redeem(ctx context.Context, ticket string) (context.Context, *graphql.RawParams, error) {
	admission, err := i.tickets.Read(ctx, ticket)
	if err != nil {
		return nil, nil, tryLater(err)
	}
	var variables map[string]any
	if admission.Variables != nil {
		decoder := json.NewDecoder(bytes.NewReader(admission.Variables))
		decoder.UseNumber() // as they were written
		if err := decoder.Decode(&variables); err != nil {
			return nil, nil, err
		}
	}
	base := context.WithValue(located(ctx), admissionKey{}, admission)
	return auth.WithViewer(base, admission.Viewer), resolvers.TicketOperation(admission.Document, variables), nil
}

// holder is whose the reservation is that a connection of ctx makes.
func (i *identity) holder(ctx context.Context) (reservation.Holder, bool) {
	viewer := auth.ViewerFrom(ctx)
	if viewer == nil {
		return reservation.Holder{}, false
	}
	text, err := json.Marshal(viewer)
	return reservation.Holder{User: viewer.ID, Viewer: text, Expires: viewer.Expires}, err == nil
}

// heldBy returns the viewer of a reservation, if they are still who may.
func (i *identity) heldBy(text []byte) (*auth.Viewer, error) {
	var viewer auth.Viewer
	if err := json.Unmarshal(text, &viewer); err != nil {
		return nil, fmt.Errorf("%w: a reservation in the store can't be read", transport.ErrTryLater)
	}
	if !time.Now().Before(viewer.Expires) {
		return nil, auth.ErrExpired
	}
	return &viewer, tryLater(i.revocations.Check(&viewer))
}

// admit lets the holder of a reservation in who shows nothing else, as EventSource can't.
func (i *identity) admit(r *http.Request, text []byte) (context.Context, error) {
	viewer, err := i.heldBy(text)
	if err != nil {
		return nil, err
	}
	return auth.WithViewer(located(r.Context()), viewer), nil
}

// renewHolder has a stream go on with the newer token that came with an operation.
func (i *identity) renewHolder(conn *transport.Conn, text []byte) error {
	viewer, err := i.heldBy(text)
	if err != nil {
		return err
	}
	return i.renew(conn, viewer)
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

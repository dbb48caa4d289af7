package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/auth"
	"parley/transport"
)

// TestExpiriesAreSpread: connections whose tokens end together are closed one after the other, none
// after its token's end.
func TestExpiriesAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &identity{spread: 5 * time.Second}
		for life, spread := range map[time.Duration]time.Duration{
			time.Hour: 5 * time.Second, 4 * time.Second: 2 * time.Second, -time.Minute: 0,
		} {
			end := time.Now().Add(life)
			ctx := auth.WithViewer(context.Background(), &auth.Viewer{ID: "ada", Expires: end})
			const n = 1000
			early := 0
			for range n {
				at, ok := i.expires(ctx)
				if !ok || at.After(end) || at.Before(end.Add(-spread)) {
					t.Fatalf("life %v: closed %v after its end", life, at.Sub(end))
				}
				if at.Before(end.Add(-spread / 2)) {
					early++
				}
			}
			if spread > 0 && (early < n/3 || early > 2*n/3) {
				t.Errorf("life %v: %d of %d in the first half of the spread", life, early, n)
			}
		}
		if _, ok := i.expires(context.Background()); ok {
			t.Error("nobody's right ends")
		}
	})
}

// TestUncheckableTokens aren't refused for good: the transports are told to have the client try again.
func TestUncheckableTokens(t *testing.T) {
	c, err := settings(t, "--auth-jwks-url=http://127.0.0.1:1/keys")
	if err != nil {
		t.Fatal(err)
	}
	i, err := newIdentity(c, nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	const token = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody fetches keys here
	if _, err := i.fromPayload(ctx, map[string]any{"Authorization": "Bearer " + token}); !errors.Is(err, transport.ErrTryLater) {
		t.Errorf("a token whose key can't be known: %v", err)
	}
	if _, err := i.fromPayload(ctx, map[string]any{"Authorization": "Bearer rubbish"}); !errors.Is(err, auth.ErrBadToken) || errors.Is(err, transport.ErrTryLater) {
		t.Errorf("rubbish: %v", err)
	}
	if i.ready() {
		t.Error("ready without keys")
	}
	c.AuthJWKSURL = "http://issuer.test/keys"
	if _, err := newIdentity(c, nil, slog.Default(), nil); err == nil || !strings.Contains(err.Error(), "PARLEY_AUTH_JWKS_URL") {
		t.Errorf("keys over plain http: %v", err)
	}
}

package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley/auth"
)

// drawer is a store of tickets that nodes share.
type drawer struct {
	mu       sync.Mutex
	tickets  map[string]auth.Ticket
	openings map[string]uint64
	looks    map[*func()]bool
	fails    bool
	kept     strings.Builder
}

func newDrawer() *drawer {
	return &drawer{tickets: map[string]auth.Ticket{}, openings: map[string]uint64{}, looks: map[*func()]bool{}}
}

func (d *drawer) PutTicket(_ context.Context, t auth.Ticket, _ time.Duration, _ int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tickets[t.ID] = t
	d.kept.WriteString(t.ID + t.User + string(t.Payload))
	return nil
}

func (d *drawer) OpenTicket(_ context.Context, id string) (auth.Ticket, uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.tickets[id]
	if !ok {
		return t, 0, auth.ErrBadTicket
	}
	d.openings[id]++
	for look := range d.looks {
		(*look)()
	}
	return t, d.openings[id], nil
}

func (d *drawer) TicketOpenings(_ context.Context, ids []string) ([]uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails {
		return nil, errDown
	}
	openings := make([]uint64, len(ids))
	for i, id := range ids {
		openings[i] = d.openings[id]
	}
	return openings, nil
}

func (d *drawer) WatchTicket(_ context.Context, _ string, look func()) (stop func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails {
		return nil, errDown
	}
	d.looks[&look] = true
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.looks, &look)
	}, nil
}

func (d *drawer) fail(fails bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails = fails
}

func ticketsOf(t *testing.T, d *drawer, r *auth.Revocations) *auth.Tickets {
	t.Helper()
	tickets := auth.NewTickets(d, r, auth.TicketOptions{})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = tickets.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return tickets
}

func TestTicketsServeOneStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDrawer()
		revocations := nodeOf(t, &registry{}, auth.RevocationOptions{})
		here, there := ticketsOf(t, d, revocations), ticketsOf(t, d, revocations)
		viewer := &auth.Viewer{ID: "ada", Name: "Ada", TokenID: "t1", Expires: time.Now().Add(time.Hour)}
		secret, err := here.Create(t.Context(), viewer, "subscription { x }", map[string]any{"n": json.Number("1.50")})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(d.kept.String(), secret) {
			t.Error("the secret is kept")
		}
		serve := func(at *auth.Tickets, o *auth.Opening) (ended *atomic.Int64, release func()) {
			t.Helper()
			ended = &atomic.Int64{}
			release, err := at.Serve(t.Context(), o, func() { ended.Add(1) })
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return ended, release
		}
		open := func(at *auth.Tickets) *auth.Opening {
			t.Helper()
			o, err := at.Open(t.Context(), secret)
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		o := open(there)
		if o.Viewer.Name != "Ada" || !o.Viewer.Expires.Equal(viewer.Expires) || o.Document != "subscription { x }" || string(o.Variables) != `{"n":1.50}` {
			t.Errorf("opened %+v", o)
		}
		first, releaseFirst := serve(there, o)
		second, releaseSecond := serve(here, open(here))
		if first.Load() != 1 || second.Load() != 0 {
			t.Errorf("at another node: ended %d and %d times", first.Load(), second.Load())
		}
		late, then := open(here), open(here)
		third, releaseThird := serve(here, then)
		fourth, releaseFourth := serve(here, late)
		if second.Load() != 1 || third.Load() != 0 || fourth.Load() != 1 {
			t.Errorf("at the same node: ended %d, %d and %d times", second.Load(), third.Load(), fourth.Load())
		}
		d.fail(true)
		if _, err := there.Serve(t.Context(), open(there), func() {}); !errors.Is(err, errDown) {
			t.Errorf("served without being watched: %v", err)
		}
		synctest.Wait()
		d.fail(false)
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if third.Load() != 1 {
			t.Errorf("ended %d times once the store answers again", third.Load())
		}
		for _, release := range []func(){releaseFirst, releaseSecond, releaseThird, releaseFourth} {
			release()
		}
		if len(d.looks) != 0 {
			t.Errorf("%d watches are left", len(d.looks))
		}
	})
}

func TestTicketsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		revocations := nodeOf(t, &registry{}, auth.RevocationOptions{})
		tickets := ticketsOf(t, newDrawer(), revocations)
		create := func(user string, life time.Duration) string {
			t.Helper()
			secret, err := tickets.Create(t.Context(), &auth.Viewer{ID: user, Expires: time.Now().Add(life)}, "subscription { x }", nil)
			if err != nil {
				t.Fatal(err)
			}
			return secret
		}
		refused := func(secret string, want error) {
			t.Helper()
			if _, err := tickets.Open(t.Context(), secret); !errors.Is(err, want) || len(secret) > 10 && strings.Contains(err.Error(), secret) {
				t.Errorf("%q: %v instead of %v", secret, err, want)
			}
		}
		ada, bob := create("ada", time.Hour), create("bob", time.Minute)
		for _, secret := range []string{"", "x", ada[1:], ada + "A", strings.Repeat("A", len(ada)), ada + "=", "é", strings.Repeat("x", 1<<16)} {
			refused(secret, auth.ErrBadTicket)
		}
		if _, err := revocations.Revoke(t.Context(), auth.Revocation{User: "ada"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		refused(ada, auth.ErrRevoked)
		time.Sleep(time.Minute)
		refused(bob, auth.ErrExpired)
	})
}

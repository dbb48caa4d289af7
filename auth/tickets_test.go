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
	fails    bool   // to watch
	blind    bool   // to how often tickets were opened
	opened   func() // runs once, when a ticket has been opened and nobody knows yet
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

func (d *drawer) Ticket(_ context.Context, id string) (auth.Ticket, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.tickets[id]
	if !ok {
		return t, auth.ErrBadTicket
	}
	return t, nil
}

func (d *drawer) OpenTicket(_ context.Context, id string) (uint64, error) {
	d.mu.Lock()
	if _, ok := d.tickets[id]; !ok {
		d.mu.Unlock()
		return 0, auth.ErrBadTicket
	}
	d.openings[id]++
	opening, opened := d.openings[id], d.opened
	d.opened = nil
	for look := range d.looks {
		(*look)()
	}
	d.mu.Unlock()
	if opened != nil {
		opened()
	}
	return opening, nil
}

func (d *drawer) TicketOpenings(_ context.Context, ids []string) ([]uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.blind {
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

func (d *drawer) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
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
		read := func(at *auth.Tickets) *auth.Admission {
			t.Helper()
			admission, err := at.Read(t.Context(), secret)
			if err != nil {
				t.Fatal(err)
			}
			return admission
		}
		serve := func(at *auth.Tickets) (ended *atomic.Int64, release func()) {
			t.Helper()
			ended = &atomic.Int64{}
			release, err := at.Serve(t.Context(), read(at), func() { ended.Add(1) })
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return ended, release
		}
		if a := read(there); a.Viewer.Name != "Ada" || !a.Viewer.Expires.Equal(viewer.Expires) || a.Document != "subscription { x }" || string(a.Variables) != `{"n":1.50}` {
			t.Errorf("it admits to %+v", a)
		}
		first, releaseFirst := serve(there)
		read(here)
		d.set(func() { d.fails = true })
		if _, err := here.Serve(t.Context(), read(here), func() {}); !errors.Is(err, errDown) {
			t.Errorf("served without being watched: %v", err)
		}
		d.set(func() { d.fails = false })
		time.Sleep(2 * time.Second)
		if first.Load() != 0 {
			t.Error("ended by a stream that wasn't served")
		}
		second, releaseSecond := serve(here)
		if first.Load() != 1 || second.Load() != 0 {
			t.Errorf("at another node: ended %d and %d times", first.Load(), second.Load())
		}
		var then *atomic.Int64
		var releaseThen func()
		d.set(func() { d.opened = func() { then, releaseThen = serve(here) } })
		late, releaseLate := serve(here)
		if second.Load() != 1 || then.Load() != 0 || late.Load() != 1 {
			t.Errorf("at the same node: ended %d, %d and %d times", second.Load(), then.Load(), late.Load())
		}
		d.set(func() { d.blind = true })
		last, releaseLast := serve(there)
		if then.Load() != 0 {
			t.Error("ended, though nobody could know that the ticket was opened again")
		}
		d.set(func() { d.blind = false })
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if then.Load() != 1 || last.Load() != 0 {
			t.Errorf("ended %d and %d times once the store answers again", then.Load(), last.Load())
		}
		for _, release := range []func(){releaseFirst, releaseSecond, releaseThen, releaseLate, releaseLast} {
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
			if _, err := tickets.Read(t.Context(), secret); !errors.Is(err, want) || len(secret) > 10 && strings.Contains(err.Error(), secret) {
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

package storetest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"parley/auth"
)

// identity is the model of revocations and tickets, behind a lock of its own.
type identity struct {
	lock    *sync.Mutex
	marks   *uint64
	revoked map[string]markedRevocation
	tickets map[string]*keptTicket
	watches map[string]map[*func()]bool
}

type markedRevocation struct {
	auth.Revocation
	mark uint64
}

type keptTicket struct {
	auth.Ticket
	due, used time.Time
	openings  uint64
}

func newIdentity() identity {
	return identity{
		lock: new(sync.Mutex), marks: new(uint64), revoked: map[string]markedRevocation{},
		tickets: map[string]*keptTicket{}, watches: map[string]map[*func()]bool{},
	}
}

func (i identity) watch(key string, look func()) (stop func(), err error) {
	i.lock.Lock()
	defer i.lock.Unlock()
	if i.watches[key] == nil {
		i.watches[key] = map[*func()]bool{}
	}
	i.watches[key][&look] = true
	return func() {
		i.lock.Lock()
		defer i.lock.Unlock()
		delete(i.watches[key], &look)
	}, nil
}

func (i identity) tell(key string) {
	for look := range i.watches[key] {
		(*look)()
	}
}

func (i identity) Revoke(ctx context.Context, r auth.Revocation, keep time.Duration, most int) (auth.Revocation, error) {
	i.lock.Lock()
	defer i.lock.Unlock()
	now := dice{}.now()
	maps.DeleteFunc(i.revoked, func(_ string, m markedRevocation) bool { return !m.Until.IsZero() && !m.Until.After(now) })
	key := "u:" + r.User
	if r.Token != "" {
		key = "t:" + r.Token
	}
	if r.At.IsZero() {
		r.At = now
	}
	r.Until = time.Time{}
	if keep > 0 {
		r.Until = r.At.Add(keep)
	}
	before, found := i.revoked[key]
	switch {
	case found && !before.At.Before(r.At):
		return before.Revocation, nil
	case !r.Until.IsZero() && !r.Until.After(now):
		return r, nil
	case !found && len(i.revoked) >= most:
		return auth.Revocation{}, auth.ErrRevocationsFull
	}
	*i.marks++
	i.revoked[key] = markedRevocation{r, *i.marks}
	i.tell("revocations")
	return r, ctx.Err()
}

func (i identity) Revocations(_ context.Context, after uint64, limit int) (auth.RevocationPage, error) {
	i.lock.Lock()
	defer i.lock.Unlock()
	page := auth.RevocationPage{First: after, Next: after, Now: dice{}.now()}
	for _, m := range slices.SortedFunc(maps.Values(i.revoked), func(a, b markedRevocation) int { return cmp.Compare(a.mark, b.mark) }) {
		if m.mark > after && len(page.Revocations) < limit {
			page.Revocations, page.Next = append(page.Revocations, m.Revocation), m.mark
			if len(page.Revocations) == 1 {
				page.First = m.mark
			}
		}
	}
	return page, nil
}

func (i identity) WatchRevocations(_ context.Context, look func()) (stop func(), err error) {
	return i.watch("revocations", look)
}

func (i identity) PutTicket(_ context.Context, t auth.Ticket, ttl time.Duration, most int) error {
	i.lock.Lock()
	defer i.lock.Unlock()
	now := time.Now()
	i.tickets[t.ID] = &keptTicket{Ticket: t, due: now.Add(min(ttl, t.Expires.Sub(now))), used: now}
	var users []*keptTicket
	maps.DeleteFunc(i.tickets, func(_ string, kept *keptTicket) bool { return !kept.due.After(now) })
	for _, kept := range i.tickets {
		if kept.User == t.User {
			users = append(users, kept)
		}
	}
	slices.SortFunc(users, func(a, b *keptTicket) int { return b.used.Compare(a.used) })
	for _, kept := range users[min(most, len(users)):] {
		delete(i.tickets, kept.ID)
	}
	return nil
}

func (i identity) Ticket(_ context.Context, id string) (auth.Ticket, error) {
	i.lock.Lock()
	defer i.lock.Unlock()
	kept := i.tickets[id]
	if kept == nil || !kept.due.After(time.Now()) {
		return auth.Ticket{}, auth.ErrBadTicket
	}
	return kept.Ticket, nil
}

func (i identity) OpenTicket(_ context.Context, id string) (uint64, error) {
	i.lock.Lock()
	defer i.lock.Unlock()
	now := time.Now()
	kept := i.tickets[id]
	if kept == nil || !kept.due.After(now) {
		return 0, auth.ErrBadTicket
	}
	kept.openings++
	kept.due, kept.used = kept.Expires, now
	i.tell("ticket/" + id)
	return kept.openings, nil
}

func (i identity) TicketOpenings(_ context.Context, ids []string) ([]uint64, error) {
	i.lock.Lock()
	defer i.lock.Unlock()
	openings := make([]uint64, len(ids))
	for n, id := range ids {
		if kept := i.tickets[id]; kept != nil {
			openings[n] = kept.openings
		}
	}
	return openings, nil
}

func (i identity) WatchTicket(_ context.Context, id string, look func()) (stop func(), err error) {
	return i.watch("ticket/"+id, look)
}

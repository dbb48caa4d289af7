package storetest

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"parley/auth"
)

func testTickets(r rig) {
	r.sub("are opened again and again", ticketOpened)
	r.sub("wait only so long to be opened first", ticketUnopened)
	r.sub("expire", ticketExpires)
	r.sub("of one user are bounded", ticketsBounded)
	r.sub("that lapsed push none out", ticketsLapsed)
	r.sub("opened again are told to who watches", ticketWatched)
	r.sub("opened by many at once are counted", ticketAtOnce)
}

const manyTickets = 100

// ticket returns a ticket of somebody's, good for an hour.
func (r rig) ticket(user string) auth.Ticket {
	return auth.Ticket{
		ID: unique("ticket"), User: user, Payload: []byte(`{"pay": "lo\u0000ad 🦜"}`),
		Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond),
	}
}

func (r rig) put(t auth.Ticket, ttl time.Duration, most int) {
	r.Helper()
	r.must("PutTicket", r.PutTicket(r.Context(), t, ttl, most))
}

// opens fails the test unless a ticket can be read, and opened for the n-th time.
func (r rig) opens(t auth.Ticket, n uint64) {
	r.Helper()
	got, err := r.Store.Ticket(r.Context(), t.ID)
	r.must("Ticket", err)
	openings, err := r.OpenTicket(r.Context(), t.ID)
	r.must("OpenTicket", err)
	same := got.ID == t.ID && got.User == t.User && string(got.Payload) == string(t.Payload) && got.Expires.Equal(t.Expires)
	if !same || openings != n {
		r.Errorf("opened %+v, %d times\nwant   %+v, %d times", got, openings, t, n)
	}
}

func (r rig) hasGone(id string) bool {
	r.Helper()
	_, unread := r.Store.Ticket(r.Context(), id)
	_, err := r.OpenTicket(r.Context(), id)
	for _, err := range []error{unread, err} {
		if err != nil && !errors.Is(err, auth.ErrBadTicket) {
			r.Fatalf("a ticket that may have gone: %v", err)
		}
	}
	if (unread == nil) != (err == nil) {
		r.Errorf("read: %v, opened: %v", unread, err)
	}
	return err != nil
}

func ticketOpened(r rig) {
	ada := r.ticket(unique("ada"))
	r.put(ada, time.Hour, manyTickets)
	other := r.ticket(ada.User)
	r.put(other, time.Hour, manyTickets)
	r.opens(ada, 1)
	r.opens(ada, 2)
	openings, err := r.TicketOpenings(r.Context(), []string{other.ID, ada.ID, unique("none")})
	r.must("TicketOpenings", err)
	if !slices.Equal(openings, []uint64{0, 2, 0}) {
		r.Errorf("openings %v", openings)
	}
	if !r.hasGone(unique("none")) {
		r.Error("a ticket that isn't there was opened")
	}
}

func ticketUnopened(r rig) {
	opened, waiting := r.ticket(unique("ada")), r.ticket(unique("bob"))
	r.put(opened, long, manyTickets)
	r.opens(opened, 1)
	r.put(waiting, 20*time.Millisecond, manyTickets)
	r.pass(40 * time.Millisecond)
	if !r.hasGone(waiting.ID) {
		r.Error("it has waited too long")
	}
	brief := r.ticket(opened.User)
	r.put(brief, 2*time.Second, manyTickets)
	r.opens(brief, 1)
	r.pass(2100 * time.Millisecond)
	r.opens(brief, 2)
}

func ticketExpires(r rig) {
	over := r.ticket(unique("ada"))
	over.Expires = time.Now().Add(-10 * 365 * 24 * time.Hour)
	r.put(over, time.Hour, manyTickets)
	if !r.hasGone(over.ID) {
		r.Error("one that has expired was opened")
	}
}

func ticketsBounded(r rig) {
	user, stranger := unique("ada"), r.ticket(unique("bob"))
	r.put(stranger, time.Hour, 3)
	tickets := make([]auth.Ticket, 4)
	for i := range tickets {
		tickets[i] = r.ticket(user)
	}
	for _, t := range tickets[:3] {
		r.put(t, time.Hour, 3)
		r.tick()
	}
	r.opens(tickets[0], 1)
	r.tick()
	r.put(tickets[3], time.Hour, 3)
	openings, err := r.TicketOpenings(r.Context(), []string{tickets[0].ID})
	r.must("TicketOpenings", err)
	if openings[0] != 1 || !r.hasGone(tickets[1].ID) {
		r.Error("another one went than the one used longest ago")
	}
	r.opens(tickets[2], 1)
	r.opens(tickets[3], 1)
	r.opens(stranger, 1)
}

func ticketsLapsed(r rig) {
	used := r.ticket(unique("ada"))
	r.put(used, time.Hour, 3)
	r.opens(used, 1)
	r.tick()
	for range 2 {
		r.put(r.ticket(used.User), 20*time.Millisecond, 3)
	}
	over := r.ticket(used.User)
	over.Expires = time.Now().Add(20 * time.Millisecond)
	r.put(over, time.Hour, 4)
	r.pass(40 * time.Millisecond)
	for range 2 {
		r.put(r.ticket(used.User), time.Hour, 3)
	}
	r.opens(used, 2)
	r.tick()
	for range 3 {
		r.put(r.ticket(used.User), time.Hour, 3)
	}
	if !r.hasGone(used.ID) {
		r.Error("more are kept than may be")
	}
}

func ticketWatched(r rig) {
	t := r.ticket(unique("ada"))
	r.put(t, time.Hour, manyTickets)
	r.opens(t, 1)
	var looks atomic.Int64
	stop, err := r.WatchTicket(r.Context(), t.ID, func() { looks.Add(1) })
	r.must("WatchTicket", err)
	r.opens(t, 2)
	r.eventually("the watcher is told", func() bool { return looks.Load() > 0 })
	stop()
	before := looks.Load()
	r.opens(t, 3)
	if looks.Load() != before {
		r.Error("told after stop")
	}
}

func ticketAtOnce(r rig) {
	t := r.ticket(unique("ada"))
	r.put(t, time.Hour, manyTickets)
	var mu sync.Mutex
	var counts []uint64
	together(20, func(int) {
		n, err := r.OpenTicket(r.Context(), t.ID)
		if err != nil {
			r.Errorf("OpenTicket: %v", err)
		}
		mu.Lock()
		defer mu.Unlock()
		counts = append(counts, n)
	})
	slices.Sort(counts)
	for i, n := range counts {
		if n != uint64(i+1) {
			r.Fatalf("counted %v", counts)
		}
	}
}

package redis

import (
	"context"
	"time"

	"parley/auth"
)

// A ticket lies in the bucket of its own id, since who opens it doesn't say whose it is. The user's
// bucket has the list of the user's tickets, noted after the ticket: one that isn't in it, for
// want of a node that lived on, ends by itself.

// ticketChannel is where openings of all the bucket's tickets are told.
func (b *bucket) ticketChannel() string { return b.key("ticket-hints") }

// PutTicket implements [auth.TicketStore].
func (s *Store) PutTicket(ctx context.Context, t auth.Ticket, ttl time.Duration, most int) error {
	_, err := s.run(ctx, ticketPutScript, entityOf(t.ID).owns("ticket"),
		t.User, t.Payload, t.Expires.UnixMilli(), ttl.Milliseconds())
	if err != nil {
		return err
	}
	return s.noteTicket(ctx, t, ttl, most)
}

// noteTicket puts a ticket that waits so long to be opened, or 0 if it was, at the end of its user's
// list, and drops those at its begin that are too many.
func (s *Store) noteTicket(ctx context.Context, t auth.Ticket, wait time.Duration, most int) error {
	got, err := s.run(ctx, ticketNoteScript, entityOf(t.User).owns("tickets", "tickets-due"),
		t.ID, t.Expires.UnixMilli(), wait.Milliseconds(), most)
	if err != nil {
		return err
	}
	for _, id := range got.list(1).from(0) {
		if _, err := s.run(ctx, ticketDropScript, entityOf(id).owns("ticket")); err != nil {
			return err
		}
	}
	return nil
}

// anyNumber of tickets may be in a user's list when one is opened: that adds none.
const anyNumber = 1 << 30

// Ticket implements [auth.TicketStore].
func (s *Store) Ticket(ctx context.Context, id string) (auth.Ticket, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := s.client.HMGet(ctx, entityOf(id).own("ticket"), "user", "payload", "expires").Result()
	if err != nil {
		return auth.Ticket{}, fault(ctx, "ticket", err)
	}
	fields := answer(got)
	if fields.at(0) == nil {
		return auth.Ticket{}, auth.ErrBadTicket
	}
	return auth.Ticket{
		ID: id, User: fields.text(0), Payload: []byte(fields.text(1)), Expires: timeOf(int64(fields.number(2))),
	}, nil
}

// OpenTicket implements [auth.TicketStore].
func (s *Store) OpenTicket(ctx context.Context, id string) (openings uint64, err error) {
	e := entityOf(id)
	keys := append(e.owns("ticket"), e.keys("bucket", "recent")...)
	got, err := s.run(ctx, ticketOpenScript, keys, id, e.ticketChannel(), s.publish, mark())
	switch {
	case err != nil:
		return 0, err
	case got.word() == "none":
		return 0, auth.ErrBadTicket
	}
	t := auth.Ticket{ID: id, User: got.text(1), Expires: timeOf(int64(got.number(2)))}
	return got.number(3), s.noteTicket(ctx, t, 0, anyNumber)
}

// TicketOpenings implements [auth.TicketStore].
func (s *Store) TicketOpenings(ctx context.Context, ids []string) ([]uint64, error) {
	calls := make([]call, len(ids))
	for i, id := range ids {
		calls[i].keys = entityOf(id).owns("ticket")
	}
	answers, err := s.runAll(ctx, ticketOpeningsScript, calls)
	if err != nil {
		return nil, err
	}
	openings := make([]uint64, len(ids))
	for i, got := range answers {
		openings[i] = got.number(1)
	}
	return openings, nil
}

// WatchTicket implements [auth.TicketStore].
func (s *Store) WatchTicket(ctx context.Context, id string, look func()) (stop func(), err error) {
	b := bucketOf(id)
	return s.watchHints(ctx, topic{name: "ticket/" + id, bucket: b, channel: b.ticketChannel()}, look)
}

var _ auth.Store = (*Store)(nil)

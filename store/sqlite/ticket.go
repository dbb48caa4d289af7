package sqlite

import (
	"context"
	"time"

	"parley/auth"
	"parley/eventlog"
)

func ticketTopic(id string) string { return "ticket/" + id }

// PutTicket implements auth.TicketStore.
func (s *Store) PutTicket(ctx context.Context, ticket auth.Ticket, ttl time.Duration, most int) error {
	_, err := write(ctx, s, func(ctx context.Context, t *tx) (int64, error) {
		due := min(t.at.Add(ttl).UnixMilli(), ticket.Expires.UnixMilli())
		_, err := t.exec(ctx, `INSERT INTO ticket (id, user, payload, expires_at, due_at, openings, used_at) VALUES (?, ?, ?, ?, ?, 0, ?)`,
			ticket.ID, ticket.User, string(ticket.Payload), ticket.Expires.UnixMilli(), due, t.at.UnixMilli())
		if err != nil {
			return 0, err
		}
		if _, err := t.exec(ctx, `DELETE FROM ticket WHERE user = ? AND due_at <= ?`, ticket.User, t.at.UnixMilli()); err != nil {
			return 0, err
		}
		return t.exec(ctx, `DELETE FROM ticket WHERE id IN
			(SELECT id FROM ticket WHERE user = ? ORDER BY used_at DESC, id = ? DESC LIMIT -1 OFFSET ?)`, ticket.User, ticket.ID, most)
	})
	return err
}

// Ticket implements auth.TicketStore.
func (s *Store) Ticket(ctx context.Context, id string) (auth.Ticket, error) {
	return read(ctx, s, func(ctx context.Context, c *conn) (auth.Ticket, error) {
		ticket, expires := auth.Ticket{ID: id}, int64(0)
		found, err := c.get(ctx, into(&ticket.User, &ticket.Payload, &expires),
			`SELECT user, payload, expires_at FROM ticket WHERE id = ? AND due_at > ?`, id, s.now().UnixMilli())
		if err == nil && !found {
			err = auth.ErrBadTicket
		}
		ticket.Expires = fromMillis(expires)
		return ticket, err
	})
}

// OpenTicket implements auth.TicketStore.
func (s *Store) OpenTicket(ctx context.Context, id string) (openings uint64, err error) {
	return write(ctx, s, func(ctx context.Context, t *tx) (openings uint64, err error) {
		n, err := t.exec(ctx, `UPDATE ticket SET openings = openings + 1, used_at = ?1, due_at = expires_at
			WHERE id = ?2 AND due_at > ?1`, t.at.UnixMilli(), id)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, auth.ErrBadTicket
		}
		_, err = t.get(ctx, into(&openings), `SELECT openings FROM ticket WHERE id = ?`, id)
		t.publishValue(ticketTopic(id), eventlog.Value{})
		return openings, err
	})
}

// TicketOpenings implements auth.TicketStore.
func (s *Store) TicketOpenings(ctx context.Context, ids []string) ([]uint64, error) {
	return read(ctx, s, func(ctx context.Context, c *conn) ([]uint64, error) {
		openings := make([]uint64, len(ids))
		for i, id := range ids {
			if _, err := c.get(ctx, into(&openings[i]), `SELECT openings FROM ticket WHERE id = ?`, id); err != nil {
				return nil, err
			}
		}
		return openings, nil
	})
}

// WatchTicket implements auth.TicketStore. No call is lost.
func (s *Store) WatchTicket(_ context.Context, id string, look func()) (stop func(), err error) {
	return s.watchHints(ticketTopic(id), look)
}

// forgetTickets is the chore that drops tickets that can't be opened any more.
func forgetTickets(ctx context.Context, t *tx) (more bool, err error) {
	n, err := t.exec(ctx, `DELETE FROM ticket WHERE id IN (SELECT id FROM ticket WHERE due_at <= ? LIMIT ?)`,
		t.at.UnixMilli(), portionSize)
	return n == portionSize, err
}

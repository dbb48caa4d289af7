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

// OpenTicket implements auth.TicketStore.
func (s *Store) OpenTicket(ctx context.Context, id string) (ticket auth.Ticket, openings uint64, err error) {
	ticket.ID = id
	_, err = write(ctx, s, func(ctx context.Context, t *tx) (struct{}, error) {
		n, err := t.exec(ctx, `UPDATE ticket SET openings = openings + 1, used_at = ?1, due_at = expires_at
			WHERE id = ?2 AND due_at > ?1`, t.at.UnixMilli(), id)
		if err != nil {
			return struct{}{}, err
		}
		if n == 0 {
			return struct{}{}, auth.ErrBadTicket
		}
		var expires int64
		_, err = t.get(ctx, into(&ticket.User, &ticket.Payload, &expires, &openings),
			`SELECT user, payload, expires_at, openings FROM ticket WHERE id = ?`, id)
		ticket.Expires = fromMillis(expires)
		t.publishValue(ticketTopic(id), eventlog.Value{})
		return struct{}{}, err
	})
	return ticket, openings, err
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

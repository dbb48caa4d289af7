package sqlite

import (
	"context"
	"time"

	"parley/eventlog"
	"parley/reservation"
)

func reservationTopic(id string) string { return "reservation/" + id }

// PutReservation implements reservation.Store.
func (s *Store) PutReservation(ctx context.Context, r reservation.Record, ttl time.Duration, most int) error {
	_, err := write(ctx, s, func(ctx context.Context, t *tx) (none struct{}, err error) {
		_, err = t.exec(ctx, `INSERT INTO reservation (id, user, version, state, due_at) VALUES (?, ?, 1, ?, ?)`,
			r.ID, r.User, string(r.State), t.at.Add(ttl).UnixMilli())
		if err != nil {
			return none, err
		}
		return none, t.dropReservations(ctx, `SELECT id FROM (SELECT id, due_at FROM reservation WHERE user = ?1 AND id <> ?2
			ORDER BY due_at DESC LIMIT -1 OFFSET ?3) UNION SELECT id FROM reservation WHERE user = ?1 AND due_at <= ?4`,
			r.User, r.ID, most-1, t.at.UnixMilli())
	})
	return err
}

// dropReservations drops those that a query names, and tells those who watch them.
func (t *tx) dropReservations(ctx context.Context, query string, args ...any) error {
	var ids []string
	err := t.each(ctx, func(r row) error {
		var id string
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	}, query, args...)
	for _, id := range ids {
		if err == nil {
			_, err = t.exec(ctx, `DELETE FROM reservation_part WHERE reservation = ?`, id)
		}
		if err == nil {
			_, err = t.exec(ctx, `DELETE FROM reservation WHERE id = ?`, id)
		}
		t.publishValue(reservationTopic(id), eventlog.Value{})
	}
	return err
}

// Reservation implements reservation.Store.
func (s *Store) Reservation(ctx context.Context, id string, parts ...string) (reservation.Record, error) {
	return read(ctx, s, func(ctx context.Context, c *conn) (reservation.Record, error) {
		r := reservation.Record{ID: id, Parts: map[string][]byte{}}
		found, err := c.get(ctx, into(&r.User, &r.Version, &r.State),
			`SELECT user, version, state FROM reservation WHERE id = ? AND due_at > ?`, id, s.now().UnixMilli())
		if err == nil && !found {
			err = reservation.ErrNone
		}
		for _, name := range parts {
			var part []byte
			if err == nil {
				found, err = c.get(ctx, into(&part), `SELECT value FROM reservation_part WHERE reservation = ? AND name = ?`, id, name)
			}
			if err == nil && found {
				r.Parts[name] = part
			}
		}
		return r, err
	})
}

// ChangeReservation implements reservation.Store.
func (s *Store) ChangeReservation(ctx context.Context, id string, change reservation.Change) error {
	_, err := write(ctx, s, func(ctx context.Context, t *tx) (none struct{}, err error) {
		var version, due uint64
		found, err := t.get(ctx, into(&version, &due), `SELECT version, due_at FROM reservation WHERE id = ? AND due_at > ?`,
			id, t.at.UnixMilli())
		switch {
		case err != nil:
			return none, err
		case !found:
			return none, reservation.ErrNone
		case version != change.Expect:
			return none, reservation.ErrChanged
		}
		if change.TTL > 0 {
			due = uint64(t.at.Add(change.TTL).UnixMilli())
		}
		_, err = t.exec(ctx, `UPDATE reservation SET version = version + 1, state = ?, due_at = ? WHERE id = ?`,
			string(change.State), due, id)
		for name, part := range change.Put {
			if err == nil {
				_, err = t.exec(ctx, `INSERT OR REPLACE INTO reservation_part (reservation, name, value) VALUES (?, ?, ?)`,
					id, name, string(part))
			}
		}
		for _, name := range change.Drop {
			if err == nil {
				_, err = t.exec(ctx, `DELETE FROM reservation_part WHERE reservation = ? AND name = ?`, id, name)
			}
		}
		t.publishValue(reservationTopic(id), eventlog.Value{})
		return none, err
	})
	return err
}

// DropReservation implements reservation.Store.
func (s *Store) DropReservation(ctx context.Context, id string) error {
	_, err := write(ctx, s, func(ctx context.Context, t *tx) (none struct{}, err error) {
		return none, t.dropReservations(ctx, `SELECT id FROM reservation WHERE id = ?`, id)
	})
	return err
}

// WatchReservation implements reservation.Store. No call is lost.
func (s *Store) WatchReservation(_ context.Context, id string, look func()) (stop func(), err error) {
	return s.watchHints(reservationTopic(id), look)
}

// forgetReservations is the chore that drops reservations that are over.
func forgetReservations(ctx context.Context, t *tx) (more bool, err error) {
	over := 0
	if _, err := t.get(ctx, into(&over), `SELECT count(*) FROM reservation WHERE due_at <= ?`, t.at.UnixMilli()); err != nil || over == 0 {
		return false, err
	}
	return over > portionSize, t.dropReservations(ctx, `SELECT id FROM reservation WHERE due_at <= ? LIMIT ?`, t.at.UnixMilli(), portionSize)
}

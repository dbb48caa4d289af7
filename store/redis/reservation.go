package redis

import (
	"context"
	"time"

	"parley/reservation"
)

// A reservation lies in the bucket of its own id, since who shows one doesn't say whose it is. The user's bucket has the
// list of the user's reservations, noted after the reservation: one that isn't in it, for want of a node that
// lived on, ends by itself.

const partPrefix = "part:"

// reservationChannel is where changes of all the bucket's reservations are told.
func (b *bucket) reservationChannel() string { return b.key("reservation-hints") }

// PutReservation implements [reservation.Store].
func (s *Store) PutReservation(ctx context.Context, r reservation.Record, ttl time.Duration, most int) error {
	_, err := s.run(ctx, reservationPutScript, entityOf(r.ID).owns("reservation"), r.User, r.State, wholeMillis(ttl))
	if err != nil {
		return err
	}
	return s.noteReservation(ctx, r.ID, r.User, ttl, most)
}

// wholeMillis is at least one.
func wholeMillis(d time.Duration) int64 { return max(1, d.Milliseconds()) }

// noteReservation notes in the user's list until when a reservation is kept, and drops those that are too many.
func (s *Store) noteReservation(ctx context.Context, id, user string, ttl time.Duration, most int) error {
	got, err := s.run(ctx, reservationNoteScript, entityOf(user).owns("reservations"), id, wholeMillis(ttl), most)
	if err != nil {
		return err
	}
	for _, over := range got.list(1).from(0) {
		if _, err := s.dropReservation(ctx, over); err != nil {
			return err
		}
	}
	return nil
}

// Reservation implements [reservation.Store].
func (s *Store) Reservation(ctx context.Context, id string, parts ...string) (reservation.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	names := []string{"user", "version", "state"}
	for _, part := range parts {
		names = append(names, partPrefix+part)
	}
	got, err := s.client.HMGet(ctx, entityOf(id).own("reservation"), names...).Result()
	if err != nil {
		return reservation.Record{}, fault(ctx, "reservation", err)
	}
	fields := answer(got)
	if fields.at(0) == nil {
		return reservation.Record{}, reservation.ErrNone
	}
	r := reservation.Record{
		ID: id, User: fields.text(0), Version: fields.number(1), State: []byte(fields.text(2)), Parts: map[string][]byte{},
	}
	for i, part := range parts {
		if fields.at(3+i) != nil {
			r.Parts[part] = []byte(fields.text(3 + i))
		}
	}
	return r, nil
}

// ChangeReservation implements [reservation.Store].
func (s *Store) ChangeReservation(ctx context.Context, id string, c reservation.Change) error {
	ttl := int64(0)
	if c.TTL > 0 {
		ttl = wholeMillis(c.TTL)
	}
	e := entityOf(id)
	args := []any{id, e.reservationChannel(), s.publish, mark(), c.Expect, c.State, ttl, len(c.Put)}
	for name, part := range c.Put {
		args = append(args, name, part)
	}
	for _, name := range c.Drop {
		args = append(args, name)
	}
	got, err := s.run(ctx, reservationChangeScript, append(e.owns("reservation"), e.keys("bucket", "recent")...), args...)
	switch {
	case err != nil:
		return err
	case got.word() == "none":
		return reservation.ErrNone
	case got.word() == "changed":
		return reservation.ErrChanged
	case c.TTL > 0:
		return s.noteReservation(ctx, id, got.text(1), c.TTL, anyNumber)
	}
	return nil
}

// DropReservation implements [reservation.Store].
func (s *Store) DropReservation(ctx context.Context, id string) error {
	user, err := s.dropReservation(ctx, id)
	if err != nil || user == "" {
		return err
	}
	_, err = s.run(ctx, reservationNoteScript, entityOf(user).owns("reservations"), id, 0, anyNumber)
	return err
}

// dropReservation drops a reservation and returns whose it was, "" if it wasn't there.
func (s *Store) dropReservation(ctx context.Context, id string) (user string, err error) {
	e := entityOf(id)
	got, err := s.run(ctx, reservationDropScript, append(e.owns("reservation"), e.keys("bucket", "recent")...),
		id, e.reservationChannel(), s.publish, mark())
	if err != nil {
		return "", err
	}
	return got.text(1), nil
}

// WatchReservation implements [reservation.Store].
func (s *Store) WatchReservation(ctx context.Context, id string, look func()) (stop func(), err error) {
	b := bucketOf(id)
	return s.watchHints(ctx, topic{name: "reservation/" + id, bucket: b, channel: b.reservationChannel()}, look)
}

var _ reservation.Store = (*Store)(nil)

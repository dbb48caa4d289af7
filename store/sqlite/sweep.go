package sqlite

import (
	"context"
	"time"

	"parley/presence"
)

// sweepSize bounds what one sweep does of each kind.
const sweepSize = 200

// Sweep implements presence.Store.
func (s *Store) Sweep(ctx context.Context, grace time.Duration) (more bool, err error) {
	return write(ctx, s, func(ctx context.Context, t *tx) (more bool, err error) {
		for _, sweep := range []func(context.Context, time.Duration) (int, error){
			t.sweepTyping, t.sweepDevices, t.sweepGraces,
		} {
			done, err := sweep(ctx, grace)
			if err != nil {
				return false, err
			}
			more = more || done == sweepSize
		}
		return more, nil
	})
}

// sweepTyping drops who has stopped typing without saying so.
func (t *tx) sweepTyping(ctx context.Context, _ time.Duration) (int, error) {
	rooms, err := t.texts(ctx, `SELECT DISTINCT room FROM typing WHERE until <= ? LIMIT ?`, t.at.UnixMilli(), sweepSize)
	for i := 0; err == nil && i < len(rooms); i++ {
		err = t.changeTyping(ctx, rooms[i], func(set []typist) []typist { return set })
	}
	return len(rooms), err
}

// sweepDevices removes devices of instances whose lease has lapsed. (CROSS JOIN, because it looks at
// the few leases first.)
func (t *tx) sweepDevices(ctx context.Context, grace time.Duration) (int, error) {
	var lapsed []device
	err := t.each(ctx, func(r row) error {
		var d device
		err := r.Scan(&d.user, &d.instance, &d.id)
		lapsed = append(lapsed, d)
		return err
	}, `SELECT user, instance, device FROM lease CROSS JOIN device USING (instance) WHERE expires_at <= ? LIMIT ?`,
		t.at.UnixMilli(), sweepSize)
	for i := 0; err == nil && i < len(lapsed); i++ {
		err = t.disconnect(ctx, lapsed[i], grace)
	}
	return len(lapsed), err
}

// sweepGraces takes users OFFLINE whose grace is over.
func (t *tx) sweepGraces(ctx context.Context, _ time.Duration) (int, error) {
	due, err := t.texts(ctx, `SELECT user FROM presence WHERE due_at <= ? ORDER BY due_at LIMIT ?`,
		t.at.UnixMilli(), sweepSize)
	for i := 0; err == nil && i < len(due); i++ {
		err = t.endGrace(ctx, due[i])
	}
	return len(due), err
}

func (t *tx) endGrace(ctx context.Context, user string) error {
	p, err := t.person(ctx, user)
	if err != nil {
		return err
	}
	p.dueAt = nil
	t.become(p, presence.Offline)
	return t.savePerson(ctx, p)
}

// texts reads a column of text.
func (c *conn) texts(ctx context.Context, query string, args ...any) (list []string, err error) {
	err = c.each(ctx, func(r row) error {
		var s string
		err := r.Scan(&s)
		list = append(list, s)
		return err
	}, query, args...)
	return list, err
}

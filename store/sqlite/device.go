package sqlite

import (
	"context"
	"time"

	"parley/presence"
)

// device is one authenticated stream of a user.
type device struct{ user, instance, id string }

// Connect implements presence.Store. A device under an instance whose lease lapsed, or was never
// taken, lives until the next sweep.
func (s *Store) Connect(ctx context.Context, instance, id string, user presence.User) error {
	_, err := write(ctx, s, func(ctx context.Context, t *tx) (struct{}, error) {
		return struct{}{}, t.connect(ctx, device{user.ID, instance, id}, user)
	})
	return err
}

func (t *tx) connect(ctx context.Context, d device, user presence.User) error {
	_, err := t.exec(ctx, `INSERT OR IGNORE INTO lease (instance, expires_at) VALUES (?, 0)`, d.instance)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `INSERT OR IGNORE INTO device (user, instance, device) VALUES (?, ?, ?)`,
		d.user, d.instance, d.id)
	if err != nil {
		return err
	}
	p, err := t.person(ctx, d.user)
	if err != nil {
		return err
	}
	before := *p
	if user.Name != "" {
		p.User = user
	}
	p.dueAt = nil
	if p.Status == presence.Offline {
		t.become(p, presence.Online)
	}
	if *p == before {
		return nil
	}
	return t.savePerson(ctx, p)
}

// Disconnect implements presence.Store.
func (s *Store) Disconnect(ctx context.Context, instance, id, user string, grace time.Duration) error {
	_, err := write(ctx, s, func(ctx context.Context, t *tx) (struct{}, error) {
		return struct{}{}, t.disconnect(ctx, device{user, instance, id}, grace)
	})
	return err
}

// disconnect removes a device. With the user's last one the grace begins.
func (t *tx) disconnect(ctx context.Context, d device, grace time.Duration) error {
	n, err := t.exec(ctx, `DELETE FROM device WHERE user = ? AND instance = ? AND device = ?`, d.user, d.instance, d.id)
	if err != nil || n == 0 {
		return err
	}
	var others bool
	_, err = t.get(ctx, into(&others), `SELECT EXISTS (SELECT 1 FROM device WHERE user = ?)`, d.user)
	if err != nil || others {
		return err
	}
	if err := t.stopTyping(ctx, d.user); err != nil {
		return err
	}
	p, err := t.person(ctx, d.user)
	if err != nil {
		return err
	}
	p.lastSeen, p.dueAt = new(t.at), new(t.at.Add(grace))
	if grace <= 0 {
		p.dueAt = nil
		t.become(p, presence.Offline)
	}
	return t.savePerson(ctx, p)
}

package sqlite

import (
	"context"
	"time"
)

// leaseMemory is how long a lapsed lease is remembered, so that it isn't taken again.
const leaseMemory = 24 * time.Hour

// Renew implements presence.Store.
func (s *Store) Renew(ctx context.Context, instance string, ttl time.Duration) (held bool, err error) {
	return write(ctx, s, func(ctx context.Context, t *tx) (bool, error) { return t.renew(ctx, instance, ttl) })
}

func (t *tx) renew(ctx context.Context, instance string, ttl time.Duration) (bool, error) {
	n, err := t.exec(ctx, `INSERT INTO lease (instance, expires_at) VALUES (?1, ?2)
		ON CONFLICT (instance) DO UPDATE SET expires_at = ?2 WHERE expires_at = 0 OR expires_at > ?3`,
		instance, t.at.Add(ttl).UnixMilli(), t.at.UnixMilli())
	return n > 0, err
}

// Release implements presence.Store.
func (s *Store) Release(ctx context.Context, instance string) error {
	_, err := write(ctx, s, func(ctx context.Context, t *tx) (int64, error) {
		return t.exec(ctx, `INSERT INTO lease (instance, expires_at) VALUES (?1, ?2)
			ON CONFLICT (instance) DO UPDATE SET expires_at = ?2 WHERE expires_at = 0 OR expires_at > ?2`,
			instance, t.at.UnixMilli())
	})
	return err
}

// lapseLeases ends the leases of earlier processes.
func lapseLeases(ctx context.Context, c *conn, now time.Time) error {
	_, err := c.exec(ctx, `UPDATE lease SET expires_at = ?1 WHERE expires_at > ?1`, now.UnixMilli())
	return err
}

// forgetLeases is the chore that drops leases that lapsed long ago.
func forgetLeases(ctx context.Context, t *tx) (more bool, err error) {
	n, err := t.exec(ctx, `DELETE FROM lease WHERE instance IN (SELECT instance FROM lease WHERE expires_at < ?
		AND NOT EXISTS (SELECT 1 FROM device WHERE device.instance = lease.instance) LIMIT ?)`,
		t.at.Add(-leaseMemory).UnixMilli(), portionSize)
	return n == portionSize, err
}

package sqlite

import (
	"context"
	"time"

	"parley/chat"
)

// requestLife is how long an idempotency key is kept.
const requestLife = 24 * time.Hour

// repeated returns the message that an earlier request by this key made, nil for none, with the
// request's fingerprint.
func (c *conn) repeated(ctx context.Context, r *room, sender, clientID string) (*chat.Message, string, error) {
	if clientID == "" {
		return nil, "", nil
	}
	var seq uint64
	var fingerprint string
	found, err := c.get(ctx, into(&seq, &fingerprint),
		`SELECT seq, fingerprint FROM request WHERE room = ? AND sender = ? AND client_id = ?`, r.no, sender, clientID)
	if err != nil || !found {
		return nil, "", err
	}
	m, err := c.message(ctx, r, seq)
	return m, fingerprint, err
}

// remember keeps the key of a request, so that a repeat is noticed.
func (t *tx) remember(ctx context.Context, r *room, sender string, n *chat.NewMessage, seq uint64) error {
	if n.ClientID == "" {
		return nil
	}
	_, err := t.exec(ctx, `INSERT INTO request (room, sender, client_id, fingerprint, seq, at) VALUES (?, ?, ?, ?, ?, ?)`,
		r.no, sender, n.ClientID, n.Fingerprint, seq, t.at.UnixMilli())
	return err
}

// expireRequests is the chore that drops keys past their life.
func expireRequests(ctx context.Context, t *tx) (more bool, err error) {
	n, err := t.exec(ctx, `DELETE FROM request WHERE no IN (
		SELECT no FROM (SELECT no, at FROM request ORDER BY no LIMIT ?) WHERE at < ?)`,
		portionSize, t.at.Add(-requestLife).UnixMilli())
	return n == portionSize, err
}

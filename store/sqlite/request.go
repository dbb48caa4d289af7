package sqlite

import (
	"context"
	"time"

	"parley/chat"
)

// requestLife is how long an idempotency key is remembered. It is kept with its message, and one
// past its life is forgotten when it is used again.
const requestLife = 24 * time.Hour

// repeated returns the message that an earlier request by this key made, nil for none, with the
// request's fingerprint.
func (c *conn) repeated(
	ctx context.Context, r *room, sender, clientID string, now time.Time,
) (*chat.Message, string, error) {
	if clientID == "" {
		return nil, "", nil
	}
	var s scannedMessage
	var fingerprint string
	found, err := c.get(ctx, into(append(s.dest(), &fingerprint)...), `SELECT `+messageColumns+`, fingerprint FROM message
		WHERE room = ? AND sender = ? AND client_id = ? AND fingerprint IS NOT NULL AND created_at > ?`,
		r.no, sender, clientID, now.Add(-requestLife).UnixMilli())
	if err != nil || !found {
		return nil, "", err
	}
	return s.decoded(r.ID), fingerprint, nil
}

// repeat answers a request whose key is taken, if it still is.
func (p *appending) repeat(ctx context.Context) (chat.Appended, error) {
	m, fingerprint, err := p.repeated(ctx, p.room, p.Actor.ID, p.Message.ClientID, p.at)
	switch {
	case err != nil:
		return chat.Appended{}, err
	case m == nil:
		if err := p.forgetRequest(ctx); err != nil {
			return chat.Appended{}, err
		}
		return p.run(ctx)
	case fingerprint != p.Message.Fingerprint:
		return chat.Appended{}, chat.Errorf(chat.Conflict, "this clientId was used for another message").InField("clientId")
	}
	types, err := p.types(ctx)
	return chat.Appended{Message: m, Room: p.room.Room, Repeat: true, Typing: types}, err
}

// forgetRequest makes a key usable again.
func (p *appending) forgetRequest(ctx context.Context) error {
	_, err := p.exec(ctx, `UPDATE message SET fingerprint = NULL
		WHERE room = ? AND sender = ? AND client_id = ? AND fingerprint IS NOT NULL`,
		p.room.no, p.Actor.ID, p.Message.ClientID)
	return err
}

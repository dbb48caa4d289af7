package sqlite

import (
	"context"
	"strings"
	"time"

	"parley/auth"
	"parley/eventlog"
)

var _ auth.Store = (*Store)(nil)

// revocationsTopic is what watchers of revocations are told by.
const revocationsTopic = "revocations"

// What is revoked, as it is kept.
const (
	revokedUser  = "u:"
	revokedToken = "t:"
)

func revokedOf(r auth.Revocation) string {
	if r.Token != "" {
		return revokedToken + r.Token
	}
	return revokedUser + r.User
}

func revocationOf(what string, made, until int64) auth.Revocation {
	r := auth.Revocation{At: fromMillis(made)}
	if token, ok := strings.CutPrefix(what, revokedToken); ok {
		r.Token = token
	} else {
		r.User = strings.TrimPrefix(what, revokedUser)
	}
	if until > 0 {
		r.Until = fromMillis(until)
	}
	return r
}

// Revoke implements auth.RevocationStore.
func (s *Store) Revoke(ctx context.Context, r auth.Revocation, keep time.Duration, most int) (auth.Revocation, error) {
	return write(ctx, s, func(ctx context.Context, t *tx) (auth.Revocation, error) { return t.revoke(ctx, r, keep, most) })
}

func (t *tx) revoke(ctx context.Context, r auth.Revocation, keep time.Duration, most int) (auth.Revocation, error) {
	what, made, until := revokedOf(r), t.at.UnixMilli(), int64(0)
	if !r.At.IsZero() {
		made = r.At.UnixMilli()
	}
	if keep > 0 {
		until = made + keep.Milliseconds()
	}
	var was, over int64
	found, err := t.get(ctx, into(&was, &over), `SELECT made_at, expires_at FROM revocation WHERE what = ?`, what)
	switch {
	case err != nil:
		return auth.Revocation{}, err
	case found && was >= made:
		return revocationOf(what, was, over), nil
	case until > 0 && until <= t.at.UnixMilli():
		return revocationOf(what, made, until), nil
	}
	if !found {
		var count int
		if _, err := t.get(ctx, into(&count), `SELECT count(*) FROM revocation WHERE expires_at = 0 OR expires_at > ?`, t.at.UnixMilli()); err != nil {
			return auth.Revocation{}, err
		}
		if count >= most {
			return auth.Revocation{}, auth.ErrRevocationsFull
		}
	}
	_, err = t.exec(ctx, `INSERT OR REPLACE INTO revocation (what, made_at, expires_at) VALUES (?, ?, ?)`, what, made, until)
	t.publishValue(revocationsTopic, eventlog.Value{})
	return revocationOf(what, made, until), err
}

// Revocations implements auth.RevocationStore.
func (s *Store) Revocations(ctx context.Context, after uint64, limit int) (auth.RevocationPage, error) {
	return read(ctx, s, func(ctx context.Context, c *conn) (auth.RevocationPage, error) {
		page := auth.RevocationPage{First: after, Next: after}
		err := c.each(ctx, func(r row) error {
			var what string
			var made, until int64
			err := r.Scan(&page.Next, &what, &made, &until)
			if len(page.Revocations) == 0 {
				page.First = page.Next
			}
			page.Revocations = append(page.Revocations, revocationOf(what, made, until))
			return err
		}, `SELECT mark, what, made_at, expires_at FROM revocation WHERE mark > ? ORDER BY mark LIMIT ?`, after, limit)
		page.Now = s.now() // after reading: what is missing was over before
		return page, err
	})
}

// WatchRevocations implements auth.RevocationStore. No call is lost.
func (s *Store) WatchRevocations(_ context.Context, look func()) (stop func(), err error) {
	return s.watchHints(revocationsTopic, look)
}

func (s *Store) watchHints(topic string, look func()) (stop func(), err error) {
	w := s.bus.topics.add(topic, func([]eventlog.Value) { look() })
	return func() { s.bus.topics.remove(topic, w) }, nil
}

// forgetRevocations is the chore that drops revocations of tokens that have expired.
func forgetRevocations(ctx context.Context, t *tx) (more bool, err error) {
	n, err := t.exec(ctx, `DELETE FROM revocation WHERE mark IN
		(SELECT mark FROM revocation WHERE expires_at > 0 AND expires_at <= ? LIMIT ?)`, t.at.UnixMilli(), portionSize)
	return n == portionSize, err
}

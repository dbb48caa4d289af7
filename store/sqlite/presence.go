package sqlite

import (
	"context"
	"database/sql"
	"time"

	"parley/eventlog"
	"parley/presence"
)

// person is a user's presence as it is stored.
type person struct {
	presence.Presence
	// lastSeen is when the last device went, dueAt when the grace that began then is over.
	lastSeen, dueAt *time.Time
}

// person reads a user's presence; one never seen is OFFLINE with version 0.
func (c *conn) person(ctx context.Context, user string) (*person, error) {
	p := &person{Presence: presence.Presence{User: presence.User{ID: user}, Status: presence.Offline}}
	var lastSeen, dueAt sql.NullInt64
	_, err := c.get(ctx, into(&p.User.Name, &p.User.AvatarURL, &p.Status, &p.Version, &lastSeen, &dueAt),
		`SELECT name, avatar, status, version, last_seen, due_at FROM presence WHERE user = ?`, user)
	p.lastSeen, p.dueAt = moment(lastSeen), moment(dueAt)
	return p, err
}

func (t *tx) savePerson(ctx context.Context, p *person) error {
	_, err := t.exec(ctx, `INSERT OR REPLACE INTO presence (user, name, avatar, status, version, last_seen, due_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`,
		p.User.ID, p.User.Name, p.User.AvatarURL, p.Status, p.Version, millis(p.lastSeen), millis(p.dueAt))
	return err
}

// shown is the presence as others see it.
func (p *person) shown() *presence.Presence {
	shown := p.Presence
	if p.Status == presence.Offline {
		shown.LastSeenAt = p.lastSeen
	}
	return &shown
}

func (p *person) value() eventlog.Value {
	return eventlog.Value{Key: p.User.ID, Version: p.Version, Payload: p.shown()}
}

func (c *conn) presenceValue(ctx context.Context, user string) (eventlog.Value, error) {
	p, err := c.person(ctx, user)
	return p.value(), err
}

// become changes the status, once, and has it published.
func (t *tx) become(p *person, status presence.Status) {
	if p.Status == status {
		return
	}
	p.Status = status
	p.Version++
	t.publishValue(eventlog.PresenceTopic(p.User.ID), p.value())
}

// Presences implements presence.Store.
func (s *Store) Presences(ctx context.Context, users []string) ([]presence.Presence, error) {
	return read(ctx, s, func(ctx context.Context, c *conn) ([]presence.Presence, error) {
		list := make([]presence.Presence, 0, len(users))
		for _, user := range users {
			p, err := c.person(ctx, user)
			if err != nil {
				return nil, err
			}
			list = append(list, *p.shown())
		}
		return list, nil
	})
}

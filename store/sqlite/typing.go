package sqlite

import (
	"context"
	"slices"
	"strings"
	"time"

	"parley/eventlog"
	"parley/presence"
)

// typist is one who types in a room, until some time.
type typist struct {
	presence.User
	until int64
}

// SetTyping implements presence.Store.
func (s *Store) SetTyping(ctx context.Context, room string, user presence.User, ttl time.Duration) error {
	_, err := write(ctx, s, func(ctx context.Context, t *tx) (struct{}, error) {
		return struct{}{}, t.changeTyping(ctx, room, func(set []typist) []typist {
			if ttl <= 0 {
				return without(set, user.ID)
			}
			return with(set, typist{user, t.at.Add(ttl).UnixMilli()})
		})
	})
	return err
}

// with adds someone to a set, or refreshes them, unless it is full.
func with(set []typist, one typist) []typist {
	i, found := slices.BinarySearchFunc(set, one.ID, func(t typist, id string) int { return strings.Compare(t.ID, id) })
	if found {
		set[i] = one
		return set
	}
	if len(set) >= presence.MaxTyping {
		return set
	}
	return slices.Insert(set, i, one)
}

// without takes someone out of a set.
func without(set []typist, user string) []typist {
	return slices.DeleteFunc(set, func(t typist) bool { return t.ID == user })
}

// unexpired drops from a set who has expired.
func unexpired(set []typist, now time.Time) []typist {
	return slices.DeleteFunc(set, func(t typist) bool { return t.until <= now.UnixMilli() })
}

// changeTyping changes a room's set, drops from it who has expired, and publishes it if other
// people are in it than before.
func (t *tx) changeTyping(ctx context.Context, room string, change func([]typist) []typist) error {
	before, err := t.typists(ctx, room)
	if err != nil {
		return err
	}
	after := change(unexpired(slices.Clone(before), t.at))
	if err := t.saveTypists(ctx, room, before, after); err != nil {
		return err
	}
	if slices.Equal(usersOf(before), usersOf(after)) {
		return nil
	}
	return t.publishTyping(ctx, room, after)
}

// typists reads a room's set in the order of the ids.
func (c *conn) typists(ctx context.Context, room string) (set []typist, err error) {
	err = c.each(ctx, func(r row) error {
		var one typist
		err := r.Scan(&one.ID, &one.Name, &one.AvatarURL, &one.until)
		set = append(set, one)
		return err
	}, `SELECT user, name, avatar, until FROM typing WHERE room = ? ORDER BY user`, room)
	return set, err
}

// saveTypists writes the difference between two sets.
func (t *tx) saveTypists(ctx context.Context, room string, before, after []typist) error {
	for _, one := range before {
		if slices.ContainsFunc(after, func(other typist) bool { return other.ID == one.ID }) {
			continue
		}
		if _, err := t.exec(ctx, `DELETE FROM typing WHERE room = ? AND user = ?`, room, one.ID); err != nil {
			return err
		}
	}
	for _, one := range after {
		if slices.Contains(before, one) {
			continue
		}
		_, err := t.exec(ctx, `INSERT OR REPLACE INTO typing (room, user, name, avatar, until) VALUES (?, ?, ?, ?, ?)`,
			room, one.ID, one.Name, one.AvatarURL, one.until)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) publishTyping(ctx context.Context, room string, set []typist) error {
	var version uint64
	_, err := t.get(ctx, into(&version), `INSERT INTO typing_version (room, version) VALUES (?, 1)
		ON CONFLICT (room) DO UPDATE SET version = version + 1 RETURNING version`, room)
	if err != nil {
		return err
	}
	t.publishValue(eventlog.TypingTopic(room), typingValue(room, version, set))
	return nil
}

func typingValue(room string, version uint64, set []typist) eventlog.Value {
	return eventlog.Value{Version: version, Payload: &presence.Typing{RoomID: room, Users: usersOf(set)}}
}

func usersOf(set []typist) []presence.User {
	users := make([]presence.User, len(set))
	for i, one := range set {
		users[i] = one.User
	}
	return users
}

// typingValue reads a room's set as it was last published.
func (c *conn) typingValue(ctx context.Context, room string) (eventlog.Value, error) {
	set, err := c.typists(ctx, room)
	if err != nil {
		return eventlog.Value{}, err
	}
	var version uint64
	_, err = c.get(ctx, into(&version), `SELECT version FROM typing_version WHERE room = ?`, room)
	return typingValue(room, version, set), err
}

// stopTyping takes a user out of every set they are in.
func (t *tx) stopTyping(ctx context.Context, user string) error {
	rooms, err := t.texts(ctx, `SELECT room FROM typing WHERE user = ?`, user)
	for i := 0; err == nil && i < len(rooms); i++ {
		err = t.changeTyping(ctx, rooms[i], func(set []typist) []typist { return without(set, user) })
	}
	return err
}

// Typing implements presence.Store.
func (s *Store) Typing(ctx context.Context, room string) (presence.Typing, error) {
	return read(ctx, s, func(ctx context.Context, c *conn) (presence.Typing, error) {
		set, err := c.typists(ctx, room)
		return presence.Typing{RoomID: room, Users: usersOf(unexpired(set, s.now()))}, err
	})
}

package sqlite

import (
	"context"

	"parley/chat"
)

// maxCachedRows bounds the rows that the writer remembers from one transaction to the next.
const maxCachedRows = 4096

// cache is what the writer remembers of rooms and their members. The rows are as in the database,
// since nobody else writes: a step changes them together with it, and those that a failed step
// touched are forgotten.
type cache struct {
	rooms map[string]*cachedRoom
	rows  int
}

type cachedRoom struct {
	room *room
	// members are rows by user, nil for one who has none.
	members map[string]*chat.Member
}

func newCache() *cache { return &cache{rooms: map[string]*cachedRoom{}} }

// shrink forgets everything once it is too much. Not during a transaction, whose steps hold on to
// rows.
func (c *cache) shrink() {
	if c.rows > maxCachedRows {
		clear(c.rooms)
		c.rows = 0
	}
}

func (c *cache) forget(rooms []string) {
	for _, id := range rooms {
		if known := c.rooms[id]; known != nil {
			c.rows -= 1 + len(known.members)
			delete(c.rooms, id)
		}
	}
}

// keep remembers a room.
func (c *cache) keep(r *room) *cachedRoom {
	known := &cachedRoom{room: r, members: map[string]*chat.Member{}}
	c.rooms[r.ID] = known
	c.rows++
	return known
}

// keepMember remembers a user's row in a room, nil for none.
func (c *cache) keepMember(in *cachedRoom, user string, m *chat.Member) {
	if _, known := in.members[user]; !known {
		c.rows++
	}
	in.members[user] = m
}

// room returns a room to read and change, always the same in a step, or answers NOT_FOUND.
func (t *tx) room(ctx context.Context, id string) (*room, error) {
	cached, err := t.cached(ctx, id)
	if err != nil {
		return nil, err
	}
	return cached.room, nil
}

func (t *tx) cached(ctx context.Context, id string) (*cachedRoom, error) {
	t.touched = append(t.touched, id)
	if known := t.cache.rooms[id]; known != nil {
		return known, nil
	}
	r, err := t.conn.room(ctx, id)
	if err != nil {
		return nil, err
	}
	return t.cache.keep(r), nil
}

// member returns a membership row to read and change, always the same in a step, nil for none.
func (t *tx) member(ctx context.Context, r *room, user string) (*chat.Member, error) {
	cached, err := t.cached(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if m, known := cached.members[user]; known {
		return m, nil
	}
	m, err := t.conn.member(ctx, r, user)
	if err == nil {
		t.cache.keepMember(cached, user, m)
	}
	return m, err
}

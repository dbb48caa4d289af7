package sqlite

import (
	"context"

	"parley/chat"
)

// maxCachedRows bounds the rows that the writer remembers from one transaction to the next.
const maxCachedRows = 4096

// cache is what the writer remembers of rooms and their members. Nobody else writes, so the rows are
// as in the database, but for the logs that a transaction moves on: those are written at its end,
// once each.
type cache struct {
	rooms map[string]*cachedRoom
	rows  int
}

type cachedRoom struct {
	*room
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

func (c *cache) forget(known *cachedRoom) {
	if c.rooms[known.ID] == known {
		delete(c.rooms, known.ID)
		c.rows -= 1 + len(known.members)
	}
}

// restore makes a room what it was, and forgets its members.
func (c *cache) restore(known *cachedRoom, before room) {
	*known.room = before
	c.rows -= len(known.members)
	clear(known.members)
}

// touched is a room that a step took out of the cache to change.
type touched struct {
	*cachedRoom
	// before is the room as it was then; its no is 0 for one that the step created.
	before room
}

// undo makes the cache what it was before the step.
func (t *tx) undo() {
	for _, room := range t.step {
		if room.before.no == 0 {
			t.cache.forget(room.cachedRoom)
		} else {
			t.cache.restore(room.cachedRoom, room.before)
		}
	}
}

// saveLogs writes the logs that the transaction has moved on.
func (t *tx) saveLogs(ctx context.Context) error {
	for _, room := range t.rooms {
		if !room.moved {
			continue
		}
		if err := t.saveLog(ctx, room.room); err != nil {
			return err
		}
	}
	return nil
}

// room returns a room to read and change, always the same in a step, or answers NOT_FOUND.
func (t *tx) room(ctx context.Context, id string) (*room, error) {
	known, err := t.cached(ctx, id)
	if err != nil {
		return nil, err
	}
	return known.room, nil
}

func (t *tx) cached(ctx context.Context, id string) (*cachedRoom, error) {
	for _, room := range t.step {
		if room.ID == id {
			return room.cachedRoom, nil
		}
	}
	known := t.cache.rooms[id]
	if known == nil {
		r, err := t.conn.room(ctx, id)
		if err != nil {
			return nil, err
		}
		known = t.cache.keep(r)
	}
	t.touch(known, *known.room)
	return known, nil
}

// touch notes that the step may change a room.
func (t *tx) touch(known *cachedRoom, before room) {
	t.step = append(t.step, touched{known, before})
	t.rooms = append(t.rooms, known)
}

// member returns a membership row to read and change, always the same in a step, nil for none.
func (t *tx) member(ctx context.Context, r *room, user string) (*chat.Member, error) {
	known, err := t.cached(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if m, ok := known.members[user]; ok {
		return m, nil
	}
	m, err := t.conn.member(ctx, r, user)
	if err == nil {
		t.cache.keepMember(known, user, m)
	}
	return m, err
}

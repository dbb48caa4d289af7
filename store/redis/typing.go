package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"parley/eventlog"
	"parley/presence"
)

// typingRecord is a typing set, as lua/lib/typing.lua tells it.
type typingRecord struct {
	Version uint64       `json:"version"`
	Users   []userRecord `json:"users"`
}

func decodeTyping(room, text string) (eventlog.Value, error) {
	var r typingRecord
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return eventlog.Value{}, fmt.Errorf("redis: the typing set of %s: %w", room, err)
	}
	set := &presence.Typing{RoomID: room, Users: make([]presence.User, len(r.Users))}
	for i, u := range r.Users {
		set.Users[i] = presence.User{ID: u.ID, Name: u.Name, AvatarURL: u.Avatar}
	}
	slices.SortFunc(set.Users, func(a, b presence.User) int { return cmp.Compare(a.ID, b.ID) })
	return eventlog.Value{Version: r.Version, Payload: set}, nil
}

// SetTyping implements [presence.Store].
func (s *Store) SetTyping(ctx context.Context, room string, user presence.User, ttl time.Duration) error {
	if ttl <= 0 {
		if err := s.setTyping(ctx, room, user, 0); err != nil {
			return err
		}
		return s.forgetTyping(ctx, user.ID, room)
	}
	if err := s.rememberTyping(ctx, user.ID, room, ttl); err != nil {
		return err
	}
	return s.setTyping(ctx, room, user, max(ttl, time.Millisecond))
}

// setTyping changes a room's set; no user means to drop only those whose time is over.
func (s *Store) setTyping(ctx context.Context, room string, user presence.User, ttl time.Duration) error {
	e := entityOf(room)
	keys := append(e.owns("typing"), e.keys("typing-due", "bucket", "recent")...)
	_, err := s.run(ctx, typingScript, keys, room, user.ID, user.Name, user.AvatarURL, ttl.Milliseconds(),
		presence.MaxTyping, e.channel(), s.publish, mark())
	return err
}

// Where a user types is noted in the user's bucket, before the room's, so that it can be cleared when
// the user's last device goes. It says too much rather than too little.

func (s *Store) rememberTyping(ctx context.Context, user, room string, ttl time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	key := entityOf(user).own("typing-in")
	pipe := s.client.Pipeline()
	pipe.SAdd(ctx, key, room)
	pipe.PExpire(ctx, key, ttl+time.Minute)
	if _, err := pipe.Exec(ctx); err != nil {
		return fault(ctx, "typing", err)
	}
	return nil
}

func (s *Store) forgetTyping(ctx context.Context, user, room string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := s.client.SRem(ctx, entityOf(user).own("typing-in"), room).Err(); err != nil {
		return fault(ctx, "typing", err)
	}
	return nil
}

// Typing implements [presence.Store].
func (s *Store) Typing(ctx context.Context, room string) (presence.Typing, error) {
	values, err := s.typingValues(ctx, []string{room})
	if err != nil {
		return presence.Typing{}, err
	}
	return *values[0].Payload.(*presence.Typing), nil
}

// typingValues reads the sets of rooms, in the order asked. With an error, those that could be read are there all the
// same, and the zero Value in the place of the others.
func (s *Store) typingValues(ctx context.Context, rooms []string) ([]eventlog.Value, error) {
	calls := make([]call, len(rooms))
	for i, room := range rooms {
		calls[i].keys = entityOf(room).owns("typing")
	}
	answers, err := s.runAll(ctx, typingNowScript, calls)
	values := make([]eventlog.Value, len(rooms))
	for i, got := range answers {
		if got == nil {
			continue
		}
		value, failed := decodeTyping(rooms[i], got.text(1))
		if err = cmp.Or(err, failed); failed == nil {
			values[i] = value
		}
	}
	return values, err
}

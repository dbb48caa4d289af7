package redis

import (
	"context"
	"slices"
	"strings"

	"parley/chat"
)

// lookAtOnce bounds how many keys of public rooms one script looks at.
const lookAtOnce = 2000

// PublicRooms implements [chat.Store].
func (s *Store) PublicRooms(ctx context.Context, search, after string, limit int) ([]chat.Room, error) {
	limit = clamp(limit)
	var found []chat.Room
	for len(found) < limit {
		keys, err := s.publicKeys(ctx, strings.ToLower(search), after, limit-len(found))
		if err != nil {
			return nil, forChat(err)
		}
		if len(keys) == 0 {
			break
		}
		rooms, err := s.listed(ctx, keys)
		if err != nil {
			return nil, forChat(err)
		}
		found, after = append(found, rooms...), keys[len(keys)-1]
	}
	return found, nil
}

// publicKeys merges the buckets' public rooms: the first keys after a key, over all of them.
func (s *Store) publicKeys(ctx context.Context, search, after string, limit int) ([]string, error) {
	var keys []string
	from := map[*bucket]string{} // the key to go on after, for the buckets not looked through
	for _, b := range allBuckets() {
		from[b] = after
	}
	for len(from) > 0 {
		asked, calls := make([]*bucket, 0, len(from)), make([]call, 0, len(from))
		for b, key := range from {
			asked = append(asked, b)
			calls = append(calls, call{keys: b.keys("public"), args: []any{key, search, limit, lookAtOnce}})
		}
		answers, err := s.runAll(ctx, publicScript, calls)
		if err != nil {
			return nil, err
		}
		for i, got := range answers {
			keys = append(keys, got.from(3)...)
			from[asked[i]] = got.text(2)
			if got.number(1) == 1 || len(got)-3 >= limit {
				delete(from, asked[i])
			}
		}
	}
	slices.Sort(keys)
	return keys[:min(limit, len(keys))], nil
}

// listed reads rooms by their public keys, in that order, leaving out those that have another key
// by now.
func (s *Store) listed(ctx context.Context, keys []string) ([]chat.Room, error) {
	calls := make([]call, len(keys))
	for i, key := range keys {
		calls[i].keys = entityOf(roomOfPublicKey(key)).owns("room")
	}
	answers, err := s.runAll(ctx, roomScript, calls)
	if err != nil {
		return nil, err
	}
	var rooms []chat.Room
	for i, key := range keys {
		found := answers[i].list(1)
		if len(found) == 0 {
			continue
		}
		room, err := decodeRoom(roomOfPublicKey(key), found)
		if err != nil {
			return nil, err
		}
		if publicKey(room.ID, room.RoomSettings) == key {
			rooms = append(rooms, room)
		}
	}
	return rooms, nil
}

func roomOfPublicKey(key string) string { return key[strings.LastIndexByte(key, 0)+1:] }

package redis

import (
	"context"
	"slices"
	"strconv"

	"parley/chat"
)

// The user index says in which rooms a user may be. It lies in the user's bucket, not the rooms', so
// it is no part of any atomic step, but always a superset: a joining is announced before it happens,
// with the version of the membership row it is about to make, and a leaving takes out the room only
// where no later version has been announced. Readers look into the rooms.

// maxAnnouncements bounds how often a joining without expectation chases a row that others change.
const maxAnnouncements = 5

func (s *Store) announce(ctx context.Context, user, room string, version uint64) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	key := entityOf(user).own("rooms")
	if _, err := s.write(ctx, key, []any{"ZADD", key, "GT", version, room}); err != nil {
		return fault(ctx, "announce", err)
	}
	return nil
}

// join appends a joining, once the version it makes has been announced.
func (s *Store) join(ctx context.Context, request appendRequest) (answer, error) {
	request.Announced = request.Expect.Members[request.Target.ID] + 1
	for try := 1; ; try++ {
		if err := s.announce(ctx, request.Target.ID, request.Room, request.Announced); err != nil {
			return nil, err
		}
		got, err := s.append(ctx, request, "")
		if err != nil || got.word() != "announce" || try == maxAnnouncements {
			return got, err
		}
		request.Announced = got.number(1)
	}
}

// forget takes a room left out of the user's index. Where that fails, the index says too much, as it
// may.
func (s *Store) forget(ctx context.Context, left *chat.Member) {
	version := strconv.FormatUint(left.Version, 10)
	keys := entityOf(left.User.ID).owns("rooms")
	if _, err := s.run(ctx, forgetRoomScript, keys, left.RoomID, version); err != nil {
		s.log.Debug("a room left stays in the user's index", "room", left.RoomID, "error", err)
	}
}

// roomsAtOnce bounds how many rooms one script reads.
const roomsAtOnce = 50

// RoomsOf implements [chat.Store].
func (s *Store) RoomsOf(ctx context.Context, user string) ([]chat.Membership, error) {
	ids, err := s.roomsAnnounced(ctx, user)
	if err != nil {
		return nil, forChat(err)
	}
	var calls []call
	var asked [][]string
	for _, rooms := range byBucket(ids) {
		for part := range slices.Chunk(rooms, roomsAtOnce) {
			keys := make([]string, 0, 3*len(part))
			for _, room := range part {
				keys = append(keys, entityOf(room).owns("room", "members", "receipts")...)
			}
			calls, asked = append(calls, call{keys: keys, args: []any{user}}), append(asked, part)
		}
	}
	answers, err := s.runAll(ctx, membershipsScript, calls)
	if err != nil {
		return nil, forChat(err)
	}
	var found []chat.Membership
	for i, got := range answers {
		if found, err = appendMemberships(found, asked[i], got); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (s *Store) roomsAnnounced(ctx context.Context, user string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	ids, err := s.client.ZRange(ctx, entityOf(user).own("rooms"), 0, -1).Result()
	if err != nil {
		return nil, fault(ctx, "rooms of a user", err)
	}
	return ids, nil
}

// appendMemberships decodes what memberships.lua answered for the rooms asked.
func appendMemberships(found []chat.Membership, asked []string, got answer) ([]chat.Membership, error) {
	for i, id := range asked {
		pair := got.list(i + 1)
		if len(pair) == 0 {
			continue
		}
		room, err := decodeRoom(id, pair.list(0))
		if err != nil {
			return nil, err
		}
		member, err := decodeMember(id, pair.text(1))
		if err != nil {
			return nil, err
		}
		found = append(found, chat.Membership{Room: room, Member: *member})
	}
	return found, nil
}

// byBucket groups ids by their buckets.
func byBucket(ids []string) map[int][]string {
	groups := map[int][]string{}
	for _, id := range ids {
		index := bucketOf(id).index
		groups[index] = append(groups[index], id)
	}
	return groups
}

// RoomCount implements [chat.Store], by the index.
func (s *Store) RoomCount(ctx context.Context, user string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	count, err := s.client.ZCard(ctx, entityOf(user).own("rooms")).Result()
	if err != nil {
		return 0, forChat(fault(ctx, "count rooms", err))
	}
	return int(count), nil
}

package redis

import (
	"context"
	"strconv"

	"parley/chat"
)

// MarkRead implements [chat.Store].
func (s *Store) MarkRead(ctx context.Context, room, user string, seq uint64) (chat.Member, error) {
	keys := entityOf(room).owns("room", "members", "receipts", "receipt-versions")
	got, err := s.run(ctx, markReadScript, keys, user, strconv.FormatUint(seq, 10))
	if err != nil {
		return chat.Member{}, forChat(err)
	}
	switch got.word() {
	case "missing":
		return chat.Member{}, errNoRoom
	case "stranger":
		return chat.Member{}, errNoMember
	}
	m, err := decodeMember(room, got.text(1))
	if err != nil {
		return chat.Member{}, err
	}
	return *m, nil
}

// Unread implements [chat.Store].
func (s *Store) Unread(ctx context.Context, room, user string) (int, error) {
	got, err := s.run(ctx, unreadScript, entityOf(room).owns("room", "members", "receipts", "deleted"), user)
	if err != nil {
		return 0, forChat(err)
	}
	if got.word() == "missing" {
		return 0, errNoRoom
	}
	return int(got.number(1)), nil
}

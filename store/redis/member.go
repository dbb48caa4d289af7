package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"parley/chat"
	"parley/eventlog"
)

// userRecord is a person, as scripts know them.
type userRecord struct {
	ID     string `json:"id,omitempty"`
	Name   string `json:"name,omitempty"`
	Avatar string `json:"avatar,omitempty"`
}

func recordOf(u chat.User) userRecord { return userRecord{ID: u.ID, Name: u.Name, Avatar: u.AvatarURL} }

func (r userRecord) user() chat.User { return chat.User{ID: r.ID, Name: r.Name, AvatarURL: r.Avatar} }

// memberRecord is a membership row with its user's receipts, as lua/lib/member.lua tells it.
type memberRecord struct {
	ID  string `json:"id"`
	Row struct {
		Name      string      `json:"name"`
		Avatar    string      `json:"avatar"`
		Role      chat.Role   `json:"role"`
		Active    bool        `json:"active"`
		Joined    int64       `json:"joined"`
		JoinedSeq uint64      `json:"joinedSeq"`
		Intervals [][2]uint64 `json:"intervals"`
		Version   uint64      `json:"version"`
		Muted     int64       `json:"muted"`
	} `json:"row"`
	// Receipts are the seqs delivered and read, and when the latter moved.
	Receipts [3]int64 `json:"receipts"`
}

func (r *memberRecord) member(room string) *chat.Member {
	m := &chat.Member{
		RoomID:           room,
		User:             chat.User{ID: r.ID, Name: r.Row.Name, AvatarURL: r.Row.Avatar},
		Role:             r.Row.Role,
		Active:           r.Row.Active,
		JoinedAt:         timeOf(r.Row.Joined),
		JoinedSeq:        r.Row.JoinedSeq,
		Version:          r.Row.Version,
		LastDeliveredSeq: uint64(r.Receipts[0]),
		LastReadSeq:      uint64(r.Receipts[1]),
		LastReadAt:       optionalTime(r.Receipts[2]),
		MutedUntil:       optionalTime(r.Row.Muted),
	}
	for _, i := range r.Row.Intervals {
		m.Intervals = append(m.Intervals, eventlog.Interval{From: i[0], To: i[1]})
	}
	return m
}

func decodeMember(room, text string) (*chat.Member, error) {
	var r memberRecord
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("redis: a member of %s: %w", room, err)
	}
	return r.member(room), nil
}

// Members implements [chat.Store].
func (s *Store) Members(ctx context.Context, room, after string, limit int) (chat.MemberPage, error) {
	keys := entityOf(room).owns("room", "members", "active", "receipts")
	got, err := s.run(ctx, membersScript, keys, after, strconv.Itoa(clamp(limit)))
	if err != nil {
		return chat.MemberPage{}, forChat(err)
	}
	if got.word() == "missing" {
		return chat.MemberPage{}, errNoRoom
	}
	page := chat.MemberPage{Total: int(got.number(1)), HasMore: got.number(2) == 1}
	for _, text := range got.from(3) {
		m, err := decodeMember(room, text)
		if err != nil {
			return chat.MemberPage{}, err
		}
		page.Members = append(page.Members, *m)
	}
	return page, nil
}

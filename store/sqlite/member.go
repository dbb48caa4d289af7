package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"parley/chat"
	"parley/eventlog"
)

const memberColumns = `member.user, member.name, member.avatar, member.role, member.active, member.joined_at,
	member.joined_seq, member.intervals, member.version, member.delivered, member.read, member.read_at,
	member.muted_until`

// scannedMember is a membership row as it comes from the database.
type scannedMember struct {
	chat.Member
	joined       int64
	intervals    []byte
	readAt, mute sql.NullInt64
}

// dest is where memberColumns are read into.
func (s *scannedMember) dest() []any {
	return []any{
		&s.User.ID, &s.User.Name, &s.User.AvatarURL, &s.Role, &s.Active, &s.joined, &s.JoinedSeq, &s.intervals,
		&s.Version, &s.LastDeliveredSeq, &s.LastReadSeq, &s.readAt, &s.mute,
	}
}

func (s *scannedMember) decoded(room string) (*chat.Member, error) {
	s.RoomID, s.JoinedAt = room, fromMillis(s.joined)
	s.LastReadAt, s.MutedUntil = moment(s.readAt), moment(s.mute)
	return &s.Member, json.Unmarshal(s.intervals, &s.Intervals)
}

// member reads a membership row, nil for none.
func (c *conn) member(ctx context.Context, r *room, user string) (m *chat.Member, err error) {
	_, err = c.get(ctx, func(from row) (err error) {
		var s scannedMember
		if err := from.Scan(s.dest()...); err != nil {
			return err
		}
		m, err = s.decoded(r.ID)
		return err
	}, `SELECT `+memberColumns+` FROM member WHERE room = ? AND user = ?`, r.no, user)
	return m, err
}

// saveMember writes a membership row, new or changed.
func (t *tx) saveMember(ctx context.Context, r *room, m *chat.Member) error {
	cached, err := t.cached(ctx, r.ID)
	if err != nil {
		return err
	}
	t.cache.keepMember(cached, m.User.ID, m)
	intervals, err := json.Marshal(m.Intervals)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `INSERT OR REPLACE INTO member (room, user, name, avatar, role, active, joined_at, joined_seq,
		intervals, version, delivered, read, read_at, muted_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.no, m.User.ID, m.User.Name, m.User.AvatarURL, m.Role, m.Active, m.JoinedAt.UnixMilli(), m.JoinedSeq,
		string(intervals), m.Version, m.LastDeliveredSeq, m.LastReadSeq, millis(m.LastReadAt), millis(m.MutedUntil))
	return err
}

// join makes m, nil for a user who has no row yet, a member from the entry at offset on.
func join(m *chat.Member, r *room, user chat.User, role chat.Role, at time.Time, offset uint64) *chat.Member {
	if m == nil {
		m = &chat.Member{RoomID: r.ID, User: user}
	}
	rename(m, user)
	m.Role, m.Active, m.JoinedAt, m.JoinedSeq = role, true, at, r.LastSeq
	m.Intervals = append(slices.Clip(m.Intervals), eventlog.Interval{From: offset})
	m.Version++
	return m
}

// leave ends m's membership with the entry at offset. Copies of the row share its old intervals.
func leave(m *chat.Member, offset uint64) {
	m.Active = false
	m.Intervals = slices.Clone(m.Intervals)
	m.Intervals[len(m.Intervals)-1].To = offset + 1
	m.Version++
}

// rename has the row follow what is now known of the user, and reports whether that changed it.
func rename(m *chat.Member, user chat.User) bool {
	if user.Name == "" || m.User == user {
		return false
	}
	m.User = user
	return true
}

// Members implements chat.Store.
func (s *Store) Members(ctx context.Context, room, after string, limit int) (chat.MemberPage, error) {
	page, err := read(ctx, s, func(ctx context.Context, c *conn) (chat.MemberPage, error) {
		return c.members(ctx, room, after, clampLimit(limit))
	})
	return page, chatError(err)
}

func (c *conn) members(ctx context.Context, id, after string, limit int) (page chat.MemberPage, err error) {
	r, err := c.room(ctx, id)
	if err != nil {
		return page, err
	}
	page.Total = r.MemberCount
	err = c.each(ctx, func(from row) error {
		var s scannedMember
		if err := from.Scan(s.dest()...); err != nil {
			return err
		}
		m, err := s.decoded(r.ID)
		page.Members = append(page.Members, *m)
		return err
	}, // The index, because those who left may be many.
		`SELECT `+memberColumns+` FROM member INDEXED BY member_active
		WHERE room = ? AND active AND user > ? ORDER BY user LIMIT ?`,
		r.no, after, limit+1)
	if len(page.Members) > limit {
		page.Members, page.HasMore = page.Members[:limit], true
	}
	return page, err
}

// MarkRead implements chat.Store.
func (s *Store) MarkRead(ctx context.Context, room, user string, seq uint64) (chat.Member, error) {
	m, err := write(ctx, s, func(ctx context.Context, t *tx) (chat.Member, error) {
		return t.markRead(ctx, room, user, seq)
	})
	return m, chatError(err)
}

func (t *tx) markRead(ctx context.Context, id, user string, seq uint64) (chat.Member, error) {
	r, err := t.room(ctx, id)
	if err != nil {
		return chat.Member{}, err
	}
	m, err := t.member(ctx, r, user)
	if err != nil {
		return chat.Member{}, err
	}
	if m == nil || !m.Active {
		return chat.Member{}, chat.Errorf(chat.NotFound, "not a member of this room")
	}
	seq = min(seq, r.LastSeq)
	if seq <= m.LastReadSeq {
		return *m, nil
	}
	err = t.advance(ctx, r, m, seq)
	return *m, err
}

// advance moves a member's positions up to seq.
func (t *tx) advance(ctx context.Context, r *room, m *chat.Member, seq uint64) error {
	m.LastReadSeq, m.LastDeliveredSeq, m.LastReadAt = seq, max(seq, m.LastDeliveredSeq), new(t.at)
	_, err := t.exec(ctx, `UPDATE member SET delivered = ?, read = ?, read_at = ? WHERE room = ? AND user = ?`,
		m.LastDeliveredSeq, m.LastReadSeq, millis(m.LastReadAt), r.no, m.User.ID)
	return err
}

// Unread implements chat.Store.
func (s *Store) Unread(ctx context.Context, room, user string) (int, error) {
	unread, err := read(ctx, s, func(ctx context.Context, c *conn) (int, error) { return c.unread(ctx, room, user) })
	return unread, chatError(err)
}

// unread counts what is deleted, which is little, instead of what isn't.
func (c *conn) unread(ctx context.Context, id, user string) (int, error) {
	r, err := c.room(ctx, id)
	if err != nil {
		return 0, err
	}
	m, err := c.member(ctx, r, user)
	if err != nil || m == nil || !m.Active {
		return 0, err
	}
	seen := max(m.LastReadSeq, m.JoinedSeq)
	var deleted uint64
	_, err = c.get(ctx, into(&deleted),
		`SELECT count(*) FROM message WHERE room = ? AND seq > ? AND deleted_at IS NOT NULL`, r.no, seen)
	return int(r.LastSeq - seen - deleted), err
}

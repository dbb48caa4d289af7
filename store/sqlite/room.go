package sqlite

import (
	"context"
	"database/sql"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"parley/chat"
	"parley/eventlog"
)

// room is a room as it is stored, with its log.
type room struct {
	chat.Room
	no int64
	extent
	// moved says that the log's state isn't written yet.
	moved bool
}

const roomColumns = `room.no, room.id, room.type, room.name, room.topic, room.visibility, room.history,
	room.metadata, room.version, room.created_at, room.updated_at, room.archived_at, room.member_count,
	room.owner_count, log.epoch, log.tail, log.tail_mark, log.last_seq, log.last_message_at, log.first,
	log.first_at, log.bytes`

// scannedRoom is a room as it comes from the database.
type scannedRoom struct {
	room
	metadata              []byte
	created, updated      int64
	archived, lastMessage sql.NullInt64
}

// dest is where roomColumns are read into.
func (s *scannedRoom) dest() []any {
	return []any{
		&s.no, &s.ID, &s.Type, &s.Name, &s.Topic, &s.Visibility, &s.History, &s.metadata, &s.Version,
		&s.created, &s.updated, &s.archived, &s.MemberCount, &s.OwnerCount, &s.Tail.Epoch, &s.Tail.Offset,
		&s.Tail.Check, &s.LastSeq, &s.lastMessage, &s.first, &s.firstAt, &s.bytes,
	}
}

func (s *scannedRoom) decoded() *room {
	if len(s.metadata) > 0 {
		s.Metadata = s.metadata
	}
	s.CreatedAt, s.UpdatedAt = fromMillis(s.created), fromMillis(s.updated)
	s.ArchivedAt, s.LastMessageAt = moment(s.archived), moment(s.lastMessage)
	return &s.room
}

// room reads a room, or answers NOT_FOUND.
func (c *conn) room(ctx context.Context, id string) (*room, error) {
	var r scannedRoom
	found, err := c.get(ctx, into(r.dest()...),
		`SELECT `+roomColumns+` FROM room JOIN log ON log.room = room.no WHERE room.id = ?`, id)
	if err == nil && !found {
		err = noRoom()
	}
	return r.decoded(), err
}

// CreateRoom implements chat.Store.
func (s *Store) CreateRoom(ctx context.Context, n chat.NewRoom) (chat.Room, error) {
	created, err := write(ctx, s, func(ctx context.Context, t *tx) (chat.Room, error) { return t.createRoom(ctx, n) })
	return created, chatError(err)
}

func (t *tx) createRoom(ctx context.Context, n chat.NewRoom) (chat.Room, error) {
	r := &room{Room: chat.Room{
		ID: n.ID, Type: n.Type, RoomSettings: n.Settings, Version: 1, CreatedAt: t.at, UpdatedAt: t.at,
		Tail: eventlog.Position{Epoch: newMark()},
	}}
	r.first = 1
	r.Metadata = slices.Clone(r.Metadata)
	if err := t.insertRoom(ctx, r); err != nil {
		return chat.Room{}, err
	}
	if n.Owner != nil {
		if err := t.enter(ctx, r, *n.Owner, *n.Owner, chat.Owner); err != nil {
			return chat.Room{}, err
		}
	}
	for _, user := range n.Members {
		actor := user
		if n.Owner != nil {
			actor = *n.Owner
		}
		if err := t.enter(ctx, r, actor, user, chat.Ordinary); err != nil {
			return chat.Room{}, err
		}
	}
	r.Version = 1
	return r.Room, t.saveRoom(ctx, r)
}

// enter appends the joining of one of a new room's first members.
func (t *tx) enter(ctx context.Context, r *room, actor, user chat.User, role chat.Role) error {
	a := t.newAppending(r, chat.Append{RoomID: r.ID, Kind: chat.KindMemberJoined, Actor: actor, Target: user, Role: role})
	_, err := a.run(ctx)
	return err
}

func (t *tx) insertRoom(ctx context.Context, r *room) error {
	var no int64
	_, err := t.get(ctx, into(&no), `INSERT INTO room (id, type, name, topic, visibility, history, metadata,
		search_name, version, created_at, updated_at, member_count, owner_count)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT (id) DO NOTHING RETURNING no`,
		r.ID, r.Type, r.Name, r.Topic, r.Visibility, r.History, string(r.Metadata), searchable(r.Name), r.Version,
		r.CreatedAt.UnixMilli(), r.UpdatedAt.UnixMilli())
	if err != nil {
		return err
	}
	if no == 0 {
		return chat.Errorf(chat.Conflict, "a room with this id exists already")
	}
	r.no = no
	t.changed = true
	t.touch(t.cache.keep(r), room{})
	_, err = t.exec(ctx, `INSERT INTO log (room, epoch, tail, tail_mark, last_seq, first, bytes)
		VALUES (?, ?, 0, 0, 0, 1, 0)`, r.no, r.Tail.Epoch)
	return err
}

// saveRoom writes everything of a room but its log.
func (t *tx) saveRoom(ctx context.Context, r *room) error {
	_, err := t.exec(ctx, `UPDATE room SET name = ?, topic = ?, visibility = ?, history = ?, metadata = ?,
		search_name = ?, version = ?, updated_at = ?, archived_at = ?, member_count = ?, owner_count = ? WHERE no = ?`,
		r.Name, r.Topic, r.Visibility, r.History, string(r.Metadata), searchable(r.Name), r.Version,
		r.UpdatedAt.UnixMilli(), millis(r.ArchivedAt), r.MemberCount, r.OwnerCount, r.no)
	return err
}

// searchable is the form of a name that is searched and sorted by, as in Room.PublicKey.
func searchable(name string) string { return strings.ToLower(name) }

// RoomsOf implements chat.Store.
func (s *Store) RoomsOf(ctx context.Context, user string) ([]chat.Membership, error) {
	rooms, err := read(ctx, s, func(ctx context.Context, c *conn) (rooms []chat.Membership, err error) {
		err = c.each(ctx, func(from row) error {
			var r scannedRoom
			var m scannedMember
			if err := from.Scan(append(r.dest(), m.dest()...)...); err != nil {
				return err
			}
			member, err := m.decoded(r.ID)
			rooms = append(rooms, chat.Membership{Room: r.decoded().Room, Member: *member})
			return err
		}, `SELECT `+roomColumns+`, `+memberColumns+` FROM member JOIN room ON room.no = member.room
			JOIN log ON log.room = room.no WHERE member.user = ? AND member.active`, user)
		return rooms, err
	})
	return rooms, chatError(err)
}

// RoomCount implements chat.Store.
func (s *Store) RoomCount(ctx context.Context, user string) (int, error) {
	count, err := read(ctx, s, func(ctx context.Context, c *conn) (count int, err error) {
		_, err = c.get(ctx, func(from row) error { return from.Scan(&count) },
			`SELECT count(*) FROM member WHERE user = ? AND active`, user)
		return count, err
	})
	return count, chatError(err)
}

// PublicRooms implements chat.Store.
func (s *Store) PublicRooms(ctx context.Context, search, after string, limit int) ([]chat.Room, error) {
	afterName, afterID, _ := cutLast(after, "\x00")
	rooms, err := read(ctx, s, func(ctx context.Context, c *conn) (rooms []chat.Room, err error) {
		err = c.each(ctx, func(from row) error {
			var r scannedRoom
			err := from.Scan(r.dest()...)
			rooms = append(rooms, r.decoded().Room)
			return err
		}, `SELECT `+roomColumns+` FROM room JOIN log ON log.room = room.no
			WHERE visibility = 'PUBLIC' AND (search_name, id) > (?, ?) AND instr(search_name, ?) > 0
			ORDER BY search_name, id LIMIT ?`, afterName, afterID, searchable(search), clampLimit(limit))
		return rooms, err
	})
	return rooms, chatError(err)
}

// cutLast cuts s at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// maxLimit bounds what one read returns, whatever was asked for.
const maxLimit = 1000

func clampLimit(limit int) int { return max(0, min(limit, maxLimit)) }

// newMark returns a random mark, for an epoch or a check: never 0.
func newMark() uint32 { return rand.Uint32N(math.MaxUint32) + 1 }

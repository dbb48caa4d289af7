package sqlite

import (
	"context"
	"database/sql"
	"time"

	"parley/chat"
)

const messageColumns = `message.seq, message.salt, message.sender, message.sender_name, message.sender_avatar,
	message.type, message.content, message.client_id, message.reply_to, message.created_at, message.updated_at,
	message.edited_at, message.deleted_at, message.sent_epoch, message.sent, message.sent_mark, message.version`

// scannedMessage is a message as it comes from the database.
type scannedMessage struct {
	chat.Message
	created, updated int64
	edited, deleted  sql.NullInt64
}

// dest is where messageColumns are read into.
func (s *scannedMessage) dest() []any {
	return []any{
		&s.Seq, &s.Salt, &s.Sender.ID, &s.Sender.Name, &s.Sender.AvatarURL, &s.Type, &s.Content, &s.ClientID,
		&s.ReplyToSeq, &s.created, &s.updated, &s.edited, &s.deleted, &s.Sent.Epoch, &s.Sent.Offset, &s.Sent.Check,
		&s.Version,
	}
}

func (s *scannedMessage) decoded(room string) *chat.Message {
	s.RoomID = room
	s.CreatedAt, s.UpdatedAt = fromMillis(s.created), fromMillis(s.updated)
	s.EditedAt, s.DeletedAt = moment(s.edited), moment(s.deleted)
	return &s.Message
}

// message reads a message, or answers NOT_FOUND.
func (c *conn) message(ctx context.Context, r *room, seq uint64) (*chat.Message, error) {
	notFound := chat.Errorf(chat.NotFound, "no such message")
	if seq == 0 || seq > r.LastSeq {
		return nil, notFound
	}
	var s scannedMessage
	found, err := c.get(ctx, into(s.dest()...),
		`SELECT `+messageColumns+` FROM message WHERE room = ? AND seq = ?`, r.no, seq)
	if err == nil && !found {
		err = notFound
	}
	return s.decoded(r.ID), err
}

// insertMessage writes a new message, with its request's fingerprint if it has a key, and reports
// whether that key was free.
func (t *tx) insertMessage(ctx context.Context, r *room, m *chat.Message, fingerprint string) (isNew bool, err error) {
	key := any(fingerprint)
	if m.ClientID == "" {
		key = nil
	}
	n, err := t.exec(ctx, `INSERT INTO message (room, seq, salt, sender, sender_name, sender_avatar, type, content,
		client_id, fingerprint, reply_to, created_at, updated_at, sent_epoch, sent, sent_mark, version)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (room, sender, client_id) WHERE fingerprint IS NOT NULL DO NOTHING`,
		r.no, m.Seq, m.Salt, m.Sender.ID, m.Sender.Name, m.Sender.AvatarURL, m.Type, m.Content, m.ClientID, key,
		m.ReplyToSeq, m.CreatedAt.UnixMilli(), m.UpdatedAt.UnixMilli(), m.Sent.Epoch, m.Sent.Offset, m.Sent.Check, m.Version)
	return n > 0, err
}

// saveMessage writes what an edit or a deletion changes.
func (t *tx) saveMessage(ctx context.Context, r *room, m *chat.Message) error {
	_, err := t.exec(ctx, `UPDATE message SET content = ?, updated_at = ?, edited_at = ?, deleted_at = ?, version = ?
		WHERE room = ? AND seq = ?`,
		m.Content, m.UpdatedAt.UnixMilli(), millis(m.EditedAt), millis(m.DeletedAt), m.Version, r.no, m.Seq)
	return err
}

// Message implements chat.Store.
func (s *Store) Message(ctx context.Context, room string, seq uint64) (chat.Message, error) {
	m, err := read(ctx, s, func(ctx context.Context, c *conn) (chat.Message, error) {
		r, err := c.room(ctx, room)
		if err != nil {
			return chat.Message{}, err
		}
		m, err := c.message(ctx, r, seq)
		if err != nil {
			return chat.Message{}, err
		}
		return *m, nil
	})
	return m, chatError(err)
}

// View implements chat.Store.
func (s *Store) View(ctx context.Context, q chat.ViewQuery) (chat.View, error) {
	v, err := read(ctx, s, func(ctx context.Context, c *conn) (chat.View, error) { return c.view(ctx, q, s.now()) })
	return v, chatError(err)
}

func (c *conn) view(ctx context.Context, q chat.ViewQuery, now time.Time) (chat.View, error) {
	r, err := c.room(ctx, q.RoomID)
	if err != nil {
		return chat.View{}, err
	}
	v := chat.View{Room: r.Room, Members: make(map[string]*chat.Member, len(q.Users))}
	for _, user := range q.Users {
		m, err := c.member(ctx, r, user)
		if err != nil {
			return chat.View{}, err
		}
		if m != nil {
			v.Members[user] = m
		}
	}
	v.Repeat, v.RepeatFingerprint, err = c.repeated(ctx, r, q.Sender, q.ClientID, now)
	return v, err
}

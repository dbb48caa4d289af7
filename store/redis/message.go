package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"parley/chat"
	"parley/eventlog"
)

// messageBody is what of a message never changes but for its content; append.lua puts the rest of
// messageRecord before it.
type messageBody struct {
	Salt     string           `json:"salt"`
	Sender   userRecord       `json:"sender"`
	Type     chat.MessageType `json:"type"`
	ClientID string           `json:"clientId,omitempty"`
	ReplyTo  uint64           `json:"replyTo,omitempty"`
	Content  string           `json:"content"`
}

// messageRecord is a message as it is stored.
type messageRecord struct {
	messageBody
	Seq     uint64 `json:"seq"`
	Version uint64 `json:"version"`
	Created int64  `json:"created"`
	Updated int64  `json:"updated"`
	Edited  int64  `json:"edited"`
	Deleted int64  `json:"deleted"`
	// Sent is the epoch, offset and check of the sent entry.
	Sent [3]uint64 `json:"sent"`
}

func (r *messageRecord) message(room string) *chat.Message {
	return &chat.Message{
		RoomID:     room,
		Seq:        r.Seq,
		Salt:       r.Salt,
		Sender:     r.Sender.user(),
		Type:       r.Type,
		Content:    r.Content,
		ClientID:   r.ClientID,
		ReplyToSeq: r.ReplyTo,
		CreatedAt:  timeOf(r.Created),
		UpdatedAt:  timeOf(r.Updated),
		EditedAt:   optionalTime(r.Edited),
		DeletedAt:  optionalTime(r.Deleted),
		Sent:       eventlog.Position{Epoch: uint32(r.Sent[0]), Offset: r.Sent[1], Check: uint32(r.Sent[2])},
		Version:    r.Version,
	}
}

func decodeMessage(room, text string) (*chat.Message, error) {
	var r messageRecord
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("redis: a message of %s: %w", room, err)
	}
	return r.message(room), nil
}

// Message implements [chat.Store].
func (s *Store) Message(ctx context.Context, room string, seq uint64) (chat.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	text, err := s.client.HGet(ctx, entityOf(room).own("messages"), strconv.FormatUint(seq, 10)).Result()
	if errors.Is(err, goredis.Nil) {
		return chat.Message{}, chat.Errorf(chat.NotFound, "there is no such message")
	}
	if err != nil {
		return chat.Message{}, forChat(fault(ctx, "message", err))
	}
	m, err := decodeMessage(room, text)
	if err != nil {
		return chat.Message{}, err
	}
	return *m, nil
}

type messagesRequest struct {
	After    uint64       `json:"after"`
	Before   uint64       `json:"before"`
	Limit    int          `json:"limit"`
	FromEnd  bool         `json:"fromEnd"`
	Readable [][2]uint64  `json:"readable"`
	Expect   expectRecord `json:"expect"`
}

// Messages implements [chat.Store].
func (s *Store) Messages(ctx context.Context, q chat.MessageQuery) (chat.MessagePage, error) {
	request := messagesRequest{
		After: q.After, Before: q.Before, Limit: clamp(q.Limit), FromEnd: q.FromEnd,
		Readable: make([][2]uint64, len(q.Readable)), Expect: expectOf(q.Expect),
	}
	for i, interval := range q.Readable {
		request.Readable[i] = [2]uint64{interval.From, interval.To}
	}
	keys := entityOf(q.RoomID).owns("room", "members", "messages")
	got, err := s.run(ctx, messagesScript, keys, encode(request))
	if err != nil {
		return chat.MessagePage{}, forChat(err)
	}
	switch got.word() {
	case "missing":
		return chat.MessagePage{}, errNoRoom
	case "moved":
		return chat.MessagePage{}, chat.ErrMoved
	}
	return decodeMessagePage(q.RoomID, got)
}

func decodeMessagePage(id string, got answer) (chat.MessagePage, error) {
	room, err := decodeRoom(id, got.list(1))
	if err != nil {
		return chat.MessagePage{}, err
	}
	page := chat.MessagePage{Room: room, HasBefore: got.number(2) == 1, HasAfter: got.number(3) == 1}
	for _, text := range got.from(4) {
		m, err := decodeMessage(id, text)
		if err != nil {
			return chat.MessagePage{}, err
		}
		page.Messages = append(page.Messages, *m)
	}
	return page, nil
}

// maxPage bounds how many rows a call returns, whatever it asks for.
const maxPage = 1000

func clamp(limit int) int { return max(0, min(limit, maxPage)) }

package redis

import (
	"context"
	"encoding/json"
	"fmt"

	"parley/chat"
	"parley/eventlog"
)

// settingsRecord is a room's settings as they are stored; the metadata is kept byte for byte.
type settingsRecord struct {
	Name       string              `json:"name,omitempty"`
	Topic      string              `json:"topic,omitempty"`
	Visibility chat.RoomVisibility `json:"visibility"`
	History    chat.RoomHistory    `json:"history"`
	Metadata   string              `json:"metadata,omitempty"`
}

func settingsOf(s chat.RoomSettings) settingsRecord {
	return settingsRecord{
		Name: s.Name, Topic: s.Topic, Visibility: s.Visibility, History: s.History, Metadata: string(s.Metadata),
	}
}

func (r settingsRecord) settings() chat.RoomSettings {
	s := chat.RoomSettings{Name: r.Name, Topic: r.Topic, Visibility: r.Visibility, History: r.History}
	if r.Metadata != "" {
		s.Metadata = json.RawMessage(r.Metadata)
	}
	return s
}

// publicKey is the room's place among the public rooms, "" for none.
func publicKey(id string, settings chat.RoomSettings) string {
	if settings.Visibility != chat.Public {
		return ""
	}
	return (&chat.Room{ID: id, RoomSettings: settings}).PublicKey()
}

// decodeRoom reads a room, as describe in lua/lib/room.lua tells it.
func decodeRoom(id string, a answer) (chat.Room, error) {
	var settings settingsRecord
	if err := json.Unmarshal([]byte(a.text(1)), &settings); err != nil {
		return chat.Room{}, fmt.Errorf("redis: the settings of %s: %w", id, err)
	}
	return chat.Room{
		ID:            id,
		Type:          chat.RoomType(a.text(0)),
		RoomSettings:  settings.settings(),
		CreatedAt:     timeOf(int64(a.number(2))),
		UpdatedAt:     timeOf(int64(a.number(3))),
		ArchivedAt:    optionalTime(int64(a.number(4))),
		LastMessageAt: optionalTime(int64(a.number(5))),
		Version:       a.number(6),
		MemberCount:   int(a.number(7)),
		OwnerCount:    int(a.number(8)),
		LastSeq:       a.number(9),
		Tail: eventlog.Position{
			Epoch: uint32(a.number(10)), Offset: a.number(11), Check: uint32(a.number(12)),
		},
	}, nil
}

type createRequest struct {
	Room      string          `json:"room"`
	Type      chat.RoomType   `json:"type"`
	Epoch     uint32          `json:"epoch"`
	Channel   string          `json:"channel"`
	Publish   string          `json:"publish"`
	Joining   []joiningRecord `json:"joining"`
	PublicKey string          `json:"publicKey"`
	Keep      keepRecord      `json:"keep"`
}

type joiningRecord struct {
	User  userRecord `json:"user"`
	Role  chat.Role  `json:"role"`
	Check uint32     `json:"check"`
}

// CreateRoom implements [chat.Store].
func (s *Store) CreateRoom(ctx context.Context, room chat.NewRoom) (chat.Room, error) {
	joining, err := joiningWith(room)
	if err != nil {
		return chat.Room{}, err
	}
	for _, j := range joining {
		if err := s.announce(ctx, j.User.ID, room.ID, 1); err != nil {
			return chat.Room{}, forChat(err)
		}
	}
	e := entityOf(room.ID)
	keys := append(e.owns("room", "log", "members", "active", "messages", "receipts"),
		e.keys("public", "bucket", "recent")...)
	got, err := s.run(ctx, createScript, keys, encode(createRequest{
		Room: room.ID, Type: room.Type, Epoch: mark(), Channel: e.channel(), Publish: s.publish,
		Joining: joining, PublicKey: publicKey(room.ID, room.Settings), Keep: s.keep,
	}), encode(settingsOf(room.Settings)), actorOf(room.Owner))
	if err != nil {
		return chat.Room{}, forChat(err)
	}
	if got.word() == "taken" {
		return chat.Room{}, chat.Errorf(chat.Conflict, "there is a room with this id already")
	}
	return decodeRoom(room.ID, got.list(1))
}

// actorOf is what an entry says of who did it.
func actorOf(u *chat.User) string {
	if u == nil || u.ID == "" {
		return ""
	}
	return encode(userRecord{ID: u.ID, Name: u.Name})
}

// joiningWith lists who joins a new room, the owner first.
func joiningWith(room chat.NewRoom) ([]joiningRecord, error) {
	joining := []joiningRecord{}
	if room.Owner == nil {
		return joining, nil
	}
	joining = append(joining, joiningRecord{User: recordOf(*room.Owner), Role: chat.Owner, Check: mark()})
	seen := map[string]bool{room.Owner.ID: true}
	for _, u := range room.Members {
		if seen[u.ID] {
			return nil, chat.Errorf(chat.Conflict, "nobody can be a member twice")
		}
		seen[u.ID] = true
		joining = append(joining, joiningRecord{User: recordOf(u), Role: chat.Ordinary, Check: mark()})
	}
	return joining, nil
}

// View implements [chat.Store].
func (s *Store) View(ctx context.Context, q chat.ViewQuery) (chat.View, error) {
	keys := entityOf(q.RoomID).owns("room", "members", "messages", "receipts", "once-even", "once-odd")
	args := make([]any, 0, 1+len(q.Users))
	args = append(args, onceKey(q.Sender, q.ClientID))
	for _, user := range q.Users {
		args = append(args, user)
	}
	got, err := s.run(ctx, viewScript, keys, args...)
	if err != nil {
		return chat.View{}, forChat(err)
	}
	if got.word() == "missing" {
		return chat.View{}, errNoRoom
	}
	view, err := decodeView(q.RoomID, got)
	if err == nil && view.Repeat != nil { // it is acknowledged by this answer
		err = forChat(s.confirm(ctx, q.RoomID))
	}
	return view, err
}

func decodeView(id string, got answer) (chat.View, error) {
	room, err := decodeRoom(id, got.list(1))
	if err != nil {
		return chat.View{}, err
	}
	view := chat.View{Room: room, Members: make(map[string]*chat.Member, len(got)-3)}
	if earlier := got.list(2); len(earlier) > 0 {
		if view.Repeat, err = decodeMessage(id, earlier.text(0)); err != nil {
			return chat.View{}, err
		}
		view.RepeatFingerprint = earlier.text(1)
	}
	for _, text := range got.from(3) {
		m, err := decodeMember(id, text)
		if err != nil {
			return chat.View{}, err
		}
		view.Members[m.User.ID] = m
	}
	return view, nil
}

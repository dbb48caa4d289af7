package redis

import (
	"context"
	"fmt"
	"math/rand/v2"

	"parley/chat"
	"parley/eventlog"
	"parley/ratelimit"
)

// mark returns a random mark of an epoch, an entry or a bucket, never 0.
func mark() uint32 { return 1 + rand.Uint32N(1<<32-1) }

// onceKey is the field of an idempotency key, "" for none. User ids have no control characters.
func onceKey(sender, clientID string) string {
	if clientID == "" {
		return ""
	}
	return sender + "\x00" + clientID
}

// expectRecord is what a decision rests on; versions left out compare nothing.
type expectRecord struct {
	Room    uint64            `json:"room,omitempty"`
	Members map[string]uint64 `json:"members,omitempty"`
	Message uint64            `json:"message,omitempty"`
}

func expectOf(e chat.Expect) expectRecord {
	return expectRecord{Room: e.Room, Members: e.Members, Message: e.Message}
}

// appendRequest is the first argument of append.lua, which describes it.
type appendRequest struct {
	Room        string        `json:"room"`
	Kind        eventlog.Kind `json:"kind"`
	Check       uint32        `json:"check"`
	Channel     string        `json:"channel"`
	Publish     string        `json:"publish"`
	Actor       userRecord    `json:"actor"`
	Target      *userRecord   `json:"target,omitempty"`
	Role        chat.Role     `json:"role,omitempty"`
	Expect      expectRecord  `json:"expect"`
	Seq         uint64        `json:"seq,omitempty"`
	Once        string        `json:"once,omitempty"`
	Fingerprint string        `json:"fingerprint"`
	Announced   uint64        `json:"announced,omitempty"`
	PublicKey   string        `json:"publicKey"`
	Keep        keepRecord    `json:"keep"`
	Costs       []costRecord  `json:"costs,omitempty"`

	costs []ratelimit.Cost
}

// Append implements [chat.Store].
func (s *Store) Append(ctx context.Context, a chat.Append) (done chat.Appended, err error) {
	request, body, err := s.requestOf(a)
	if err != nil {
		return chat.Appended{}, err
	}
	var got answer
	switch a.Kind {
	case chat.KindMessageSent:
		if done, got, err = s.send(ctx, a, request, body); done.Event != nil {
			return done, nil
		}
	case chat.KindMemberJoined:
		got, err = s.join(ctx, request)
	default:
		got, err = s.append(ctx, request, body)
	}
	if err != nil {
		return chat.Appended{}, forChat(err)
	}
	if got.word() == "repeat" {
		if err := s.confirm(ctx, a.RoomID); err != nil {
			return chat.Appended{}, forChat(err)
		}
	}
	done, err = decodeAppended(a.RoomID, got)
	if err == nil && (a.Kind == chat.KindMemberLeft || a.Kind == chat.KindMemberRemoved) {
		s.forget(ctx, done.Event.Member)
	}
	return done, err
}

// send appends a message, and hands it to those of this node who watch the room. An answer is returned where it wasn't
// sent.
func (s *Store) send(ctx context.Context, a chat.Append, request appendRequest, body string) (done chat.Appended, got answer, err error) {
	topic := s.await(a.RoomID, request.Check)
	got, err = s.append(ctx, request, body)
	if err != nil || got.word() != "sent" {
		s.settle(topic, request.Check, nil)
		return done, got, err
	}
	done = sent(a, request, got)
	p := done.Event.Publication(uint32(got.number(4)))
	s.settle(topic, request.Check, &p)
	return done, got, nil
}

// sent makes the event of a message of what was asked and answered.
func sent(a chat.Append, request appendRequest, got answer) chat.Appended {
	at := timeOf(int64(got.number(5)))
	p := eventlog.Position{Epoch: uint32(got.number(2)), Offset: got.number(3), Check: request.Check}
	message := &chat.Message{
		RoomID: a.RoomID, Seq: got.number(6), Salt: a.Message.Salt, Sender: a.Actor, Type: a.Message.Type,
		Content: a.Message.Content, ClientID: a.Message.ClientID, ReplyToSeq: a.Message.ReplyToSeq,
		CreatedAt: at, UpdatedAt: at, Sent: p, Version: 1,
	}
	event := &chat.Event{
		RoomID: a.RoomID, Kind: a.Kind, At: at, Seq: message.Seq, Position: p, Message: message,
	}
	if a.Actor.ID != "" {
		event.Actor = &chat.User{ID: a.Actor.ID, Name: a.Actor.Name}
	}
	return chat.Appended{Event: event, Message: message, Typing: got.number(1) > 0}
}

func (s *Store) append(ctx context.Context, request appendRequest, body string) (answer, error) {
	e := entityOf(request.Room)
	keys := append(e.owns("room", "log", "members", "active", "messages", "deleted", "receipts",
		"receipt-versions", "once-even", "once-odd", "typing"), e.keys("public", "bucket", "recent")...)
	keys = append(keys, e.rates(request.costs)...)
	actor := actorOf(&chat.User{ID: request.Actor.ID, Name: request.Actor.Name})
	got, err := s.run(ctx, appendScript, keys, encode(request), body, actor)
	if err == nil && got.word() == "limited" {
		err = exceeded(request.costs, got)
	}
	return got, err
}

// requestOf says in the script's words what to append.
func (s *Store) requestOf(a chat.Append) (request appendRequest, body string, err error) {
	request = appendRequest{
		Room: a.RoomID, Kind: a.Kind, Check: mark(), Channel: entityOf(a.RoomID).channel(), Publish: s.publish,
		Actor: recordOf(a.Actor), Expect: expectOf(a.Expect), Seq: a.Seq, Keep: s.keep,
		costs: bounded(a.Costs),
	}
	request.Costs = costsOf(request.costs)
	switch a.Kind {
	case chat.KindMessageSent:
		request.Once = onceKey(a.Actor.ID, a.Message.ClientID)
		request.Fingerprint = a.Message.Fingerprint
		body = encode(messageBody{
			Salt: a.Message.Salt, Sender: request.Actor, Type: a.Message.Type, Content: a.Message.Content,
			ClientID: a.Message.ClientID, ReplyTo: a.Message.ReplyToSeq,
		})
	case chat.KindMessageEdited, chat.KindMessageDeleted:
		body = a.Content
	case chat.KindMemberJoined, chat.KindMemberLeft, chat.KindMemberRemoved, chat.KindMemberRoleChanged:
		target := recordOf(a.Target)
		request.Target, request.Role = &target, a.Role
	case chat.KindRoomUpdated:
		request.PublicKey = publicKey(a.RoomID, *a.Settings)
		body = encode(settingsOf(*a.Settings))
	default:
		return appendRequest{}, "", fmt.Errorf("redis: append: there is no kind %d", a.Kind)
	}
	return request, body, nil
}

func decodeAppended(room string, got answer) (chat.Appended, error) {
	switch got.word() {
	case "ok":
		return decodeAppendedEvent(room, got)
	case "repeat":
		return decodeRepeat(room, got)
	case "missing":
		return chat.Appended{}, errNoRoom
	case "moved", "announce":
		return chat.Appended{}, chat.ErrMoved
	case "conflict":
		return chat.Appended{}, chat.Errorf(chat.Conflict, "another message was sent under the same clientId")
	}
	return chat.Appended{}, badAnswer("append", got)
}

func decodeAppendedEvent(room string, got answer) (chat.Appended, error) {
	record, err := decodeEvent(room, got.text(1))
	if err != nil {
		return chat.Appended{}, err
	}
	event := record.event(room)
	done := chat.Appended{Event: event, Message: event.Message}
	done.Room, err = decodeRoom(room, got.list(2))
	return done, err
}

func decodeRepeat(room string, got answer) (chat.Appended, error) {
	message, err := decodeMessage(room, got.text(1))
	if err != nil {
		return chat.Appended{}, err
	}
	return chat.Appended{Message: message, Repeat: true, Typing: got.number(2) > 0}, nil
}

package chat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// SendMessage is a message wished for.
type SendMessage struct {
	RoomID string
	// Content is text of at most Limits.ContentBytes, not blank.
	Content string
	// ClientID is the sender's key for the message, by which a repeated request is known; "" for
	// none.
	ClientID string
	// ReplyToID is the message it answers; "" for none.
	ReplyToID string
}

// Sent is a message that was sent.
type Sent struct {
	Message
	// Typing says that its sender may still be among those who type in the room.
	Typing bool
}

// SendMessage appends a message to a room of which the actor is a member, whatever the room's
// type. A repeated request, known by its clientId, is answered with the message the first one made
// (as it stands now), even to one who may no longer send; CONFLICT if it asks for something else.
// BAD_INPUT for a reply to anything but a message of the room that the actor may read.
func (s *Service) SendMessage(ctx context.Context, actor User, in SendMessage) (Sent, error) {
	if err := s.limits.checkContent(in.Content); err != nil {
		return Sent{}, err
	}
	if err := s.limits.checkClientID(in.ClientID); err != nil {
		return Sent{}, err
	}
	message := NewMessage{
		Salt: NewSalt(), Type: Text, Content: in.Content,
		ClientID: in.ClientID,
	}
	if in.ClientID != "" {
		message.Fingerprint = in.fingerprint()
	}
	q := ViewQuery{RoomID: in.RoomID, Sender: actor.ID, ClientID: in.ClientID}
	change := s.changeAsKnown
	if in.ReplyToID != "" {
		change = s.change
	}
	o, err := change(ctx, actor, q, func(view View) (*Append, error) {
		if view.Repeat != nil {
			return nil, in.repeats(view)
		}
		access, err := accessIn(view, actor.ID)
		if err != nil {
			return nil, err
		}
		if err := access.MustRead(); err != nil {
			return nil, err
		}
		expect := Expect{Members: access.expect.Members}
		if in.ReplyToID != "" {
			expect = access.expect
			if message.ReplyToSeq, err = s.answered(ctx, access, in.ReplyToID); err != nil {
				return nil, err
			}
		}
		return &Append{Kind: KindMessageSent, Message: &message, Expect: expect}, nil
	})
	switch {
	case err != nil:
		return Sent{}, err
	case o.written == nil:
		return Sent{*o.view.Repeat, true}, nil // perhaps: it wasn't looked at
	case !o.written.Repeat:
		s.sent.Inc()
	}
	return Sent{*o.written.Message, o.written.Typing}, nil
}

// answered returns the seq of the message that a reply answers.
func (s *Service) answered(ctx context.Context, access Access, id string) (uint64, error) {
	message, err := s.messageIn(ctx, access, id)
	if CodeOf(err) == NotFound {
		return 0, Errorf(BadInput, "no such message in this room").InField("replyToId")
	}
	return message.Seq, err
}

// fingerprint tells requests under one clientId apart.
func (in SendMessage) fingerprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", Text, in.ReplyToID, in.Content))
	return hex.EncodeToString(sum[:16])
}

// repeats returns CONFLICT if the earlier request by this clientId asked for something else.
func (in SendMessage) repeats(view View) error {
	if view.RepeatFingerprint != in.fingerprint() {
		return Errorf(Conflict, "the clientId was used for another message").InField("clientId")
	}
	return nil
}

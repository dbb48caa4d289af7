package chat

import "context"

// EditMessage gives a message new content, and writes nothing if it is the same. Only the sender
// may; FORBIDDEN for others. CONFLICT once the message is deleted.
func (s *Service) EditMessage(ctx context.Context, actor User, messageID, content string) (Message, error) {
	if err := s.limits.checkContent(content); err != nil {
		return Message{}, err
	}
	return s.changeMessage(ctx, actor, messageID, func(_ *Member, message Message) (*Append, error) {
		switch {
		case message.Sender.ID != actor.ID:
			return nil, forbidden("only the sender may edit a message")
		case message.Deleted():
			return nil, Errorf(Conflict, "the message is deleted")
		case message.Content == content:
			return nil, nil
		}
		return &Append{Kind: KindMessageEdited, Content: content}, nil
	})
}

// DeleteMessage takes a message's content away and leaves a tombstone, which stays as it is. The
// sender may, and admins and owners; FORBIDDEN for others.
func (s *Service) DeleteMessage(ctx context.Context, actor User, messageID string) (Message, error) {
	return s.changeMessage(ctx, actor, messageID, func(member *Member, message Message) (*Append, error) {
		if !member.mayDelete(message) {
			return nil, forbidden("only the sender, admins and owners may delete a message")
		}
		if message.Deleted() {
			return nil, nil
		}
		return &Append{Kind: KindMessageDeleted}, nil
	})
}

// changeMessage is change for a message that the actor may read, else NOT_FOUND.
func (s *Service) changeMessage(ctx context.Context, actor User, id string, decide func(*Member, Message) (*Append, error)) (Message, error) {
	room, _, _, ok := ParseMessageID(id)
	if !ok {
		return Message{}, noMessage()
	}
	var message Message
	o, err := s.change(ctx, actor, ViewQuery{RoomID: room}, func(view View) (*Append, error) {
		access, err := accessIn(view, actor.ID)
		if err != nil {
			return nil, err
		}
		if message, err = s.messageIn(ctx, access, id); err != nil {
			return nil, err
		}
		entry, err := decide(access.Member, message)
		if entry != nil {
			entry.Seq, entry.Expect = message.Seq, access.expect
			entry.Expect.Message = message.Version
		}
		return entry, err
	})
	switch {
	case CodeOf(err) == NotFound:
		return Message{}, noMessage()
	case err != nil:
		return Message{}, err
	case o.written != nil:
		return *o.written.Message, nil
	default:
		return message, nil
	}
}

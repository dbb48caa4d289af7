package sqlite

import (
	"context"
	"slices"

	"parley/chat"
)

// Append implements chat.Store.
func (s *Store) Append(ctx context.Context, a chat.Append) (chat.Appended, error) {
	done, err := write(ctx, s, func(ctx context.Context, t *tx) (chat.Appended, error) { return t.append(ctx, a) })
	return done, chatError(err)
}

func (t *tx) append(ctx context.Context, a chat.Append) (chat.Appended, error) {
	r, err := t.room(ctx, a.RoomID)
	if err != nil {
		return chat.Appended{}, err
	}
	return t.newAppending(r, a).run(ctx)
}

// appending is an entry on its way into the log, with the rows it reads and changes.
type appending struct {
	*tx
	chat.Append
	room *room
	// entry is the one being written; its event is filled as the changes are made.
	entry entry
	// roomChanged says that more of the room than its log changed.
	roomChanged bool
}

func (t *tx) newAppending(r *room, a chat.Append) *appending {
	p := &appending{tx: t, Append: a, room: r}
	p.entry = r.nextEntry(t.at, a.Kind)
	if a.Actor.ID != "" {
		p.entry.event.Actor = new(a.Actor)
	}
	return p
}

// run writes the entry and what it changes. A message comes before anything is compared, since a
// repeat is answered whatever has moved; a step that fails leaves no trace of it.
func (p *appending) run(ctx context.Context) (chat.Appended, error) {
	if err := p.complete(); err != nil {
		return chat.Appended{}, err
	}
	if p.Kind == chat.KindMessageSent {
		if isNew, err := p.send(ctx); err != nil {
			return chat.Appended{}, err
		} else if !isNew {
			return p.repeat(ctx)
		}
	}
	for _, part := range []func(context.Context) error{p.expect, p.followActor, p.apply, p.pay, p.save} {
		if err := part(ctx); err != nil {
			return chat.Appended{}, err
		}
	}
	e := p.entry.event
	types, err := p.types(ctx)
	return chat.Appended{Event: e, Message: e.Message, Room: p.room.Room, Typing: types}, err
}

// types reports whether who sends a message is in the room's typing set.
func (p *appending) types(ctx context.Context) (bool, error) {
	if p.Kind != chat.KindMessageSent {
		return false, nil
	}
	var one int
	return p.get(ctx, into(&one), `SELECT 1 FROM typing WHERE room = ? AND user = ?`, p.RoomID, p.Actor.ID)
}

// complete refuses what lacks a part that its kind needs.
func (p *appending) complete() error {
	if p.Kind == chat.KindMessageSent && p.Message == nil || p.Kind == chat.KindRoomUpdated && p.Settings == nil {
		return chat.Errorf(chat.Internal, "an entry of kind %d lacks what it is about", p.Kind)
	}
	return nil
}

// save writes the room and the entry, and has it published.
func (p *appending) save(ctx context.Context) error {
	if p.roomChanged {
		if err := p.saveRoom(ctx, p.room); err != nil {
			return err
		}
	}
	if err := p.appendEntry(ctx, p.room, p.entry); err != nil {
		return err
	}
	if p.entry.member != "" {
		m, err := p.member(ctx, p.entry.member)
		if err != nil {
			return err
		}
		p.entry.event.Member = new(*m)
	}
	p.publish(p.RoomID, p.entry.publication())
	return nil
}

// expect compares the versions that the decision rested on.
func (p *appending) expect(ctx context.Context) error {
	if err := expect(ctx, p.room, p.Expect, p.tx.member); err != nil {
		return err
	}
	if p.Kind != chat.KindMessageEdited && p.Kind != chat.KindMessageDeleted {
		return nil
	}
	m, err := p.message(ctx, p.room, p.Seq)
	if chat.CodeOf(err) == chat.NotFound {
		return chat.ErrMoved
	}
	if err != nil {
		return err
	}
	if m.Deleted() || p.Expect.Message != 0 && p.Expect.Message != m.Version {
		return chat.ErrMoved
	}
	p.concern(m)
	return nil
}

// concern makes the entry one about a message.
func (p *appending) concern(m *chat.Message) { p.entry.event.Message, p.entry.message = m, m.Seq }

// rows reads membership rows of a room, nil where there is none.
type rows func(ctx context.Context, r *room, user string) (*chat.Member, error)

// expect compares the versions of a room and of membership rows.
func expect(ctx context.Context, r *room, e chat.Expect, member rows) error {
	if e.Room != 0 && e.Room != r.Version {
		return chat.ErrMoved
	}
	for user, version := range e.Members {
		m, err := member(ctx, r, user)
		if err != nil {
			return err
		}
		if m == nil && version != 0 || m != nil && m.Version != version {
			return chat.ErrMoved
		}
	}
	return nil
}

// member returns a user's row in the room, nil for none.
func (p *appending) member(ctx context.Context, user string) (*chat.Member, error) {
	return p.tx.member(ctx, p.room, user)
}

// followActor has the actor's own row, if they are a member, follow their name.
func (p *appending) followActor(ctx context.Context) error {
	m, err := p.member(ctx, p.Actor.ID)
	if err != nil || m == nil || !m.Active || !rename(m, p.Actor) {
		return err
	}
	return p.saveMember(ctx, p.room, m)
}

// apply changes what the entry tells of.
func (p *appending) apply(ctx context.Context) error {
	switch p.Kind {
	case chat.KindMessageSent:
		return p.moveSender(ctx)
	case chat.KindMessageEdited, chat.KindMessageDeleted:
		return p.rewrite(ctx)
	case chat.KindMemberJoined, chat.KindMemberLeft, chat.KindMemberRemoved, chat.KindMemberRoleChanged:
		return p.changeMember(ctx)
	case chat.KindRoomUpdated:
		p.room.RoomSettings = *p.Settings
		p.room.Metadata = slices.Clone(p.Settings.Metadata)
		p.room.UpdatedAt = p.at
		p.touchRoom()
		return nil
	}
	return chat.Errorf(chat.Internal, "entries of kind %d can't be appended", p.Kind)
}

// touchRoom moves the room's version.
func (p *appending) touchRoom() {
	p.room.Version++
	p.roomChanged = true
}

// send writes the message, unless its key is taken.
func (p *appending) send(ctx context.Context) (isNew bool, err error) {
	n := p.Message
	m := &chat.Message{
		RoomID: p.RoomID, Seq: p.room.LastSeq + 1, Salt: n.Salt, Sender: p.Actor, Type: n.Type, Content: n.Content,
		ClientID: n.ClientID, ReplyToSeq: n.ReplyToSeq, CreatedAt: p.at, UpdatedAt: p.at,
		Sent: p.entry.event.Position, Version: 1,
	}
	if isNew, err = p.insertMessage(ctx, p.room, m, n.Fingerprint); err != nil || !isNew {
		return false, err
	}
	p.room.LastSeq, p.room.LastMessageAt = m.Seq, new(p.at)
	p.concern(m)
	return true, nil
}

// moveSender moves the sender's own positions to the message sent.
func (p *appending) moveSender(ctx context.Context) error {
	sender, err := p.member(ctx, p.Actor.ID)
	if err != nil || sender == nil || !sender.Active {
		return err
	}
	return p.advance(ctx, p.room, sender, p.room.LastSeq)
}

// rewrite edits or deletes the message, which expect has read.
func (p *appending) rewrite(ctx context.Context) error {
	m := p.entry.event.Message
	m.UpdatedAt = p.at
	m.Version++
	if p.Kind == chat.KindMessageEdited {
		m.Content, m.EditedAt = p.Content, new(p.at)
	} else {
		m.Content, m.DeletedAt = "", new(p.at)
	}
	return p.saveMessage(ctx, p.room, m)
}

// changeMember changes the target's membership. What a decision on present versions wouldn't have
// led to is refused, lest the counts go wrong.
func (p *appending) changeMember(ctx context.Context) error {
	m, err := p.member(ctx, p.Target.ID)
	if err != nil {
		return err
	}
	joining := p.Kind == chat.KindMemberJoined
	active := m != nil && m.Active
	if joining == active {
		return chat.ErrMoved
	}
	wasOwner := active && m.Role == chat.Owner
	switch {
	case joining:
		m = join(m, p.room, p.Target, p.Role, p.at, p.entry.event.Position.Offset)
	case p.Kind == chat.KindMemberRoleChanged:
		m.Role = p.Role
		m.Version++
	default:
		leave(m, p.entry.event.Position.Offset)
	}
	p.entry.member = m.User.ID
	p.recount(active, m.Active, wasOwner, m.Active && m.Role == chat.Owner)
	return p.saveMember(ctx, p.room, m)
}

// recount keeps the room's counts of members and owners.
func (p *appending) recount(wasActive, isActive, wasOwner, isOwner bool) {
	p.room.MemberCount += count(isActive) - count(wasActive)
	p.room.OwnerCount += count(isOwner) - count(wasOwner)
	p.roomChanged = true
	if wasOwner != isOwner {
		p.touchRoom()
	}
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

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
	if a.Message != nil {
		repeat, fingerprint, err := t.repeated(ctx, r, a.Actor.ID, a.Message.ClientID)
		switch {
		case err != nil:
			return chat.Appended{}, err
		case repeat != nil && fingerprint != a.Message.Fingerprint:
			return chat.Appended{}, chat.Errorf(chat.Conflict, "this clientId was used for another message").InField("clientId")
		case repeat != nil:
			return chat.Appended{Message: repeat, Room: r.Room, Repeat: true}, nil
		}
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
	// read are the membership rows read so far, nil where there is none.
	read map[string]*chat.Member
	// roomChanged says that more of the room than its log changed.
	roomChanged bool
}

func (t *tx) newAppending(r *room, a chat.Append) *appending {
	p := &appending{tx: t, Append: a, room: r, read: map[string]*chat.Member{}}
	p.entry = r.nextEntry(t.at, a.Kind)
	if a.Actor.ID != "" {
		p.entry.event.Actor = new(a.Actor)
	}
	return p
}

func (p *appending) run(ctx context.Context) (chat.Appended, error) {
	if err := p.expect(ctx); err != nil {
		return chat.Appended{}, err
	}
	if err := p.apply(ctx); err != nil {
		return chat.Appended{}, err
	}
	if err := p.followActor(ctx); err != nil {
		return chat.Appended{}, err
	}
	if p.roomChanged {
		if err := p.saveRoom(ctx, p.room); err != nil {
			return chat.Appended{}, err
		}
	}
	if err := p.appendEntry(ctx, p.room, p.entry); err != nil {
		return chat.Appended{}, err
	}
	p.publish(p.RoomID, p.entry.publication())
	e := p.entry.event
	return chat.Appended{Event: e, Message: e.Message, Room: p.room.Room}, nil
}

// expect compares the versions that the decision rested on.
func (p *appending) expect(ctx context.Context) error {
	if err := p.tx.expect(ctx, p.room, p.Expect, p.member); err != nil {
		return err
	}
	if p.Kind != chat.KindMessageEdited && p.Kind != chat.KindMessageDeleted {
		return nil
	}
	m, err := p.message(ctx, p.room, p.Seq)
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

// expect compares the versions of the room and of membership rows.
func (c *conn) expect(ctx context.Context, r *room, e chat.Expect, member func(context.Context, string) (*chat.Member, error)) error {
	if e.Room != 0 && e.Room != r.Version {
		return chat.ErrMoved
	}
	for user, version := range e.Members {
		m, err := member(ctx, user)
		if err != nil {
			return err
		}
		if m == nil && version != 0 || m != nil && m.Version != version {
			return chat.ErrMoved
		}
	}
	return nil
}

// member reads a membership row once.
func (p *appending) member(ctx context.Context, user string) (*chat.Member, error) {
	if m, ok := p.read[user]; ok {
		return m, nil
	}
	m, err := p.tx.member(ctx, p.room, user)
	if err == nil {
		p.read[user] = m
	}
	return m, err
}

// apply changes what the entry tells of.
func (p *appending) apply(ctx context.Context) error {
	switch p.Kind {
	case chat.KindMessageSent:
		return p.send(ctx)
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

func (p *appending) send(ctx context.Context) error {
	n := p.Message
	m := &chat.Message{
		RoomID: p.RoomID, Seq: p.room.LastSeq + 1, Salt: n.Salt, Sender: p.Actor, Type: n.Type, Content: n.Content,
		ClientID: n.ClientID, ReplyToSeq: n.ReplyToSeq, CreatedAt: p.at, UpdatedAt: p.at,
		Sent: p.entry.event.Position, Version: 1,
	}
	p.room.LastSeq, p.room.LastMessageAt = m.Seq, new(p.at)
	p.concern(m)
	if err := p.insertMessage(ctx, p.room, m); err != nil {
		return err
	}
	return p.remember(ctx, p.room, p.Actor.ID, n, m.Seq)
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
		p.read[p.Target.ID] = m
	case p.Kind == chat.KindMemberRoleChanged:
		m.Role = p.Role
		m.Version++
	default:
		leave(m, p.entry.event.Position.Offset)
	}
	p.entry.event.Member, p.entry.member = m, m.User.ID
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

// followActor has the actor's own row follow the actor's name, and sending their positions.
func (p *appending) followActor(ctx context.Context) error {
	if p.Actor.ID == "" {
		return nil
	}
	m, err := p.member(ctx, p.Actor.ID)
	if err != nil || m == nil || !m.Active {
		return err
	}
	if rename(m, p.Actor) {
		if err := p.saveMember(ctx, p.room, m); err != nil {
			return err
		}
	}
	if p.Kind != chat.KindMessageSent {
		return nil
	}
	return p.advance(ctx, p.room, m, p.room.LastSeq)
}

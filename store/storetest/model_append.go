package storetest

import (
	"time"

	"parley/chat"
	"parley/eventlog"
)

func (m *model) append(a chat.Append) (chat.Appended, error) {
	r, err := m.room(a.RoomID)
	if err != nil {
		return chat.Appended{}, err
	}
	if a.Message != nil && a.Message.ClientID != "" {
		if request, found := r.requests[modelKey{a.Actor.ID, a.Message.ClientID}]; found {
			return r.repeat(request, a.Message.Fingerprint)
		}
	}
	if !r.holds(a.Expect, a.Seq) || !r.possible(a) {
		return chat.Appended{}, chat.ErrMoved
	}
	if err := m.rates.Take(time.Now(), a.Costs...); err != nil {
		return chat.Appended{}, err
	}
	at := m.fate.now()
	e := r.enter(a.Kind, a.Actor, at, m.fate.mark())
	r.apply(e, a)
	if row := r.members[a.Actor.ID]; row != nil && (row.Active || a.Actor.ID == a.Target.ID) && a.Actor.Name != "" {
		row.User = a.Actor
	}
	done := chat.Appended{Event: r.event(*e), Room: r.Room}
	done.Message = done.Event.Message
	return done, nil
}

func (r *modelRoom) repeat(request modelRequest, fingerprint string) (chat.Appended, error) {
	if request.fingerprint != fingerprint {
		return chat.Appended{}, chat.Errorf(chat.Conflict, "the key was used for something else")
	}
	return chat.Appended{Message: r.message(request.seq), Room: r.Room, Repeat: true}, nil
}

// holds reports whether what a decision rested on is still so.
func (r *modelRoom) holds(e chat.Expect, seq uint64) bool {
	if e.Room != 0 && e.Room != r.Version {
		return false
	}
	for user, version := range e.Members {
		var now uint64
		if row := r.members[user]; row != nil {
			now = row.Version
		}
		if now != version {
			return false
		}
	}
	return e.Message == 0 || seq > 0 && seq <= r.LastSeq && r.messages[seq-1].Version == e.Message
}

// possible reports whether an append wouldn't corrupt the room.
func (r *modelRoom) possible(a chat.Append) bool {
	row := r.members[a.Target.ID]
	active := row != nil && row.Active
	switch a.Kind {
	case chat.KindMemberJoined:
		return !active
	case chat.KindMemberLeft, chat.KindMemberRemoved, chat.KindMemberRoleChanged:
		return active
	case chat.KindMessageEdited, chat.KindMessageDeleted:
		return a.Seq > 0 && a.Seq <= r.LastSeq
	}
	return true
}

// apply changes what the entry says has changed.
func (r *modelRoom) apply(e *modelEntry, a chat.Append) {
	switch a.Kind {
	case chat.KindMessageSent:
		r.send(e, a)
	case chat.KindMessageEdited:
		e.message = a.Seq
		message := r.change(a.Seq, e.at)
		message.Content, message.EditedAt = a.Content, &e.at
	case chat.KindMessageDeleted:
		e.message = a.Seq
		message := r.change(a.Seq, e.at)
		message.Content, message.DeletedAt = "", &e.at
	case chat.KindMemberJoined:
		r.join(e, a.Target, a.Role)
	case chat.KindMemberLeft, chat.KindMemberRemoved:
		r.part(e, a.Target.ID)
	case chat.KindMemberRoleChanged:
		e.member = a.Target.ID
		row := r.members[a.Target.ID]
		row.Version++
		r.setRole(row, a.Role)
	case chat.KindRoomUpdated:
		r.RoomSettings, r.UpdatedAt = *a.Settings, e.at
		r.Version++
	}
}

func (r *modelRoom) send(e *modelEntry, a chat.Append) {
	r.LastSeq++
	r.LastMessageAt = &e.at
	e.seq, e.message = r.LastSeq, r.LastSeq
	r.messages = append(r.messages, chat.Message{
		RoomID: r.ID, Seq: r.LastSeq, Salt: a.Message.Salt, Sender: a.Actor, Type: a.Message.Type,
		Content: a.Message.Content, ClientID: a.Message.ClientID, ReplyToSeq: a.Message.ReplyToSeq,
		CreatedAt: e.at, UpdatedAt: e.at, Sent: e.position, Version: 1,
	})
	if a.Message.ClientID != "" {
		r.requests[modelKey{a.Actor.ID, a.Message.ClientID}] = modelRequest{r.LastSeq, a.Message.Fingerprint}
	}
	if row := r.members[a.Actor.ID]; row != nil && row.Active {
		moveRead(row, r.LastSeq, e.at)
	}
}

// change returns a message that is about to change.
func (r *modelRoom) change(seq uint64, at time.Time) *chat.Message {
	message := &r.messages[seq-1]
	message.Version++
	message.UpdatedAt = at
	return message
}

func (r *modelRoom) join(e *modelEntry, who chat.User, role chat.Role) {
	e.member = who.ID
	row := r.members[who.ID]
	if row == nil {
		row = &chat.Member{RoomID: r.ID}
		r.members[who.ID] = row
	}
	row.User, row.Active, row.JoinedAt, row.JoinedSeq = who, true, e.at, r.LastSeq
	row.Intervals = append(row.Intervals, eventlog.Interval{From: e.position.Offset})
	row.Version++
	row.Role = role
	r.MemberCount++
	if role == chat.Owner {
		r.OwnerCount++
		r.Version++
	}
}

func (r *modelRoom) part(e *modelEntry, user string) {
	e.member = user
	row := r.members[user]
	row.Active = false
	row.Intervals[len(row.Intervals)-1].To = e.position.Offset + 1
	row.Version++
	r.MemberCount--
	if row.Role == chat.Owner {
		r.OwnerCount--
		r.Version++
	}
}

func (r *modelRoom) setRole(row *chat.Member, role chat.Role) {
	wasOwner, isOwner := row.Role == chat.Owner, role == chat.Owner
	row.Role = role
	switch {
	case isOwner && !wasOwner:
		r.OwnerCount++
		r.Version++
	case wasOwner && !isOwner:
		r.OwnerCount--
		r.Version++
	}
}

// moveRead moves a row's positions forwards.
func moveRead(row *chat.Member, seq uint64, at time.Time) {
	row.LastDeliveredSeq = max(row.LastDeliveredSeq, seq)
	if seq > row.LastReadSeq {
		row.LastReadSeq, row.LastReadAt = seq, &at
	}
}

package chat

import "context"

// JoinRoom makes the actor an ordinary member of a public room; one who is a member already stays
// as they are, and nothing is written. NOT_FOUND for a private room, LIMIT_EXCEEDED for a full
// one or for one who is in too many rooms.
func (s *Service) JoinRoom(ctx context.Context, actor User, roomID string) (Room, Member, error) {
	o, err := s.change(ctx, actor, ViewQuery{RoomID: roomID}, func(view View) (*Append, error) {
		access, err := accessIn(view, actor.ID)
		if err != nil || access.Member != nil {
			return nil, err
		}
		return s.admit(ctx, view.Room, actor, Ordinary, access.expect)
	})
	if err != nil {
		return Room{}, Member{}, err
	}
	return o.room(), o.member(actor.ID), nil
}

// LeaveRoom ends the actor's membership; for one who isn't a member of a public room there is
// nothing to do. CONFLICT for the last owner while others remain, and in a DIRECT room.
func (s *Service) LeaveRoom(ctx context.Context, actor User, roomID string) (Room, error) {
	o, err := s.change(ctx, actor, ViewQuery{RoomID: roomID}, func(view View) (*Append, error) {
		access, err := accessIn(view, actor.ID)
		if err != nil || access.Member == nil {
			return nil, err
		}
		if view.Room.Type == Direct {
			return nil, fixedMembers()
		}
		if access.Member.onlyOwnerOf(view.Room) && view.Room.MemberCount > 1 {
			return nil, Errorf(Conflict, "you are the last owner: make somebody else an owner before you leave")
		}
		return &Append{Kind: KindMemberLeft, Target: actor, Expect: access.expect}, nil
	})
	return o.room(), err
}

// AddMember lets a user in with a role; a member who has it already stays as they are, and nothing
// is written. The user need not have signed in before. Admins may let in ordinary members, owners
// anyone; FORBIDDEN for others. CONFLICT for a member with another role, and in a DIRECT room;
// LIMIT_EXCEEDED as in JoinRoom.
func (s *Service) AddMember(ctx context.Context, actor User, roomID, userID string, role Role) (Room, Member, error) {
	if err := checkTarget(userID, role); err != nil {
		return Room{}, Member{}, err
	}
	q := ViewQuery{RoomID: roomID, Users: []string{userID}}
	o, err := s.change(ctx, actor, q, func(view View) (*Append, error) {
		member, err := memberIn(view, actor.ID)
		if err != nil {
			return nil, err
		}
		if !member.Role.mayGive(role) {
			return nil, forbidden("a member with the role %s may not let in one with the role %s", member.Role, role)
		}
		if view.Room.Type == Direct {
			return nil, fixedMembers()
		}
		target, row := User{ID: userID}, view.Members[userID]
		if row != nil {
			target = row.User
		}
		if row == nil || !row.Active {
			return s.admit(ctx, view.Room, target, role, expectation(view, actor.ID, userID))
		}
		if row.Role != role {
			return nil, Errorf(Conflict, "the user is a member already, with the role %s", row.Role)
		}
		return nil, nil
	})
	if err != nil {
		return Room{}, Member{}, err
	}
	return o.room(), o.member(userID), nil
}

// RemoveMember ends somebody's membership; for a past member there is nothing to do. Removing
// oneself is leaving. Admins may remove those below them, owners anyone; FORBIDDEN for others.
// NOT_FOUND for one who never was a member, CONFLICT in a DIRECT room.
func (s *Service) RemoveMember(ctx context.Context, actor User, roomID, userID string) (Room, error) {
	if err := checkTarget(userID, Ordinary); err != nil {
		return Room{}, err
	}
	if userID == actor.ID {
		return s.LeaveRoom(ctx, actor, roomID)
	}
	q := ViewQuery{RoomID: roomID, Users: []string{userID}}
	o, err := s.change(ctx, actor, q, func(view View) (*Append, error) {
		member, err := memberIn(view, actor.ID)
		if err != nil {
			return nil, err
		}
		if !member.Role.manages() {
			return nil, forbidden("only admins and owners may remove members")
		}
		if view.Room.Type == Direct {
			return nil, fixedMembers()
		}
		row := view.Members[userID]
		if row == nil {
			return nil, noMember()
		}
		if !row.Active {
			return nil, nil
		}
		if !member.Role.mayRemove(row.Role) {
			return nil, forbidden("a member with the role %s may not remove one with the role %s", member.Role, row.Role)
		}
		return &Append{Kind: KindMemberRemoved, Target: row.User, Expect: expectation(view, actor.ID, userID)}, nil
	})
	return o.room(), err
}

// SetRole gives a member a role, and writes nothing if they have it. Only owners may; FORBIDDEN
// for others. NOT_FOUND for one who isn't a member now, CONFLICT for the last owner stepping
// down, and in a DIRECT room.
func (s *Service) SetRole(ctx context.Context, actor User, roomID, userID string, role Role) (Member, error) {
	if err := checkTarget(userID, role); err != nil {
		return Member{}, err
	}
	q := ViewQuery{RoomID: roomID, Users: []string{userID}}
	o, err := s.change(ctx, actor, q, func(view View) (*Append, error) {
		member, err := memberIn(view, actor.ID)
		if err != nil {
			return nil, err
		}
		if !member.Role.maySetAccess() {
			return nil, forbidden("only owners may change roles")
		}
		if view.Room.Type == Direct {
			return nil, fixedMembers()
		}
		row := view.Members[userID]
		if row == nil || !row.Active {
			return nil, noMember()
		}
		if row.Role == role {
			return nil, nil
		}
		if row.onlyOwnerOf(view.Room) {
			return nil, Errorf(Conflict, "you are the last owner: make somebody else an owner first")
		}
		return &Append{
			Kind: KindMemberRoleChanged, Target: row.User, Role: role,
			Expect: expectation(view, actor.ID, userID),
		}, nil
	})
	if err != nil {
		return Member{}, err
	}
	return o.member(userID), nil
}

// admit makes the entry by which a user comes in, if there is place for them.
func (s *Service) admit(ctx context.Context, room Room, user User, role Role, expect Expect) (*Append, error) {
	if room.MemberCount >= s.limits.MembersPerRoom {
		return nil, Errorf(LimitExceeded, "the room is full: it has %d members", room.MemberCount)
	}
	if err := s.roomLeftFor(ctx, user.ID); err != nil {
		return nil, err
	}
	return &Append{Kind: KindMemberJoined, Target: user, Role: role, Expect: expect}, nil
}

// roomLeftFor returns LIMIT_EXCEEDED for a user who is in as many rooms as one may be.
func (s *Service) roomLeftFor(ctx context.Context, user string) error {
	count, err := s.store.RoomCount(ctx, user)
	if err != nil {
		return public(err)
	}
	if count >= s.limits.RoomsPerUser {
		return Errorf(LimitExceeded, "a user may be in at most %d rooms", s.limits.RoomsPerUser)
	}
	return nil
}

func (m *Member) onlyOwnerOf(room Room) bool { return m.Role == Owner && room.OwnerCount == 1 }

func checkTarget(userID string, role Role) error {
	if !IsUserID(userID) {
		return Errorf(BadInput, "not a user's id").InField("userId")
	}
	if !role.Valid() {
		return Errorf(BadInput, "no such role").InField("role")
	}
	return nil
}

func noMember() *Error { return Errorf(NotFound, "the user isn't a member").InField("userId") }

func fixedMembers() *Error {
	return Errorf(Conflict, "a direct room is for two: nobody joins, leaves or changes role")
}

package chat

import "context"

// MarkRead says that the actor has read a room's messages up to seq; it never goes back. BAD_INPUT
// for a seq the room hasn't reached, FORBIDDEN for one who isn't a member.
func (s *Service) MarkRead(ctx context.Context, actor User, roomID string, seq int) (Room, Member, error) {
	membership, err := retry(maxTries, func() (Membership, error) {
		access, err := s.readAccess(ctx, actor.ID, roomID)
		if err != nil {
			return Membership{}, err
		}
		if seq < 0 || uint64(seq) > access.Room.LastSeq {
			return Membership{}, Errorf(BadInput, "seq is from 0 to the room's last, %d", access.Room.LastSeq).InField("seq")
		}
		if access.Member.LastReadSeq >= uint64(seq) {
			return Membership{Room: access.Room, Member: *access.Member}, nil
		}
		member, err := s.store.MarkRead(ctx, roomID, actor.ID, uint64(seq))
		if CodeOf(err) == NotFound { // no member any more
			err = ErrMoved
		}
		return Membership{Room: access.Room, Member: member}, err
	})
	return membership.Room, membership.Member, err
}

// Unread returns how many messages viewer hasn't read since joining, without deleted ones; 0 for
// one who isn't a member of a public room.
func (s *Service) Unread(ctx context.Context, viewer, roomID string) (int, error) {
	access, err := s.Access(ctx, viewer, roomID)
	if err != nil || access.Member == nil {
		return 0, err
	}
	if access.Room.LastSeq <= max(access.Member.LastReadSeq, access.Member.JoinedSeq) {
		return 0, nil
	}
	count, err := s.store.Unread(ctx, roomID, viewer)
	return count, public(err)
}

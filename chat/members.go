package chat

import (
	"context"

	"parley/eventlog"
)

// ID returns the membership's id.
func (m *Member) ID() string { return MemberID(m.RoomID, m.User.ID) }

// Cursor returns the member's place in the list of the room's members.
func (m *Member) Cursor() eventlog.Cursor {
	return eventlog.Cursor{Kind: eventlog.CursorMembers, Log: m.RoomID, Key: m.User.ID}
}

// Members returns a page of a room's present members in the order of their user ids: the first
// ones after the cursor, DefaultPage for nil, at most MaxPage. FORBIDDEN for one who isn't a
// member.
func (s *Service) Members(ctx context.Context, viewer, roomID string, first *int, after *eventlog.Cursor) (MemberPage, error) {
	limit, err := pageSize("first", first)
	if err != nil {
		return MemberPage{}, err
	}
	key, err := keyOf(after, eventlog.CursorMembers, roomID)
	if err != nil {
		return MemberPage{}, err
	}
	if !IsRoomID(roomID) {
		return MemberPage{}, noRoom()
	}
	// Access is read last, so that nothing shown is newer than the right to see it.
	page, readErr := s.store.Members(ctx, roomID, key, max(limit, 1))
	if _, err := s.readAccess(ctx, viewer, roomID); err != nil {
		return MemberPage{}, err
	}
	if readErr != nil {
		return MemberPage{}, public(readErr)
	}
	if limit == 0 {
		page.Members, page.HasMore = nil, page.HasMore || len(page.Members) > 0
	}
	return page, nil
}

// Member returns a user's present membership of a room, or nil where there is none that viewer may
// see: those of a room are for its members. NOT_FOUND if viewer may not know of the room.
func (s *Service) Member(ctx context.Context, viewer, roomID, userID string) (*Member, error) {
	view, err := s.view(ctx, ViewQuery{RoomID: roomID, Users: []string{viewer, userID}})
	if err != nil {
		return nil, err
	}
	access, err := accessIn(view, viewer)
	if err != nil || access.Member == nil {
		return nil, err
	}
	if row := view.Members[userID]; row != nil && row.Active {
		return row, nil
	}
	return nil, nil
}

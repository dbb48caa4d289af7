package chat

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/eventlog"
)

// RoomPage is a run of rooms.
type RoomPage struct {
	Rooms []Room
	// Cursors are the places of the rooms in the list, one for each.
	Cursors []eventlog.Cursor
	HasMore bool
}

// Rooms returns the rooms viewer is a member of by last activity, newest first, and by id within
// the same millisecond: the first ones after the cursor, DefaultPage for nil, at most MaxPage. A
// room that became active while paging has moved to the front.
func (s *Service) Rooms(ctx context.Context, viewer string, first *int, after *eventlog.Cursor) (RoomPage, error) {
	limit, err := pageSize("first", first)
	if err != nil {
		return RoomPage{}, err
	}
	start, err := activityAfter(after)
	if err != nil {
		return RoomPage{}, err
	}
	memberships, err := s.store.RoomsOf(ctx, viewer)
	if err != nil {
		return RoomPage{}, public(err)
	}
	var rooms []Room
	for _, membership := range memberships {
		if start == nil || start.compare(activityOf(membership.Room)) < 0 {
			rooms = append(rooms, membership.Room)
		}
	}
	slices.SortFunc(rooms, func(a, b Room) int { return activityOf(a).compare(activityOf(b)) })
	return roomPage(rooms, limit, func(room Room) eventlog.Cursor {
		return eventlog.Cursor{Kind: eventlog.CursorRooms, Key: activityOf(room).String()}
	}), nil
}

// PublicRooms returns public rooms whose name contains search, regardless of case, by name: the
// first ones after the cursor, DefaultPage for nil, at most MaxPage.
func (s *Service) PublicRooms(ctx context.Context, search *string, first *int, after *eventlog.Cursor) (RoomPage, error) {
	limit, err := pageSize("first", first)
	if err != nil {
		return RoomPage{}, err
	}
	text, err := s.limits.searchText(search)
	if err != nil {
		return RoomPage{}, err
	}
	key, err := keyOf(after, eventlog.CursorPublicRooms, "")
	if err != nil {
		return RoomPage{}, err
	}
	rooms, err := s.store.PublicRooms(ctx, text, key, limit+1)
	if err != nil {
		return RoomPage{}, public(err)
	}
	return roomPage(rooms, limit, func(room Room) eventlog.Cursor {
		return eventlog.Cursor{Kind: eventlog.CursorPublicRooms, Key: room.PublicKey()}
	}), nil
}

// roomPage cuts rooms to a page.
func roomPage(rooms []Room, limit int, cursor func(Room) eventlog.Cursor) RoomPage {
	page := RoomPage{Rooms: rooms, HasMore: len(rooms) > limit}
	if page.HasMore {
		page.Rooms = rooms[:limit]
	}
	for _, room := range page.Rooms {
		page.Cursors = append(page.Cursors, cursor(room))
	}
	return page
}

// activity is a room's place among a user's rooms.
type activity struct {
	at   time.Time
	room string
}

func activityOf(room Room) activity { return activity{at: room.LastActivity(), room: room.ID} }

// compare orders by time, the newest first, then by id.
func (a activity) compare(b activity) int {
	return cmp.Or(cmp.Compare(b.at.UnixMilli(), a.at.UnixMilli()), cmp.Compare(a.room, b.room))
}

// String is the form in a cursor: milliseconds since 1970, a space, the room's id.
func (a activity) String() string { return strconv.FormatInt(a.at.UnixMilli(), 10) + " " + a.room }

// activityAfter returns the place that a page begins after; nil for the start.
func activityAfter(after *eventlog.Cursor) (*activity, error) {
	key, err := keyOf(after, eventlog.CursorRooms, "")
	if err != nil || !given(after) {
		return nil, err
	}
	millis, room, _ := strings.Cut(key, " ")
	at, err := strconv.ParseInt(millis, 10, 64)
	if err != nil || !IsRoomID(room) {
		return nil, Errorf(BadInput, "not a valid cursor").InField("after")
	}
	return &activity{at: time.UnixMilli(at), room: room}, nil
}

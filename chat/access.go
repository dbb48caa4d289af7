package chat

import (
	"context"

	"parley/eventlog"
)

// Access is what a viewer may see of a room, at one moment.
type Access struct {
	Room Room
	// Member is the viewer's row; nil for one who isn't a member now.
	Member *Member
	// Readable are the offsets of the room's log that the viewer may read; nil for one who
	// isn't a member now.
	Readable eventlog.Intervals
	// expect is what the above rests on.
	expect Expect
}

// MustRead returns FORBIDDEN for a viewer who may know of the room but isn't a member, and so may
// neither read nor change it.
func (a Access) MustRead() error {
	if a.Member == nil {
		return forbidden("only members of the room may do this")
	}
	return nil
}

// Access returns what viewer may see of a room. NOT_FOUND if that is nothing.
func (s *Service) Access(ctx context.Context, viewer, roomID string) (Access, error) {
	view, err := s.view(ctx, ViewQuery{RoomID: roomID, Users: []string{viewer}})
	if err != nil {
		return Access{}, err
	}
	return accessIn(view, viewer)
}

// readAccess is Access for members only.
func (s *Service) readAccess(ctx context.Context, viewer, roomID string) (Access, error) {
	access, err := s.Access(ctx, viewer, roomID)
	if err == nil {
		err = access.MustRead()
	}
	if err != nil {
		return Access{}, err
	}
	return access, nil
}

// accessIn judges a viewer by a view that holds their row. NOT_FOUND for those who may not know of
// the room.
func accessIn(view View, viewer string) (Access, error) {
	access := Access{Room: view.Room, expect: expectation(view, viewer)}
	if row := view.Members[viewer]; row != nil && row.Active {
		access.Member, access.Readable = row, row.Readable(view.Room.History)
	} else if view.Room.Visibility != Public {
		return Access{}, noRoom()
	}
	return access, nil
}

// memberIn returns an actor's present membership. NOT_FOUND for those who may not know of the
// room, FORBIDDEN for others who aren't members.
func memberIn(view View, actor string) (*Member, error) {
	access, err := accessIn(view, actor)
	if err != nil {
		return nil, err
	}
	return access.Member, access.MustRead()
}

// expectation is what a decision on the room and these users' rows rests on.
func expectation(view View, users ...string) Expect {
	versions := make(map[string]uint64, len(users))
	for _, user := range users {
		versions[user] = 0
		if row := view.Members[user]; row != nil {
			versions[user] = row.Version
		}
	}
	return Expect{Room: view.Room.Version, Members: versions}
}

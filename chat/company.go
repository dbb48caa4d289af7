package chat

import (
	"context"
	"slices"
)

// MaxCompany bounds how many users SharesRoom is asked about at once.
const MaxCompany = 100

// SharesRoom returns which of the users are members of a room that viewer is a member of, as they
// are known there. The viewer always is; strangers, and ids that can't be a user's, are left out.
// BAD_INPUT for more than MaxCompany.
func (s *Service) SharesRoom(ctx context.Context, viewer string, users []string) (map[string]User, error) {
	if len(users) > MaxCompany {
		return nil, Errorf(BadInput, "at most %d users at once", MaxCompany).InField("userIds")
	}
	own, err := s.store.RoomsOf(ctx, viewer)
	if err != nil {
		return nil, public(err)
	}
	rooms := make(map[string]bool, len(own))
	for _, membership := range own {
		rooms[membership.Room.ID] = true
	}
	shared := make(map[string]User)
	for _, user := range slices.Compact(slices.Sorted(slices.Values(users))) {
		if user == viewer {
			shared[user] = asKnown(own, viewer)
		} else if IsUserID(user) && len(rooms) > 0 {
			theirs, err := s.store.RoomsOf(ctx, user)
			if err != nil {
				return nil, public(err)
			}
			theirs = slices.DeleteFunc(theirs, func(m Membership) bool { return !rooms[m.Room.ID] })
			if len(theirs) > 0 {
				shared[user] = asKnown(theirs, user)
			}
		}
	}
	return shared, nil
}

// asKnown returns a user as the rows show them: with a name if any has one.
func asKnown(rows []Membership, user string) User {
	for _, row := range rows {
		if row.Member.User.Name != "" {
			return row.Member.User
		}
	}
	return User{ID: user}
}

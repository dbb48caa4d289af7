package chat

import "context"

// Census returns the ids of all present members of a room, for what is shared by its readers (there
// is no viewer to judge: whoever shows the result has to). LIMIT_EXCEEDED for a room with more
// than limit members.
func (s *Service) Census(ctx context.Context, roomID string, limit int) ([]string, error) {
	var users []string
	for {
		last := ""
		if n := len(users); n > 0 {
			last = users[n-1]
		}
		page, err := s.store.Members(ctx, roomID, last, MaxPage)
		if err != nil {
			return nil, public(err)
		}
		if page.Total > limit {
			return nil, Errorf(LimitExceeded, "the room has more than %d members", limit)
		}
		for i := range page.Members {
			users = append(users, page.Members[i].User.ID)
		}
		if !page.HasMore || len(page.Members) == 0 {
			return users, nil
		}
	}
}

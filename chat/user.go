// Package chat is the domain: rooms, members, messages and the events of a room's log; the rules
// of who may do what ([Service]); and the storage the rules need ([Store]). It knows neither
// GraphQL nor a database.
package chat

// User is a person as others see them.
type User struct {
	ID string `json:"id"`
	// Name is "" where none is known yet; see DisplayName.
	Name      string `json:"name,omitempty"`
	AvatarURL string `json:"avatar,omitempty"`
}

// DisplayName is the name to show: the id where no name is known.
func (u User) DisplayName() string {
	if u.Name == "" {
		return u.ID
	}
	return u.Name
}

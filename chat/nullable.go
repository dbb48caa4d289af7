package chat

import "encoding/json"

// What is "" or empty here and absent to a client.

// AvatarURLOrNil is where a picture of the person is, nil for none.
func (u User) AvatarURLOrNil() *string { return orNil(u.AvatarURL) }

// NameOrNil is the room's name, nil for none.
func (r *Room) NameOrNil() *string { return orNil(r.Name) }

// TopicOrNil is what the room is about, nil for nothing.
func (r *Room) TopicOrNil() *string { return orNil(r.Topic) }

// MetadataOrNil is what the application keeps with the room, nil for nothing.
func (r *Room) MetadataOrNil() any {
	if len(r.Metadata) == 0 {
		return nil
	}
	return json.RawMessage(r.Metadata)
}

// ClientIDOrNil is the sender's own key, nil for none.
func (m *Message) ClientIDOrNil() *string { return orNil(m.ClientID) }

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

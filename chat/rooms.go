package chat

import (
	"bytes"
	"context"
	"encoding/json"
)

// CreateRoom is a room wished for.
type CreateRoom struct {
	// Name is at most Limits.NameChars of text in one line; nil for none.
	Name       *string
	Type       RoomType
	Visibility RoomVisibility
	History    RoomHistory
	// Topic is at most Limits.TopicChars of text; nil or blank for none.
	Topic *string
	// Metadata is any JSON of at most Limits.MetadataBytes; nil or null for none.
	Metadata json.RawMessage
}

// Optional is an input that was left out (Set is false), null (Value is nil) or given.
type Optional[T any] struct {
	Set   bool
	Value *T
}

// UpdateRoom is a change wished for; what is left out stays as it is. Null takes a name, a topic
// or metadata away.
type UpdateRoom struct {
	RoomID      string
	Name, Topic Optional[string]
	Metadata    Optional[json.RawMessage]
	Visibility  Optional[RoomVisibility]
	History     Optional[RoomHistory]
}

// CreateRoom creates a room whose owner and only member is the actor. Channels and public rooms
// need a name. BAD_INPUT for a DIRECT room, which has two sides; LIMIT_EXCEEDED for one who is in
// too many rooms.
func (s *Service) CreateRoom(ctx context.Context, actor User, in CreateRoom) (Room, error) {
	if !IsUserID(actor.ID) {
		return Room{}, Errorf(Unauthenticated, "sign in first")
	}
	settings, err := s.settings(in)
	if err != nil {
		return Room{}, err
	}
	if err := s.roomLeftFor(ctx, actor.ID); err != nil {
		return Room{}, err
	}
	if err := s.rates.create(ctx, s.store, actor.ID); err != nil {
		return Room{}, err
	}
	room, err := s.store.CreateRoom(ctx, NewRoom{ID: NewRoomID(), Type: in.Type, Settings: settings, Owner: &actor})
	return room, public(err)
}

func (s *Service) settings(in CreateRoom) (settings RoomSettings, err error) {
	switch in.Type {
	case Group, Channel:
	case Direct:
		return settings, Errorf(BadInput, "a direct room isn't created but opened with a user").InField("type")
	default:
		return settings, Errorf(BadInput, "no such type of room").InField("type")
	}
	if settings.Name, err = s.limits.roomName(in.Name); err != nil {
		return settings, err
	}
	if settings.Topic, err = s.limits.roomTopic(in.Topic); err != nil {
		return settings, err
	}
	if settings.Metadata, err = s.limits.roomMetadata(in.Metadata); err != nil {
		return settings, err
	}
	settings.Visibility, settings.History = in.Visibility, in.History
	return settings, settings.check(in.Type)
}

// check refuses settings that don't fit together or the type of the room.
func (r RoomSettings) check(kind RoomType) error {
	switch {
	case r.Visibility != Public && r.Visibility != Private:
		return Errorf(BadInput, "no such visibility").InField("visibility")
	case r.History != HistoryAll && r.History != HistorySinceJoined:
		return Errorf(BadInput, "no such history").InField("history")
	case kind == Direct && r.Visibility == Public:
		return Errorf(BadInput, "a direct room can't be public").InField("visibility")
	case kind == Direct && r.Name != "":
		return Errorf(BadInput, "a direct room has no name").InField("name")
	case r.Name == "" && (kind == Channel || r.Visibility == Public):
		return Errorf(BadInput, "channels and public rooms need a name").InField("name")
	}
	return nil
}

// UpdateRoom changes a room's settings and writes nothing if they are as wished already. Admins
// and owners may change name, topic and metadata, only owners visibility and history, since these
// decide who may read what. FORBIDDEN for others.
func (s *Service) UpdateRoom(ctx context.Context, actor User, in UpdateRoom) (Room, error) {
	o, err := s.change(ctx, actor, ViewQuery{RoomID: in.RoomID}, func(view View) (*Append, error) {
		member, err := memberIn(view, actor.ID)
		if err != nil {
			return nil, err
		}
		if !member.Role.manages() {
			return nil, forbidden("only admins and owners may change the room")
		}
		settings, err := s.updated(view.Room, in)
		if err != nil || settings.equal(view.Room.RoomSettings) {
			return nil, err
		}
		if !member.Role.maySetAccess() && !settings.sameAccess(view.Room.RoomSettings) {
			return nil, forbidden("only owners may change visibility and history")
		}
		return &Append{Kind: KindRoomUpdated, Settings: &settings, Expect: expectation(view, actor.ID)}, nil
	})
	return o.room(), err
}

func (s *Service) updated(room Room, in UpdateRoom) (settings RoomSettings, err error) {
	settings = room.RoomSettings
	if in.Name.Set {
		if settings.Name, err = s.limits.roomName(in.Name.Value); err != nil {
			return settings, err
		}
	}
	if in.Topic.Set {
		if settings.Topic, err = s.limits.roomTopic(in.Topic.Value); err != nil {
			return settings, err
		}
	}
	if in.Metadata.Set {
		if settings.Metadata, err = s.limits.roomMetadata(in.Metadata.orZero()); err != nil {
			return settings, err
		}
	}
	if in.Visibility.Set {
		settings.Visibility = in.Visibility.orZero()
	}
	if in.History.Set {
		settings.History = in.History.orZero()
	}
	return settings, settings.check(room.Type)
}

func (o Optional[T]) orZero() (value T) {
	if o.Value != nil {
		value = *o.Value
	}
	return value
}

func (r RoomSettings) sameAccess(other RoomSettings) bool {
	return r.Visibility == other.Visibility && r.History == other.History
}

// equal compares what is stored of settings, so that a store may write metadata in its own way.
func (r RoomSettings) equal(other RoomSettings) bool {
	a, errA := json.Marshal(r)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// EnsureGeneral creates the public room that everybody may join and nobody owns, unless it is
// there.
func (s *Service) EnsureGeneral(ctx context.Context) error {
	_, err := s.store.CreateRoom(ctx, NewRoom{
		ID: GeneralRoomID, Type: Group,
		Settings: RoomSettings{Name: "general", Visibility: Public, History: HistoryAll},
	})
	if CodeOf(err) == Conflict {
		return nil
	}
	return public(err)
}

// Room returns a room that viewer may know of, else NOT_FOUND.
func (s *Service) Room(ctx context.Context, viewer, roomID string) (Room, error) {
	access, err := s.Access(ctx, viewer, roomID)
	return access.Room, err
}

// RoomByID returns a room whoever asks. It is for rendering what all who may see the room share,
// after access to it has been judged; it asks for no viewer and so judges none.
func (s *Service) RoomByID(ctx context.Context, roomID string) (Room, error) {
	view, err := s.view(ctx, ViewQuery{RoomID: roomID})
	return view.Room, err
}

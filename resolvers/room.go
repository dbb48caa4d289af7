package resolvers

import (
	"context"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"

	"parley/chat"
	"parley/eventlog"
	"parley/graph"
)

type room struct{ *Resolver }

func (q query) Room(ctx context.Context, id string) (*chat.Room, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	found, err := q.Chat.Room(ctx, v.ID, id)
	return orAbsent(&found, err)
}

// orAbsent makes null of what the viewer may not know of.
func orAbsent[T any](found *T, err error) (*T, error) {
	switch chat.CodeOf(err) {
	case "":
		return found, nil
	case chat.NotFound:
		return nil, nil
	}
	return nil, err
}

func (q query) Rooms(ctx context.Context, first *int, after *eventlog.Cursor) (*graph.RoomConnection, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	page, err := q.Chat.Rooms(ctx, v.ID, first, after)
	return roomConnection(page, after, err)
}

func (q query) PublicRooms(ctx context.Context, search *string, first *int, after *eventlog.Cursor) (*graph.RoomConnection, error) {
	if _, err := viewer(ctx); err != nil {
		return nil, err
	}
	page, err := q.Chat.PublicRooms(ctx, search, first, after)
	return roomConnection(page, after, err)
}

func roomConnection(page chat.RoomPage, after *eventlog.Cursor, err error) (*graph.RoomConnection, error) {
	if err != nil {
		return nil, err
	}
	edges := make([]graph.RoomEdge, len(page.Rooms))
	for i := range page.Rooms {
		edges[i] = graph.RoomEdge{Cursor: page.Cursors[i], Node: page.Rooms[i]}
	}
	return &graph.RoomConnection{Edges: edges, PageInfo: forwardPage(page.Cursors, page.HasMore, after)}, nil
}

// forwardPage describes a page of a list that is read forward only.
func forwardPage(cursors []eventlog.Cursor, more bool, after *eventlog.Cursor) graph.PageInfo {
	info := graph.PageInfo{HasNextPage: more, HasPreviousPage: after != nil && after.Kind != 0}
	if n := len(cursors); n > 0 {
		info.StartCursor, info.EndCursor = &cursors[0], &cursors[n-1]
	}
	return info
}

func (m mutation) CreateRoom(ctx context.Context, input graph.CreateRoomInput) (*graph.CreateRoomPayload, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	metadata, err := rawJSON(input.Metadata)
	if err != nil {
		return nil, err
	}
	created, err := m.Chat.CreateRoom(ctx, v, chat.CreateRoom{
		Name: input.Name.Value(), Type: input.Type, Visibility: input.Visibility, History: input.History,
		Topic: input.Topic.Value(), Metadata: metadata,
	})
	if err != nil {
		return nil, err
	}
	return &graph.CreateRoomPayload{Room: created}, nil
}

func (m mutation) UpdateRoom(ctx context.Context, input graph.UpdateRoomInput) (*graph.UpdateRoomPayload, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	metadata, err := rawJSON(input.Metadata)
	if err != nil {
		return nil, err
	}
	change := chat.UpdateRoom{
		RoomID: input.RoomID, Name: optional(input.Name), Topic: optional(input.Topic),
		Visibility: optional(input.Visibility), History: optional(input.History),
		Metadata: chat.Optional[json.RawMessage]{Set: input.Metadata.IsSet()},
	}
	if metadata != nil {
		change.Metadata.Value = &metadata
	}
	updated, err := m.Chat.UpdateRoom(ctx, v, change)
	if err != nil {
		return nil, err
	}
	return &graph.UpdateRoomPayload{Room: updated}, nil
}

func optional[T any](o graphql.Omittable[*T]) chat.Optional[T] {
	value, set := o.ValueOK()
	return chat.Optional[T]{Set: set, Value: value}
}

// rawJSON writes a JSON input down again; nil for null and for none.
func rawJSON(o graphql.Omittable[any]) (json.RawMessage, error) {
	if o.Value() == nil {
		return nil, nil
	}
	raw, err := json.Marshal(o.Value())
	if err != nil {
		return nil, chat.Errorf(chat.BadInput, "metadata isn't JSON").InField("metadata")
	}
	return raw, nil
}

func (r room) ViewerMembership(ctx context.Context, obj *chat.Room) (*chat.Member, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	return orAbsent(r.Chat.Member(ctx, v.ID, obj.ID, v.ID))
}

func (r room) ViewerUnreadCount(ctx context.Context, obj *chat.Room) (int, error) {
	v, err := viewer(ctx)
	if err != nil {
		return 0, err
	}
	unread, err := r.Chat.Unread(ctx, v.ID, obj.ID)
	if chat.CodeOf(err) == chat.NotFound { // removed from a private room, by the event that is shown
		return 0, nil
	}
	return unread, err
}

package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/graph"
	"parley/render"
)

// event resolves the fields that all kinds of room events share.
type event[T interface{ Room() string }] struct{ *Resolver }

func (e event[T]) Room(ctx context.Context, obj T) (*chat.Room, error) {
	return e.roomOf(ctx, obj.Room())
}

func (q query) RoomEvents(ctx context.Context, roomID string, after *eventlog.Cursor, first *int) (*graph.RoomEventPage, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	page, err := q.Chat.Events(ctx, v.ID, roomID, after, first)
	if err != nil {
		return nil, err
	}
	events := make([]chat.RoomEvent, 0, len(page.Events))
	for i := range page.Events {
		p := &page.Events[i]
		cursor := eventlog.Cursor{Kind: eventlog.CursorLog, Log: roomID, Position: p.Position, Seq: p.Seq}
		if e := chat.RoomEventOf(p.Payload, cursor); e != nil {
			events = append(events, e)
		}
	}
	return &graph.RoomEventPage{
		Events: events, Cursor: page.Cursor, Reset: page.Reset, PollAfterSeconds: q.PollAfterSeconds,
	}, nil
}

func (s subscription) RoomEvents(ctx context.Context, roomID string, after *eventlog.Cursor) (<-chan chat.RoomEvent, error) {
	return render.Stream(ctx,
		func(ctx context.Context) (render.Spec, error) {
			spec, err := s.followRoom(ctx, roomID, after)
			spec.Filter = chat.EventKinds | eventlog.KindsOf(eventlog.KindReset)
			spec.ShowReset = true
			return spec, err
		},
		func(source delivery.Source) (chat.RoomEvent, error) {
			e := chat.RoomEventOf(source.Payload, source.Cursor)
			if e == nil {
				return nil, chat.Errorf(chat.Internal, "not an event")
			}
			return e, nil
		})
}

// followRoom authorizes the viewer to follow a room's log, and says from where: a cursor of theirs,
// else the tail as it was when they were authorized.
func (r *Resolver) followRoom(ctx context.Context, roomID string, after *eventlog.Cursor) (render.Spec, error) {
	spec, err := r.followTail(ctx, roomID)
	if err != nil {
		return spec, err
	}
	start, err := resumeFrom(ctx, roomID, after)
	if start.Kind != 0 {
		spec.Start = start
	}
	return spec, err
}

// followTail authorizes the viewer to follow a room's log from its tail.
func (r *Resolver) followTail(ctx context.Context, roomID string) (render.Spec, error) {
	v, err := viewer(ctx)
	if err != nil {
		return render.Spec{}, err
	}
	access, err := r.readable(ctx, v.ID, roomID)
	if err != nil {
		return render.Spec{}, err
	}
	id := v.ID
	return render.Spec{
		As: asViewer(ctx), Members: access.Room.MemberCount,
		Spec: delivery.Spec{
			Topic: access.Room.ID, Start: access.Room.Cursor(), Principal: id, Access: reads(access),
			Authorize: func(ctx context.Context) (delivery.Access, error) {
				access, err := r.readable(ctx, id, roomID)
				if err != nil {
					return delivery.Access{}, err
				}
				return reads(access), nil
			},
		},
	}, nil
}

// readable returns a room that the viewer may read.
func (r *Resolver) readable(ctx context.Context, viewer, roomID string) (chat.Access, error) {
	access, err := r.Chat.Access(ctx, viewer, roomID)
	if err != nil {
		return chat.Access{}, err
	}
	return access, access.MustRead()
}

// resumeFrom returns the position a client gives: that of extensions.resume (into which SSE puts
// Last-Event-ID), else the argument. Null and "" count as none, which is the zero Cursor.
func resumeFrom(ctx context.Context, roomID string, after *eventlog.Cursor) (eventlog.Cursor, error) {
	var start eventlog.Cursor
	field := "resume"
	err := start.UnmarshalGQL(orBlank(graphql.GetOperationContext(ctx).Extensions[field]))
	if err == nil && start.Kind == 0 && after != nil {
		start, field = *after, "after"
	}
	if err == nil && start.Kind != 0 {
		err = start.Of(eventlog.CursorLog, roomID)
	}
	if err != nil {
		return eventlog.Cursor{}, chat.Errorf(chat.BadInput, "%s", err).InField(field)
	}
	return start, nil
}

func orBlank(value any) any {
	if value == nil {
		return ""
	}
	return value
}

package resolvers

import (
	"context"
	"time"

	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/graph"
	"parley/presence"
	"parley/render"
)

func (r room) Typing(ctx context.Context, obj *chat.Room) ([]chat.User, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := r.readable(ctx, v.ID, obj.ID); err != nil {
		return nil, err
	}
	typing, err := r.Presence.Typing(ctx, obj.ID)
	return typists(&typing), err
}

func typists(t *presence.Typing) []chat.User {
	users := make([]chat.User, len(t.Users))
	for i, u := range t.Users {
		users[i] = chat.User(u)
	}
	return users
}

func (m mutation) SetTyping(ctx context.Context, input graph.SetTypingInput) (*graph.SetTypingPayload, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	access, err := m.readable(ctx, v.ID, input.RoomID)
	if err != nil {
		return nil, err
	}
	if err := m.TypingRate.Take(v.ID); err != nil {
		return nil, err
	}
	expires, err := m.Tracker.SetTyping(ctx, access.Room.ID, presence.User(v), input.Typing)
	if err != nil {
		return nil, err
	}
	if expires != nil {
		*expires = expires.UTC().Truncate(time.Millisecond)
	}
	return &graph.SetTypingPayload{ExpiresAt: expires}, nil
}

// stopTyping takes a user out of a room's typing set, after something that ends typing. What was
// asked for has been done already, so a failure is only logged: typing ends by itself.
func (r *Resolver) stopTyping(ctx context.Context, roomID string, user chat.User) {
	if _, err := r.Tracker.SetTyping(ctx, roomID, presence.User(user), false); err != nil {
		r.log().WarnContext(ctx, "typing wasn't cleared", "room", roomID, "error", err)
	}
}

func (s subscription) Typing(ctx context.Context, roomID string) (<-chan *graph.TypingState, error) {
	return render.Stream(ctx,
		func(ctx context.Context) (render.Spec, error) {
			spec, err := s.followTail(ctx, roomID)
			return guarded(spec, eventlog.TypingTopic(roomID), func(ctx context.Context, sink func([]eventlog.Value)) (func(), error) {
				return s.State.WatchState(ctx, eventlog.TypingTopic(roomID), sink)
			}), err
		},
		func(source delivery.Source) (*graph.TypingState, error) {
			typing, ok := source.Payload.(*presence.Typing)
			if !ok {
				return nil, chat.Errorf(chat.Internal, "not a typing set")
			}
			in, err := s.roomOf(ctx, typing.RoomID)
			if err != nil {
				return nil, err
			}
			return &graph.TypingState{Room: *in, Users: typists(typing)}, nil
		})
}

// guarded makes of a spec that follows a room one that follows a state topic, for as long as the
// room may be read.
func guarded(spec render.Spec, topic string, source delivery.StateSource) render.Spec {
	spec.Guard, spec.Topic, spec.State = spec.Topic, topic, source
	return spec
}

package resolvers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"parley/chat"
	"parley/delivery"
	"parley/graph"
	"parley/presence"
	"parley/render"
)

func (q query) Presence(ctx context.Context, userIds []string) ([]graph.Presence, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	known, err := q.Chat.SharesRoom(ctx, v.ID, userIds)
	if err != nil {
		return nil, err
	}
	asked := slices.DeleteFunc(slices.Clone(userIds), func(id string) bool { _, ok := known[id]; return !ok })
	found, err := q.Resolver.Presence.Presences(ctx, asked)
	if err != nil {
		return nil, err
	}
	shown := make([]graph.Presence, len(found))
	for i := range found {
		shown[i] = showPresence(&found[i])
		if shown[i].User.Name == "" {
			shown[i].User = known[found[i].User.ID]
		}
	}
	return shown, nil
}

func showPresence(p *presence.Presence) graph.Presence {
	return graph.Presence{ID: p.User.ID, User: chat.User(p.User), Status: p.Status, LastSeenAt: p.LastSeenAt}
}

func (s subscription) Presence(ctx context.Context, roomID *string, userIds []string) (<-chan *graph.Presence, error) {
	return render.Stream(ctx,
		func(ctx context.Context) (render.Spec, error) {
			switch {
			case (roomID == nil) == (userIds == nil):
				return render.Spec{}, chat.Errorf(chat.BadInput, "exactly one of roomId and userIds is expected")
			case roomID != nil:
				return s.followRoomPresence(ctx, *roomID)
			default:
				return s.followUsers(ctx, userIds)
			}
		},
		func(source delivery.Source) (*graph.Presence, error) {
			p, ok := source.Payload.(*presence.Presence)
			if !ok {
				return nil, chat.Errorf(chat.Internal, "not a presence")
			}
			shown := showPresence(p)
			return &shown, nil
		})
}

// followRoomPresence follows all members of a room that the viewer may read, as they come and go.
func (s subscription) followRoomPresence(ctx context.Context, roomID string) (render.Spec, error) {
	spec, err := s.followTail(ctx, roomID)
	if err != nil {
		return spec, err
	}
	limit := s.MaxPresence
	if limit == 0 {
		limit = 1000
	}
	if _, err := s.Chat.Census(ctx, roomID, limit); err != nil {
		return spec, err
	}
	feed := feedOptions{
		state: s.State, log: s.Log, room: roomID, cutOff: s.CutOff, warn: s.log(),
		// A room that grows meanwhile is followed on for a while.
		users: func(ctx context.Context) ([]string, error) { return s.Chat.Census(ctx, roomID, 2*limit) },
	}
	return guarded(spec, "presence-of-room/"+roomID, feed.watch), nil
}

// followUsers follows the people given, each for as long as they share a room with the viewer.
func (s subscription) followUsers(ctx context.Context, userIds []string) (render.Spec, error) {
	v, err := viewer(ctx)
	if err != nil {
		return render.Spec{}, err
	}
	ids := slices.Compact(slices.Sorted(slices.Values(userIds)))
	known := func(ctx context.Context, users []string) ([]string, error) {
		known, err := s.Chat.SharesRoom(ctx, v.ID, users)
		return slices.Collect(maps.Keys(known)), err
	}
	feed := feedOptions{
		state: s.State, among: known, warn: s.log(),
		users: func(ctx context.Context) ([]string, error) { return known(ctx, ids) },
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", append([]string{v.ID}, ids...)))
	return render.Spec{As: asViewer(ctx), Spec: delivery.Spec{
		Topic: "presence-of-users/" + hex.EncodeToString(sum[:]), State: feed.watch, Principal: v.ID,
	}}, nil
}

package resolvers

import (
	"context"

	"parley/chat"
	"parley/eventlog"
	"parley/graph"
)

type member struct{ *Resolver }

func (r member) Room(ctx context.Context, obj *chat.Member) (*chat.Room, error) {
	return r.roomOf(ctx, obj.RoomID)
}

func (r room) Members(ctx context.Context, obj *chat.Room, first *int, after *eventlog.Cursor) (*graph.RoomMemberConnection, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	page, err := r.Chat.Members(ctx, v.ID, obj.ID, first, after)
	if err != nil {
		return nil, err
	}
	edges := make([]graph.RoomMemberEdge, len(page.Members))
	cursors := make([]eventlog.Cursor, len(page.Members))
	for i := range page.Members {
		cursors[i] = page.Members[i].Cursor()
		edges[i] = graph.RoomMemberEdge{Cursor: cursors[i], Node: page.Members[i]}
	}
	return &graph.RoomMemberConnection{
		Edges: edges, PageInfo: forwardPage(cursors, page.HasMore, after), TotalCount: page.Total,
	}, nil
}

func (m mutation) JoinRoom(ctx context.Context, input graph.JoinRoomInput) (*graph.JoinRoomPayload, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	joined, own, err := m.Chat.JoinRoom(ctx, v, input.RoomID)
	if err != nil {
		return nil, err
	}
	return &graph.JoinRoomPayload{Room: joined, Member: own}, nil
}

func (m mutation) LeaveRoom(ctx context.Context, input graph.LeaveRoomInput) (*graph.LeaveRoomPayload, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	left, err := m.Chat.LeaveRoom(ctx, v, input.RoomID)
	if err != nil {
		return nil, err
	}
	m.stopTyping(ctx, left.ID, v)
	return &graph.LeaveRoomPayload{Room: left}, nil
}

func (m mutation) AddMember(ctx context.Context, input graph.AddMemberInput) (*graph.AddMemberPayload, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	in, added, err := m.Chat.AddMember(ctx, v, input.RoomID, input.UserID, input.Role)
	if err != nil {
		return nil, err
	}
	return &graph.AddMemberPayload{Room: in, Member: added}, nil
}

func (m mutation) RemoveMember(ctx context.Context, input graph.RemoveMemberInput) (*graph.RemoveMemberPayload, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	from, err := m.Chat.RemoveMember(ctx, v, input.RoomID, input.UserID)
	if err != nil {
		return nil, err
	}
	m.stopTyping(ctx, from.ID, chat.User{ID: input.UserID})
	return &graph.RemoveMemberPayload{Room: from}, nil
}

func (m mutation) SetRole(ctx context.Context, input graph.SetRoleInput) (*graph.SetRolePayload, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	changed, err := m.Chat.SetRole(ctx, v, input.RoomID, input.UserID, input.Role)
	if err != nil {
		return nil, err
	}
	return &graph.SetRolePayload{Member: changed}, nil
}

func (m mutation) MarkRead(ctx context.Context, input graph.MarkReadInput) (*graph.MarkReadPayload, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	in, own, err := m.Chat.MarkRead(ctx, v, input.RoomID, input.Seq)
	if err != nil {
		return nil, err
	}
	return &graph.MarkReadPayload{Room: in, Member: own}, nil
}

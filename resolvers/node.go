package resolvers

import (
	"context"

	"parley/chat"
)

// maxNodes bounds the ids of one Query.nodes or Query.presence.
const maxNodes = 100

func (q query) Node(ctx context.Context, id string) (chat.Node, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	return q.node(ctx, v, id)
}

func (q query) Nodes(ctx context.Context, ids []string) ([]chat.Node, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	if len(ids) > maxNodes {
		return nil, chat.Errorf(chat.LimitExceeded, "at most %d ids at once", maxNodes).InField("ids")
	}
	nodes := make([]chat.Node, len(ids))
	for i, id := range ids {
		if nodes[i], err = q.node(ctx, v, id); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// node finds what an id belongs to by its form; nil for what the viewer may not know of.
func (q query) node(ctx context.Context, v chat.User, id string) (chat.Node, error) {
	if chat.IsRoomID(id) {
		return asNode(q.Room(ctx, id))
	}
	if _, _, _, ok := chat.ParseMessageID(id); ok {
		return asNode(q.Message(ctx, id))
	}
	if room, user, ok := chat.ParseMemberID(id); ok {
		found, err := q.Chat.Member(ctx, v.ID, room, user)
		if chat.CodeOf(err) == chat.Forbidden {
			return nil, nil
		}
		return asNode(orAbsent(found, err))
	}
	if !chat.IsUserID(id) {
		return nil, nil
	}
	if id == v.ID {
		return v, nil
	}
	known, err := q.Chat.SharesRoom(ctx, v.ID, []string{id})
	if user, ok := known[id]; ok && err == nil {
		return user, nil
	}
	return nil, err
}

// asNode keeps a nil pointer from becoming a node that isn't nil.
func asNode[T any, P interface {
	*T
	chat.Node
}](found P, err error) (chat.Node, error) {
	if found == nil || err != nil {
		return nil, err
	}
	return found, nil
}

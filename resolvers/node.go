package resolvers

import (
	"context"
	"slices"

	"parley/chat"
)

func (q query) Node(ctx context.Context, id string) (chat.Node, error) {
	nodes, err := q.Nodes(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	return nodes[0], nil
}

func (q query) Nodes(ctx context.Context, ids []string) ([]chat.Node, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	known, err := q.people(ctx, v, ids)
	if err != nil {
		return nil, err
	}
	nodes := make([]chat.Node, len(ids))
	for i, id := range ids {
		if user, ok := known[id]; ok {
			nodes[i] = user
		} else if nodes[i], err = q.node(ctx, v, id); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// people returns which of the ids are people whom the viewer may know of.
func (q query) people(ctx context.Context, v chat.User, ids []string) (map[string]chat.User, error) {
	users := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !chat.IsUserID(id) })
	if len(users) == 0 {
		return nil, nil
	}
	known, err := q.Chat.SharesRoom(ctx, v.ID, users)
	if _, ok := known[v.ID]; ok {
		known[v.ID] = v
	}
	return known, err
}

// node finds what one of our ids belongs to by its form; nil for what the viewer may not know of.
func (q query) node(ctx context.Context, v chat.User, id string) (chat.Node, error) {
	if chat.IsRoomID(id) {
		return asNode(q.Room(ctx, id))
	}
	if room, user, ok := chat.ParseMemberID(id); ok {
		return asNode(orAbsent(q.Chat.Member(ctx, v.ID, room, user)))
	}
	if _, _, _, ok := chat.ParseMessageID(id); ok {
		return asNode(q.Message(ctx, id))
	}
	return nil, nil
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

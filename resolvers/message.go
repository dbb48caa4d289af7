package resolvers

import (
	"context"

	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/graph"
	"parley/render"
)

type message struct{ *Resolver }

func (q query) Message(ctx context.Context, id string) (*chat.Message, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	found, err := q.Chat.Message(ctx, v.ID, id)
	return orAbsent(&found, err)
}

func (r room) Messages(ctx context.Context, obj *chat.Room, first *int, after *eventlog.Cursor, last *int, before *eventlog.Cursor) (*graph.MessageConnection, error) {
	page, err := r.messages(ctx, obj.ID, chat.PageArgs{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, err
	}
	edges := make([]graph.MessageEdge, len(page.Messages))
	for i := range page.Messages {
		edges[i] = messageEdge(page.Messages[i])
	}
	info := graph.PageInfo{HasNextPage: page.HasAfter, HasPreviousPage: page.HasBefore}
	if n := len(edges); n > 0 {
		info.StartCursor, info.EndCursor = &edges[0].Cursor, &edges[n-1].Cursor
	}
	cursor, ok := render.At(ctx)
	if !ok {
		cursor = page.Room.Cursor()
	}
	return &graph.MessageConnection{Edges: edges, PageInfo: info, Cursor: cursor}, nil
}

func messageEdge(m chat.Message) graph.MessageEdge {
	return graph.MessageEdge{Cursor: m.Cursor(), Node: m}
}

func (r message) Room(ctx context.Context, obj *chat.Message) (*chat.Room, error) {
	return r.roomOf(ctx, obj.RoomID)
}

func (r message) ReplyTo(ctx context.Context, obj *chat.Message) (*chat.Message, error) {
	if obj.ReplyToSeq == 0 {
		return nil, nil
	}
	return r.reply(ctx, obj.RoomID, obj.ReplyToSeq)
}

func (m mutation) SendMessage(ctx context.Context, input graph.SendMessageInput) (*graph.SendMessagePayload, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	sent, err := m.Chat.SendMessage(ctx, v, chat.SendMessage{
		RoomID: input.RoomID, Content: input.Content,
		ClientID: orEmpty(input.ClientID.Value()), ReplyToID: orEmpty(input.ReplyToID.Value()),
	})
	if err != nil {
		return nil, err
	}
	if sent.Typing {
		m.stopTyping(ctx, input.RoomID, v)
	}
	return &graph.SendMessagePayload{Message: sent.Message, Edge: messageEdge(sent.Message)}, nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (m mutation) EditMessage(ctx context.Context, input graph.EditMessageInput) (*graph.EditMessagePayload, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	edited, err := m.Chat.EditMessage(ctx, v, input.MessageID, input.Content)
	if err != nil {
		return nil, err
	}
	return &graph.EditMessagePayload{Message: edited}, nil
}

func (m mutation) DeleteMessage(ctx context.Context, input graph.DeleteMessageInput) (*graph.DeleteMessagePayload, error) {
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	deleted, err := m.Chat.DeleteMessage(ctx, v, input.MessageID)
	if err != nil {
		return nil, err
	}
	return &graph.DeleteMessagePayload{Message: deleted}, nil
}

func (s subscription) MessageAdded(ctx context.Context, roomID string, after *eventlog.Cursor) (<-chan *chat.Message, error) {
	return render.Stream(ctx,
		func(ctx context.Context) (render.Spec, error) {
			spec, err := s.followRoom(ctx, roomID, after)
			spec.Filter = eventlog.KindsOf(chat.KindMessageSent)
			spec.Backfill = s.sentAfter(spec.Topic, spec.Principal)
			return spec, err
		},
		func(source delivery.Source) (*chat.Message, error) {
			sent, ok := source.Payload.(*chat.Event)
			if !ok || sent.Message == nil {
				return nil, chat.Errorf(chat.Internal, "not a message")
			}
			return sent.Message, nil
		})
}

// sentAfter reads messages by their seq, as the publications of their sending, for a cursor whose
// entries the log no longer has.
func (s subscription) sentAfter(roomID, viewer string) func(context.Context, uint64, int) ([]eventlog.Publication, error) {
	return func(ctx context.Context, seq uint64, limit int) ([]eventlog.Publication, error) {
		after := eventlog.Cursor{Kind: eventlog.CursorLog, Log: roomID, Seq: seq}
		limit = min(limit, chat.MaxPage)
		page, err := s.Chat.Messages(ctx, viewer, roomID, chat.PageArgs{First: &limit, After: &after})
		if err != nil {
			return nil, err
		}
		pubs := make([]eventlog.Publication, len(page.Messages))
		for i := range page.Messages {
			m := &page.Messages[i]
			sent := &chat.Event{
				RoomID: roomID, Kind: chat.KindMessageSent, At: m.CreatedAt, Actor: &m.Sender,
				Seq: m.Seq, Position: m.Sent, Message: m,
			}
			pubs[i] = sent.Publication(0)
		}
		return pubs, nil
	}
}

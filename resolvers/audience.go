package resolvers

import (
	"context"
	"errors"

	"parley/chat"
	"parley/delivery"
	"parley/render"
)

// reads is what delivery has to know of a viewer's access to a room.
func reads(access chat.Access) delivery.Access {
	audience := access.Audience()
	return delivery.Access{
		Readable: access.Readable,
		Audience: delivery.Audience{Name: audience.Name, Enter: func(ctx context.Context) context.Context {
			return context.WithValue(ctx, audienceKey{}, audience)
		}},
	}
}

type audienceKey struct{}

// audienceOf returns for whom together an event of a room is rendered; false where it is for one
// viewer, or for everybody without regard to what they may read.
func audienceOf(ctx context.Context, roomID string) (chat.Audience, bool) {
	audience, ok := ctx.Value(audienceKey{}).(chat.Audience)
	return audience, ok && audience.RoomID == roomID
}

// orMoved tells the rendering if what was read for its audience shows that there is none any more.
func orMoved[T any](ctx context.Context, found T, err error) (T, error) {
	if errors.Is(err, chat.ErrMoved) {
		render.AudienceMoved(ctx)
	}
	return found, err
}

// messages returns a page of a room's messages by the right of whoever it is for. In an event it ends
// with the event: so it is the same whenever it is rendered, and one whose access has ended since is
// shown nothing newer.
func (r *Resolver) messages(ctx context.Context, roomID string, page chat.PageArgs) (chat.MessagePage, error) {
	if at, ok := render.At(ctx); ok {
		page.Until = at.Position.Offset
	}
	if audience, ok := audienceOf(ctx, roomID); ok {
		found, err := r.Chat.MessagesFor(ctx, audience, page)
		return orMoved(ctx, found, err)
	}
	v, err := viewer(ctx)
	if err != nil {
		return chat.MessagePage{}, err
	}
	return r.Chat.Messages(ctx, v.ID, roomID, page)
}

// reply returns the message that another one of the room answers, by the same right; nil for none.
func (r *Resolver) reply(ctx context.Context, roomID string, seq uint64) (*chat.Message, error) {
	if audience, ok := audienceOf(ctx, roomID); ok {
		found, err := r.Chat.ReplyFor(ctx, audience, seq)
		return orMoved(ctx, found, err)
	}
	v, err := viewer(ctx)
	if err != nil {
		return nil, err
	}
	return orAbsent(r.Chat.Reply(ctx, v.ID, roomID, seq))
}

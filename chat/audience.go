package chat

import (
	"context"
	"fmt"
	"strings"

	"parley/eventlog"
)

// Audience is those who may read the same messages of a room, at one moment. What is shown of the
// room's history to one of them is fit for all.
type Audience struct {
	RoomID string
	// History is the setting that Readable rests on: once the room has another one, the audience is
	// no more.
	History RoomHistory
	// Readable are offsets of the room's log, of whose messages each of them may read all.
	Readable eventlog.Intervals
	// Name is the same for all of them, and "" where that is everybody who has always been a member
	// of a room that shows its whole history.
	Name string
}

// Audience returns the one that the viewer is of.
func (a Access) Audience() Audience {
	return Audience{RoomID: a.Room.ID, History: a.Room.History, Readable: a.Readable, Name: a.audienceName()}
}

// audienceName names the last interval by the messages that had been sent when it began, so that
// those who came between the same two messages read alike.
func (a Access) audienceName() string {
	if len(a.Readable) == 1 && a.Room.History == HistoryAll {
		return ""
	}
	var name strings.Builder
	name.WriteString(string(a.Room.History))
	for i, in := range a.Readable {
		if i == len(a.Readable)-1 && in.To == 0 {
			fmt.Fprint(&name, " >", a.Member.JoinedSeq)
		} else {
			fmt.Fprint(&name, " ", in.From, "-", in.To)
		}
	}
	return name.String()
}

// MessagesFor is Messages for an audience, of which no one is judged. ErrMoved once the room has
// another history setting than the audience rests on.
func (s *Service) MessagesFor(ctx context.Context, audience Audience, page PageArgs) (MessagePage, error) {
	query, err := page.query(audience.RoomID)
	if err != nil {
		return MessagePage{}, err
	}
	query.Readable = page.readable(audience.Readable)
	found, err := s.messagesFor(ctx, audience, query)
	if page.none() {
		found.emptied(query.FromEnd)
	}
	return found, err
}

// ReplyFor is Reply for an audience, of which no one is judged. ErrMoved as in MessagesFor.
func (s *Service) ReplyFor(ctx context.Context, audience Audience, seq uint64) (*Message, error) {
	if seq == 0 {
		return nil, nil
	}
	page, err := s.messagesFor(ctx, audience, MessageQuery{
		RoomID: audience.RoomID, After: seq - 1, Before: seq + 1, Limit: 1, Readable: audience.Readable,
	})
	if err != nil || len(page.Messages) == 0 {
		return nil, err
	}
	return &page.Messages[0], nil
}

// messagesFor reads a page together with the room's setting.
func (s *Service) messagesFor(ctx context.Context, audience Audience, query MessageQuery) (MessagePage, error) {
	page, err := s.store.Messages(ctx, query)
	if err != nil {
		return MessagePage{}, public(err)
	}
	if page.Room.History != audience.History {
		return MessagePage{}, ErrMoved
	}
	return page, nil
}

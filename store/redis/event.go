package redis

import (
	"encoding/json"
	"fmt"

	"parley/chat"
	"parley/eventlog"
)

// eventRecord is a hydrated entry, as lua/lib/log.lua tells it.
type eventRecord struct {
	Epoch   uint32         `json:"epoch"`
	Offset  uint64         `json:"offset"`
	Check   uint32         `json:"check"`
	Prev    uint32         `json:"prev"`
	At      int64          `json:"at"`
	Kind    eventlog.Kind  `json:"kind"`
	Seq     uint64         `json:"seq"`
	Actor   *userRecord    `json:"actor"`
	Message *messageRecord `json:"message"`
	Member  *memberRecord  `json:"member"`
}

func (r *eventRecord) position() eventlog.Position {
	return eventlog.Position{Epoch: r.Epoch, Offset: r.Offset, Check: r.Check}
}

func (r *eventRecord) event(room string) *chat.Event {
	e := &chat.Event{RoomID: room, Kind: r.Kind, At: timeOf(r.At), Seq: r.Seq, Position: r.position()}
	if r.Actor != nil {
		actor := r.Actor.user()
		e.Actor = &actor
	}
	if r.Message != nil {
		e.Message = r.Message.message(room)
	}
	if r.Member != nil {
		e.Member = r.Member.member(room)
	}
	return e
}

// publication returns the event as readers of the log see it. Kinds we don't know come without what
// they are about.
func (r *eventRecord) publication(room string) eventlog.Publication {
	if r.Kind == eventlog.KindReset {
		return eventlog.Publication{
			Position: r.position(), Prev: r.Prev, At: timeOf(r.At), Kind: r.Kind,
			Payload: eventlog.Reset{Log: room, Reason: eventlog.HistoryLost, At: timeOf(r.At)},
		}
	}
	return r.event(room).Publication(r.Prev)
}

// decodeEvent reads a hydrated entry, and makes sure that it has what its kind is about.
func decodeEvent(room, text string) (*eventRecord, error) {
	var r eventRecord
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("redis: an event of %s: %w", room, err)
	}
	aboutMessage := r.Kind >= chat.KindMessageSent && r.Kind <= chat.KindMessageDeleted
	aboutMember := r.Kind >= chat.KindMemberJoined && r.Kind <= chat.KindMemberRoleChanged
	if aboutMessage && r.Message == nil || aboutMember && r.Member == nil {
		return nil, fmt.Errorf("redis: the entry %d of %s has lost what it is about", r.Offset, room)
	}
	return &r, nil
}

package main

import (
	"context"
	"fmt"
	"sync"

	"parley/chat"
	"parley/eventlog"
	"parley/graph"
)

// root resolves the few fields that probes ask for; the others would panic.
type root struct {
	graph.ResolverRoot
	rooms *rooms
}

func (r *root) Query() graph.QueryResolver               { return query{} }
func (r *root) Mutation() graph.MutationResolver         { return mutation{rooms: r.rooms} }
func (r *root) Subscription() graph.SubscriptionResolver { return subscription{rooms: r.rooms} }

type query struct{ graph.QueryResolver }

type mutation struct {
	graph.MutationResolver
	rooms *rooms
}

func (m mutation) CreateRoom(context.Context, graph.CreateRoomInput) (*graph.CreateRoomPayload, error) {
	return &graph.CreateRoomPayload{Room: chat.Room{ID: m.rooms.create()}}, nil
}

func (m mutation) SendMessage(_ context.Context, input graph.SendMessageInput) (*graph.SendMessagePayload, error) {
	return &graph.SendMessagePayload{Message: m.rooms.send(input.RoomID, input.Content)}, nil
}

type subscription struct {
	graph.SubscriptionResolver
	rooms *rooms
}

func (s subscription) MessageAdded(ctx context.Context, room string, _ *eventlog.Cursor) (<-chan *chat.Message, error) {
	return s.rooms.follow(ctx, room), nil
}

// rooms hand messages on to whoever listens.
type rooms struct {
	mu        sync.Mutex
	last      uint64
	listeners map[string]map[chan *chat.Message]struct{}
}

func newRooms() *rooms { return &rooms{listeners: map[string]map[chan *chat.Message]struct{}{}} }

func (r *rooms) create() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	return fmt.Sprint("room", r.last)
}

func (r *rooms) send(room, content string) chat.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	message := chat.Message{RoomID: room, Seq: r.last, Content: content}
	for listener := range r.listeners[room] {
		select {
		case listener <- &message:
		default: // a probe that doesn't read
		}
	}
	return message
}

// follow sends until the subscriber goes.
func (r *rooms) follow(ctx context.Context, room string) <-chan *chat.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	listener := make(chan *chat.Message, 100)
	if r.listeners[room] == nil {
		r.listeners[room] = map[chan *chat.Message]struct{}{}
	}
	r.listeners[room][listener] = struct{}{}
	context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.listeners[room], listener)
		close(listener)
	})
	return listener
}

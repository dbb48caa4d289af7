package main

import (
	"context"
	"encoding/json"
	"log"
	"sync"

	"github.com/redis/go-redis/v9"

	"parley/bench/servers/gqlgen/graph"
)

// rooms brings what is published to a room's Redis channel to those who follow it here.
type rooms struct {
	client  *redis.Client
	channel *redis.PubSub
	mu      sync.Mutex
	all     map[string]map[*follower]struct{}
}

type follower struct {
	ctx      context.Context
	messages chan *graph.Message
}

func newRooms(client *redis.Client) *rooms {
	return &rooms{client: client, channel: client.Subscribe(context.Background()), all: map[string]map[*follower]struct{}{}}
}

func (r *rooms) publish(ctx context.Context, room string, message *graph.Message) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return r.client.Publish(ctx, room, text).Err()
}

// follow returns the room's messages until the context ends.
func (r *rooms) follow(ctx context.Context, room string) (<-chan *graph.Message, error) {
	f := &follower{ctx: ctx, messages: make(chan *graph.Message, 16)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all[room] == nil {
		if err := r.channel.Subscribe(ctx, room); err != nil {
			return nil, err
		}
		r.all[room] = map[*follower]struct{}{}
	}
	r.all[room][f] = struct{}{}
	context.AfterFunc(ctx, func() { r.leave(room, f) })
	return f.messages, nil
}

func (r *rooms) leave(room string, f *follower) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all[room], f)
	if len(r.all[room]) == 0 {
		delete(r.all, room)
		_ = r.channel.Unsubscribe(context.Background(), room) // it is only not to be told any more
	}
}

func (r *rooms) run(ctx context.Context) {
	for hint := range r.channel.Channel(redis.WithChannelSize(1000)) {
		message := &graph.Message{}
		if err := json.Unmarshal([]byte(hint.Payload), message); err != nil {
			log.Print(err)
			continue
		}
		r.deliver(ctx, hint.Channel, message)
	}
}

// deliver waits for followers whose 16 places are taken: gqlgen's example would lose what they lack.
func (r *rooms) deliver(ctx context.Context, room string, message *graph.Message) {
	r.mu.Lock()
	followers := make([]*follower, 0, len(r.all[room]))
	for f := range r.all[room] {
		followers = append(followers, f)
	}
	r.mu.Unlock()
	for _, f := range followers {
		select {
		case f.messages <- message:
		case <-f.ctx.Done():
		case <-ctx.Done():
		}
	}
}

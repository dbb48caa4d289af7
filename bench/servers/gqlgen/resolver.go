package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"parley/bench/servers/gqlgen/graph"
)

type resolver struct {
	rooms *rooms
	mu    sync.Mutex
	seqs  map[string]int
}

// seq counts a room's messages, in this process only.
func (r *resolver) seq(room string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seqs[room]++
	return r.seqs[room]
}

func (r *resolver) Query() graph.QueryResolver               { return r }
func (r *resolver) Mutation() graph.MutationResolver         { return r }
func (r *resolver) Subscription() graph.SubscriptionResolver { return r }

func (r *resolver) Room(_ context.Context, id string) (*string, error) { return &id, nil }

func (r *resolver) SendMessage(ctx context.Context, roomID string, content string) (*graph.Message, error) {
	sender, _ := ctx.Value(senderKey{}).(string)
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	message := &graph.Message{
		ID: "m_" + hex.EncodeToString(id), Seq: r.seq(roomID), Content: content, CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
		Sender: &graph.User{ID: sender, Name: sender},
	}
	return message, r.rooms.publish(ctx, roomID, message)
}

func (r *resolver) MessageAdded(ctx context.Context, roomID string) (<-chan *graph.Message, error) {
	return r.rooms.follow(ctx, roomID)
}

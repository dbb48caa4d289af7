package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// parley is the server in the folder above. Each follower is a user of its own, a member of the rooms it follows. A
// process of its own makes rooms and members and is gone before the one that is measured starts.
func parley(name string, by how) peer {
	return peer{name: name, start: func(ctx context.Context, env environment) (*server, error) {
		data, err := os.MkdirTemp("", "parley-bench")
		if err != nil {
			return nil, err
		}
		p := &parleyServer{binary: env.folder + "/parley", data: data, redis: env.redis, secret: rand.Text() + rand.Text(), env: append(env.more, goEnv...)}
		s, err := p.prepared(ctx, env.plan)
		if err != nil {
			_ = os.RemoveAll(data)
			return nil, err
		}
		stop := s.stop
		s.protocol, s.close = by(p), func() { stop(); _ = os.RemoveAll(data) }
		return s, nil
	}}
}

type parleyServer struct {
	binary, data, redis, secret string
	addr, admin                 string
	rooms                       []string
	env                         []string
}

// prepared starts the server that is measured, on a store that has what the plan needs.
func (p *parleyServer) prepared(ctx context.Context, plan plan) (*server, error) {
	first, err := p.run(ctx)
	if err != nil {
		return nil, err
	}
	err = p.populate(ctx, plan)
	first.stop()
	if err != nil {
		return nil, fmt.Errorf("populate: %w: %s", err, first.log.String())
	}
	return p.run(ctx)
}

func (p *parleyServer) run(ctx context.Context) (*server, error) {
	var err error
	if p.addr, err = freeAddr(); err != nil {
		return nil, err
	}
	p.admin = strings.Replace(p.addr, "127.0.0.1", "127.0.0.2", 1)
	process, err := start(ctx, append([]string{
		"PARLEY_ADDR=" + p.addr, "PARLEY_ADMIN_ADDR=" + p.admin, "PARLEY_DATA=" + p.data, "PARLEY_REDIS_URL=redis://" + p.redis,
		"PARLEY_AUTH_SECRET=" + p.secret, "PARLEY_RATE_LIMITS=off", "PARLEY_LOG_LEVEL=WARN", "PARLEY_HEARTBEAT=" + heartbeat.String(),
	}, p.env...), p.binary)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		response, err := client.Get("http://" + p.addr + "/readyz")
		if err != nil {
			continue // it is starting
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return &server{process: process, admin: p.admin}, nil
		}
	}
	process.stop()
	return nil, fmt.Errorf("parley isn't ready: %s", process.log.String())
}

// token is what an issuer would sign: HS256 (RFC 7515).
func (p *parleyServer) token(user string) string {
	encode := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"sub":%q,"name":%q,"exp":%d}`, user, user, time.Now().Add(2*time.Hour).Unix())
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, []byte(p.secret))
	_, _ = mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// user is the name of a follower, or of the sender (-1).
func user(connection int) string {
	if connection < 0 {
		return sender
	}
	return fmt.Sprintf("u%06d", connection)
}

const (
	messageFields      = `id seq content createdAt sender { id name }`
	parleySubscription = `subscription ($room: ID!) { messageAdded(roomId: $room) { ` + messageFields + ` } }`
	parleyMutation     = `mutation ($room: ID!, $content: String!) { sendMessage(input: {roomId: $room, content: $content}) { message { id } } }`
)

func (p *parleyServer) socket() *graphqlWS {
	return &graphqlWS{
		addr: p.addr, subscription: parleySubscription, mutation: parleyMutation, roomID: p.roomID, confirms: true,
		init: func(connection int) string { return `{"Authorization":"Bearer ` + p.token(user(connection)) + `"}` },
	}
}

func (p *parleyServer) roomID(room int) string { return p.rooms[room] }

// ask sends a request as a user, and reads the data of the answer.
func (p *parleyServer) ask(ctx context.Context, token string, question request, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.addr+"/graphql", strings.NewReader(question.String()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || bytes.Contains(got, []byte(`"errors"`)) {
		return fmt.Errorf("%s: %s", response.Status, got)
	}
	return json.Unmarshal(got, &struct{ Data any }{into})
}

// populators is how many requests make rooms and members at a time.
const populators = 16

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: populators}, Timeout: patience}

// membersAtOnce is how many mutations one document may hold (PARLEY_MAX_ROOT_FIELDS).
const membersAtOnce = 20

// populate makes the rooms, owned by the sender, with the followers as members.
func (p *parleyServer) populate(ctx context.Context, plan plan) error {
	p.rooms = make([]string, plan.rooms)
	token := p.token(sender)
	err := together(populators, plan.rooms, func(room int) error {
		var got struct {
			CreateRoom struct{ Room struct{ ID string } }
		}
		err := p.ask(ctx, token, request{Query: fmt.Sprintf(`mutation { createRoom(input: {name: "room %d"}) { room { id } } }`, room)}, &got)
		p.rooms[room] = got.CreateRoom.Room.ID
		return err
	})
	if err != nil {
		return err
	}
	var batches []string
	for room := range plan.rooms {
		connections := plan.connectionsOf(room)
		for len(connections) > 0 {
			var b strings.Builder
			b.WriteString("mutation {")
			for _, connection := range connections[:min(membersAtOnce, len(connections))] {
				fmt.Fprintf(&b, ` m%d: addMember(input: {roomId: %q, userId: %q}) { room { id } }`, connection, p.rooms[room], user(connection))
			}
			batches = append(batches, b.String()+" }")
			connections = connections[min(membersAtOnce, len(connections)):]
		}
	}
	return together(populators, len(batches), func(batch int) error {
		return p.ask(ctx, token, request{Query: batches[batch]}, &struct{}{})
	})
}

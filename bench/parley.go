package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// parley is the server in the folder above, as it is built there.
func parley(binary string) peer {
	return peer{name: "parley", start: func(ctx context.Context, redis string) (*process, protocol, error) {
		const addr, admin = "127.0.0.1:19080", "127.0.0.1:19081"
		data, err := os.MkdirTemp("", "parley-bench")
		if err != nil {
			return nil, nil, err
		}
		p, err := start(ctx, []string{
			"PARLEY_ADDR=" + addr, "PARLEY_ADMIN_ADDR=" + admin, "PARLEY_DATA=" + data, "PARLEY_REDIS_URL=" + redis,
			"PARLEY_RATE_LIMITS=off", "PARLEY_HEARTBEAT=2m",
		}, binary)
		if err != nil {
			return nil, nil, err
		}
		c := &parleyClient{addr: addr}
		if err := c.signIn(ctx); err != nil {
			p.stop()
			return nil, nil, fmt.Errorf("%w\n%s", err, p.log.Bytes())
		}
		return p, c.protocol(), nil
	}}
}

type parleyClient struct {
	addr, token string
	rooms       []string
}

func (c *parleyClient) protocol() *graphqlWS {
	return &graphqlWS{
		addr: c.addr, init: `{"Authorization":"Bearer ` + c.token + `"}`,
		subscription: `subscription ($room: ID!) { messageAdded(roomId: $room) { id seq content createdAt sender { id name } } }`,
		mutation:     `mutation ($room: ID!, $content: String!) { sendMessage(input: {roomId: $room, content: $content}) { message { id } } }`,
		roomID:       func(room int) string { return c.rooms[room] },
		make:         c.makeRooms,
	}
}

func (c *parleyClient) post(ctx context.Context, path string, body any, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.addr+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := http.DefaultClient.Do(r)
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
	return json.Unmarshal(got, into)
}

// signIn waits until the server answers.
func (c *parleyClient) signIn(ctx context.Context) (err error) {
	var got struct{ Token string }
	for range 100 {
		if err = c.post(ctx, "/dev/token", map[string]string{"user": "bench", "name": "Bench"}, &got); err == nil {
			c.token = got.Token
			return nil
		}
		time.Sleep(100 * time.Millisecond) // it is starting
	}
	return err
}

func (c *parleyClient) makeRooms(ctx context.Context, rooms int) error {
	for len(c.rooms) < rooms {
		var got struct {
			Data struct {
				CreateRoom struct{ Room struct{ ID string } }
			}
		}
		err := c.post(ctx, "/graphql", map[string]string{
			"query": fmt.Sprintf(`mutation { createRoom(input: {name: "room %d"}) { room { id } } }`, len(c.rooms)),
		}, &got)
		if err != nil {
			return err
		}
		c.rooms = append(c.rooms, got.Data.CreateRoom.Room.ID)
	}
	return nil
}

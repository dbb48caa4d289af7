package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"

	"parley/bench/wire"
)

// graphqlWS is graphql-transport-ws at one endpoint.
type graphqlWS struct {
	addr string
	// init is the payload of connection_init, a JSON object, of the follower of that number, or of a publisher (-1).
	init func(connection int) string
	// roomID names a room in variables.
	roomID func(room int) string
	// subscription and mutation are documents with the variable room; the mutation has content, too.
	subscription, mutation string
	// confirms says that the server tells when a subscription is live: in a ping, as Parley does.
	confirms bool
	// inflater has compression offered, and reads what comes of it; nil for none.
	inflater *wire.Inflater
}

func (p *graphqlWS) decoder() wire.Decoder { return wire.WebSocket{Reply: pong, Inflater: p.inflater} }

// pong answers the protocol's own ping.
func pong(text []byte) []byte {
	if bytes.HasPrefix(text, []byte(`{"type":"ping"`)) {
		return []byte(`{"type":"pong"}`)
	}
	return nil
}

// open opens a connection and has it acknowledged.
func (p *graphqlWS) open(ctx context.Context, d net.Dialer, connection int) (*session, error) {
	header := "Sec-WebSocket-Protocol: graphql-transport-ws\r\n"
	if p.inflater != nil {
		header += "Sec-WebSocket-Extensions: permessage-deflate\r\n"
	}
	s, err := dialWebSocket(ctx, d, p.addr, "/graphql", header, p.decoder())
	if err != nil {
		return nil, err
	}
	if err = s.send(`{"type":"connection_init","payload":` + p.init(connection) + `}`); err == nil {
		_, err = s.until(`"connection_ack"`)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// follow returns when the subscriptions have been asked for, since the protocol doesn't acknowledge them; or,
// where the server confirms them, when they are live.
func (p *graphqlWS) follow(ctx context.Context, d net.Dialer, connection int, rooms []int) (*net.TCPConn, []byte, error) {
	s, err := p.open(ctx, d, connection)
	if err != nil {
		return nil, nil, err
	}
	for i, room := range rooms {
		id := fmt.Sprint(i + 1)
		err := s.send(subscribe(id, p.subscription, map[string]string{"room": p.roomID(room)}))
		if err == nil && p.confirms {
			_, err = s.until(`"` + id + `":"`) // in {"type":"ping","payload":{"cursors":{"1":"…"}}}
		}
		if err != nil {
			s.close()
			return nil, nil, err
		}
	}
	conn, rest := s.handOver()
	return conn, rest, nil
}

// request is a GraphQL request, as JSON.
type request struct {
	Query     string            `json:"query"`
	Variables map[string]string `json:"variables"`
}

func (r request) String() string {
	text, _ := json.Marshal(r) // strings can be marshalled
	return string(text)
}

func subscribe(id, query string, variables map[string]string) string {
	return `{"type":"subscribe","id":"` + id + `","payload":` + request{query, variables}.String() + `}`
}

type graphqlPublisher struct {
	*session
	peer *graphqlWS
	sent int
}

func (p *graphqlWS) publisher(ctx context.Context) (publisher, error) {
	s, err := p.open(ctx, dialer(0), -1)
	return &graphqlPublisher{session: s, peer: p}, err
}

// publish sends a mutation, and reads its result and its end.
func (p *graphqlPublisher) publish(room int, content string) error {
	p.sent++
	id := fmt.Sprint("m", p.sent)
	if err := p.send(subscribe(id, p.peer.mutation, map[string]string{"room": p.peer.roomID(room), "content": content})); err != nil {
		return err
	}
	for {
		text, err := p.until(`"id":"` + id + `"`)
		if err != nil {
			return err
		}
		if bytes.Contains(text, []byte(`"error`)) {
			return fmt.Errorf("not sent: %s", text)
		}
		if bytes.Contains(text, []byte(`"complete"`)) {
			return nil
		}
	}
}

// chatDocuments are those of the GraphQL peers; they ask for what Parley's ask for.
const (
	chatSubscription = `subscription ($room: ID!) { messageAdded(roomId: $room) { id seq content createdAt sender { id name } } }`
	chatMutation     = `mutation ($room: ID!, $content: String!) { sendMessage(roomId: $room, content: $content) { id } }`
)

// sender is who sends all messages.
const sender = "bench"

func chat(addr string) *graphqlWS {
	return &graphqlWS{
		addr: addr, subscription: chatSubscription, mutation: chatMutation, roomID: roomName,
		init: func(int) string { return `{"user":"` + sender + `"}` },
	}
}

// roomName is a room's name where the client may choose it: as long as Parley's ids.
func roomName(room int) string { return fmt.Sprintf("r_%032d", room) }

// gqlgenPeer is stock gqlgen.
func gqlgenPeer() peer {
	return peer{name: "gqlgen", start: func(ctx context.Context, env environment) (*server, error) {
		return startServer(ctx, func(addr string) ([]string, protocol) {
			return []string{env.folder + "/gqlgen", addr, "redis://" + env.redis}, chat(addr)
		})
	}}
}

// nodeGraphQLWS is graphql-ws with graphql-redis-subscriptions.
func nodeGraphQLWS() peer {
	return peer{name: "graphql-ws", start: func(ctx context.Context, env environment) (*server, error) {
		return startServer(ctx, func(addr string) ([]string, protocol) {
			return []string{"node", env.servers + "/node/graphql-ws.mjs", port(addr), "redis://" + env.redis}, chat(addr)
		})
	}}
}

// startServer starts a command at a free address, and waits until it answers.
func startServer(ctx context.Context, command func(addr string) ([]string, protocol)) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	words, client := command(addr)
	p, err := start(ctx, goEnv, words[0], words[1:]...)
	if err != nil {
		return nil, err
	}
	if err := p.answers(ctx, addr); err != nil {
		p.stop()
		return nil, err
	}
	return &server{process: p, protocol: client, close: p.stop}, nil
}

// goEnv makes the servers in Go collect garbage alike.
var goEnv = []string{"GOGC=100", "GOMEMLIMIT=off"}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

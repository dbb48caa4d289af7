// The centrifuge library with its Redis broker, JSON protocol, without history.
//
//	centrifuge ADDR REDIS_URL
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
)

// message has the fields of Parley's.
type message struct {
	ID        string    `json:"id"`
	Seq       int       `json:"seq"`
	Content   string    `json:"content"`
	CreatedAt time.Time `json:"createdAt"`
	Sender    user      `json:"sender"`
}

type user struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type server struct {
	node *centrifuge.Node
	mu   sync.Mutex
	seqs map[string]int
}

func main() {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		log.Fatal(err)
	}
	shard, err := centrifuge.NewRedisShard(node, centrifuge.RedisShardConfig{Address: os.Args[2]})
	if err != nil {
		log.Fatal(err)
	}
	broker, err := centrifuge.NewRedisBroker(node, centrifuge.RedisBrokerConfig{Shards: []*centrifuge.RedisShard{shard}})
	if err != nil {
		log.Fatal(err)
	}
	node.SetBroker(broker)
	s := &server{node: node, seqs: map[string]int{}}
	node.OnConnecting(signIn)
	node.OnConnect(s.connected)
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{}))
	log.Fatal(http.Serve(listener, nil))
}

// signIn believes whatever name the client gives as its token.
func signIn(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
	return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: e.Token}}, nil
}

func (s *server) connected(client *centrifuge.Client) {
	client.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
		done(centrifuge.SubscribeReply{}, nil)
	})
	client.OnRPC(func(e centrifuge.RPCEvent, done centrifuge.RPCCallback) {
		done(centrifuge.RPCReply{}, s.send(e.Data, client.UserID()))
	})
}

// send publishes a message that the server has made, as a chat does.
func (s *server) send(data []byte, sender string) error {
	var input struct{ Room, Content string }
	if err := json.Unmarshal(data, &input); err != nil {
		return centrifuge.ErrorBadRequest
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	s.mu.Lock()
	s.seqs[input.Room]++
	seq := s.seqs[input.Room]
	s.mu.Unlock()
	text, err := json.Marshal(message{
		ID: "m_" + hex.EncodeToString(id), Seq: seq, Content: input.Content, CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
		Sender: user{ID: sender, Name: sender},
	})
	if err != nil {
		return err
	}
	_, err = s.node.Publish(input.Room, text)
	return err
}

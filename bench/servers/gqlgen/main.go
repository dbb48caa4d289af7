// Stock gqlgen: its own transports over a schema like its chat example's, with one Redis channel per room.
//
//	gqlgen ADDR REDIS_URL
package main

import (
	"context"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/redis/go-redis/v9"
	"github.com/vektah/gqlparser/v2/ast"

	"parley/bench/servers/gqlgen/graph"
)

const heartbeat = 25 * time.Second

type senderKey struct{}

func main() {
	options, err := redis.ParseURL(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	r := &resolver{rooms: newRooms(redis.NewClient(options)), seqs: map[string]int{}}
	go r.rooms.run(context.Background())

	h := handler.New(graph.NewExecutableSchema(graph.Config{Resolvers: r}))
	h.AddTransport(transport.Websocket{PingPongInterval: heartbeat, InitFunc: signIn})
	h.AddTransport(transport.POST{})
	h.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/graphql", h)
	log.Fatal(http.Serve(listener, nil))
}

// signIn believes whatever name the client gives.
func signIn(ctx context.Context, init transport.InitPayload) (context.Context, *transport.InitPayload, error) {
	return context.WithValue(ctx, senderKey{}, init.GetString("user")), nil, nil
}

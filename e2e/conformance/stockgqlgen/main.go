// Stockgqlgen serves Parley's schema by gqlgen's own transports, set up as gqlgen's documentation
// does, for conformance tests to stand beside ours. Behind the schema is next to nothing: rooms that
// keep no messages, and tokens that nobody checks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"

	"parley/graph"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8081", "where to listen")
	initTimeout := flag.Duration("init-timeout", 2*time.Second, "how long a WebSocket may take to send connection_init")
	heartbeat := flag.Duration("heartbeat", 2*time.Second, "how often connections are pinged")
	flag.Parse()

	mux := http.NewServeMux()
	mux.Handle("/graphql", endpoint(*initTimeout, *heartbeat))
	mux.HandleFunc("/dev/token", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"token":"anything"}`) // fails only when the caller has gone
	})
	server := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	if err := server.ListenAndServe(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// endpoint is handler.NewDefaultServer with event streams, and with the settings for WebSockets that
// every one of our probes needs.
func endpoint(initTimeout, heartbeat time.Duration) http.Handler {
	h := handler.New(graph.NewExecutableSchema(graph.Config{Resolvers: &root{rooms: newRooms()}}))
	h.AddTransport(transport.Websocket{
		KeepAlivePingInterval: heartbeat, InitTimeout: initTimeout, InitFunc: authenticate,
	})
	h.AddTransport(transport.Options{})
	h.AddTransport(transport.SSE{KeepAlivePingInterval: heartbeat})
	h.AddTransport(transport.GET{})
	h.AddTransport(transport.POST{})
	h.AddTransport(transport.MultipartForm{})
	h.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	h.Use(extension.Introspection{})
	h.Use(extension.AutomaticPersistedQuery{Cache: lru.New[string](100)})
	return h
}

var errRefused = errors.New("the token is refused")

// authenticate refuses the token that probes expect to be refused.
func authenticate(ctx context.Context, payload transport.InitPayload) (context.Context, *transport.InitPayload, error) {
	if payload.Authorization() == "Bearer nonsense" {
		return ctx, nil, errRefused // a nil context panics
	}
	return ctx, &payload, nil
}

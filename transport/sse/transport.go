// Package sse speaks the distinct connections mode of GraphQL over server-sent events: one event
// stream for each operation, by POST or GET. Beyond that protocol, events carry their cursor as
// id:, and Last-Event-ID resumes.
package sse

import (
	"net/http"

	"github.com/99designs/gqlgen/graphql"

	"parley/transport"
)

// Transport serves requests that accept text/event-stream.
type Transport struct {
	// Service has the settings, and counts the streams.
	Service *transport.Service
}

var _ graphql.Transport = Transport{}

// Supports takes requests that name text/event-stream.
func (t Transport) Supports(r *http.Request) bool {
	return transport.ParseAccept(r.Header).EventStream() && (r.Method == http.MethodPost || r.Method == http.MethodGet)
}

// Do answers the request, by one stream for its one operation.
func (t Transport) Do(w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor) {
	t.Service.Stream(w, r, executor, events)
}

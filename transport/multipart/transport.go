// Package multipart speaks Apollo's multipart protocol for subscriptions over HTTP, version 1.0, as the
// HTTP links of the Apollo clients do: one multipart/mixed response for each operation, whose parts are
// its results.
// https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol
//
// Beyond that protocol, positions are told.
package multipart

import (
	"net/http"

	"github.com/99designs/gqlgen/graphql"

	"parley/transport"
)

// Transport serves requests that accept multipart/mixed with subscriptionSpec=1.0.
type Transport struct {
	// Service has the settings, and counts the streams.
	Service *transport.Service
}

var _ graphql.Transport = Transport{}

// Supports takes requests that name multipart/mixed and the version; others, such as those for @defer,
// are asked for something that isn't served.
func (t Transport) Supports(r *http.Request) bool {
	_, ok := transport.ParseAccept(r.Header).MultipartSubscription()
	return ok && (r.Method == http.MethodPost || r.Method == http.MethodGet)
}

// Do answers the request, by one response for its one operation.
func (t Transport) Do(w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor) {
	wanted, _ := transport.ParseAccept(r.Header).MultipartSubscription()
	t.Service.Stream(w, r, executor, boundaryFor(wanted).stream())
}

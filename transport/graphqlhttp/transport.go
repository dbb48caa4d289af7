// Package graphqlhttp serves queries and mutations by HTTP POST and GET (GraphQL over HTTP): one
// request, one JSON document. It also answers, with the status that says why, every request that
// no other transport wants; so it comes last.
package graphqlhttp

import (
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"parley/transport"
)

// Transport serves every request it gets.
type Transport struct {
	// Service has the settings.
	Service *transport.Service
}

var _ graphql.Transport = Transport{}

// Supports takes everything.
func (t Transport) Supports(*http.Request) bool { return true }

// Do answers the request.
func (t Transport) Do(w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor) {
	if refusal := t.do(w, r, executor); refusal != nil {
		refusal.Write(w)
	}
}

func (t Transport) do(w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor) *transport.Refusal {
	accept := transport.ParseAccept(r.Header)
	served := r.Method == http.MethodGet || r.Method == http.MethodPost // else 405, whatever is accepted
	if _, ok := accept.JSON(); !ok && served {
		return notAcceptable(accept)
	}
	if transport.ShowsTicket(r) {
		return &transport.Refusal{Status: http.StatusNotAcceptable, Code: transport.CodeBadInput,
			Message: "a ticket opens an event stream: send Accept: text/event-stream"}
	}
	params, refusal := t.Service.ReadParams(w, r)
	if refusal != nil {
		return refusal
	}
	call, errs := t.Service.Prepare(r.Context(), executor, params)
	if call != nil && r.Method == http.MethodGet {
		if refusal := call.MayGet(); refusal != nil {
			return refusal
		}
	}
	if call != nil && call.Type() == ast.Subscription {
		return subscriptionRefusal(accept)
	}
	t.Service.Respond(w, r, call, errs)
	return nil
}

// subscriptionRefusal names the transports that would do.
func subscriptionRefusal(accept transport.Accept) *transport.Refusal {
	message := "subscriptions are served over WebSocket (graphql-transport-ws) and, with Accept: text/event-stream, as server-sent events"
	if accept.Multipart() {
		message = "multipart responses are not supported; " + message
	}
	return &transport.Refusal{Status: http.StatusNotAcceptable, Code: transport.CodeBadInput, Message: message}
}

func notAcceptable(accept transport.Accept) *transport.Refusal {
	if accept.Multipart() {
		return subscriptionRefusal(accept)
	}
	return transport.NotAcceptable()
}

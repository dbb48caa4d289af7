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
	served := r.Method == http.MethodGet || r.Method == http.MethodPost // else 405, whatever is accepted
	if _, ok := transport.ParseAccept(r.Header).JSON(); !ok && served {
		return transport.NotAcceptable()
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
		return transport.RefuseSubscription()
	}
	t.Service.Respond(w, r, call, errs)
	return nil
}

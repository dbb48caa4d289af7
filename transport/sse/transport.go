// Package sse speaks the distinct connections mode of GraphQL over server-sent events: one event
// stream for each operation, by POST or GET. Beyond that protocol, events carry their cursor as
// id:, and Last-Event-ID resumes.
package sse

import (
	"context"
	"errors"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"parley/render"
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

// Do answers a query, a mutation or an error at once, and leaves a subscription to a
// [transport.Conn]. A client that takes JSON as well gets that for anything but subscriptions.
func (t Transport) Do(w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor) {
	if !t.Service.Admit(w) {
		return
	}
	base, params, refusal := t.read(w, r)
	if refusal != nil {
		refusal.Write(w)
		return
	}
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		if params.Extensions == nil {
			params.Extensions = map[string]any{}
		}
		params.Extensions["resume"] = last
	}
	call, errs := t.Service.Prepare(base, executor, params)
	switch {
	case call != nil && r.Method == http.MethodGet && call.MayGet() != nil:
		call.MayGet().Write(w)
	case call != nil && call.Type() == ast.Subscription:
		t.stream(base, w, r, executor, call)
	case transport.ParseAccept(r.Header).NamesJSON():
		t.Service.Respond(w, r, call, errs)
	case errs != nil:
		answer(w, &graphql.Response{Errors: errs})
	default:
		answer(w, call.Run(r.Context()))
	}
}

// read returns what a request asks for, and the context of its connection.
func (t Transport) read(w http.ResponseWriter, r *http.Request) (context.Context, *graphql.RawParams, *transport.Refusal) {
	if transport.ShowsTicket(r) {
		return t.Service.Redeem(r)
	}
	params, refusal := t.Service.ReadParams(w, r)
	return t.Service.Options().BaseContext(r), params, refusal
}

// stream opens a subscription and hijacks the connection for it.
func (t Transport) stream(base context.Context, w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor, call *transport.Call) {
	if r.ProtoMajor != 1 || r.ProtoMinor < 1 {
		(&transport.Refusal{Status: http.StatusHTTPVersionNotSupported, Code: transport.CodeBadInput,
			Message: "event streams are served over HTTP/1.1"}).Write(w)
		return
	}
	if !t.Service.Vacant(base, w) {
		return
	}
	ctx, cancel := context.WithCancel(base)
	detach := context.AfterFunc(r.Context(), cancel)
	opened, errs := call.Open(ctx)
	switch {
	case errs != nil:
		cancel()
		answer(w, &graphql.Response{Errors: errs})
	case !detach() || !t.connect(ctx, w, executor, opened): // the client has gone, or can't be served
		cancel()
	}
}

// connect takes the socket over and serves the subscription on it.
func (t Transport) connect(ctx context.Context, w http.ResponseWriter, executor graphql.GraphExecutor, opened *render.Opened) bool {
	// What came behind the request would be another one: the head says that it isn't served.
	greeting := head(w.Header())
	socket, _, err := http.NewResponseController(w).Hijack()
	if errors.Is(err, http.ErrNotSupported) {
		(&transport.Refusal{Status: http.StatusNotImplemented, Code: transport.CodeUnavailable,
			Message: "event streams can't be served on this connection"}).Write(w)
		return false
	}
	if err != nil {
		return false
	}
	conn, ok := t.Service.Connect(transport.Link{
		Protocol: "sse", Socket: socket, Greeting: greeting, Context: ctx, Executor: executor,
		Wire: wire{}, Single: true,
	})
	if ok && conn.Identify(conn.Context()) {
		conn.Follow("", opened)
	}
	return ok
}

// answer writes a whole stream: one response and the end.
func answer(w http.ResponseWriter, response *graphql.Response) {
	setHead(w.Header())
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(appendEnd(appendNext(nil, transport.EncodeResponse(response), ""))) // fails only when the client has gone
}

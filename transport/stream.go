package transport

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"parley/render"
)

// Stream is how a wire protocol answers an HTTP request by a response that goes on for as long as its
// subscription: an event stream, or a multipart response.
type Stream struct {
	// Protocol labels the metrics.
	Protocol string
	// Name is what such responses are called, in the plural, for the client's eyes.
	Name string
	// ContentType is the response's.
	ContentType string
	// Opening returns what the body begins with, at once.
	Opening func() []byte
	// Whole returns the body that holds one response, and the end.
	Whole func(*graphql.Response) []byte
	// Wire returns the protocol as the connection speaks it, in parts of the body. The only operation's id is "".
	Wire func(Body) Wire
}

// Stream answers a request: a query, a mutation or an error at once, while a subscription is left to a
// [Conn]. A client that takes JSON as well gets that for anything but subscriptions.
func (s *Service) Stream(w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor, as Stream) {
	if !s.AdmitStream(w, r, as) {
		return
	}
	ctx, params, refusal := s.readStream(w, r)
	if refusal != nil {
		refusal.Write(w)
		return
	}
	call, errs := s.Prepare(ctx, executor, params)
	switch {
	case call != nil && r.Method == http.MethodGet && call.MayGet() != nil:
		call.MayGet().Write(w)
	case call != nil && call.Type() == ast.Subscription:
		s.stream(ctx, w, r, call, as)
	case ParseAccept(r.Header).NamesJSON():
		s.Respond(w, r, call, errs)
	case errs != nil:
		as.answer(w, &graphql.Response{Errors: errs})
	default:
		as.answer(w, call.Run(r.Context()))
	}
}

// AdmitStream is [Service.Admit] for a request of such a response. On HTTP/2 it would come by the connection that the
// client has, again and again, and for an EventSource any status but 200 is the last: so it is told to come back as if it
// had been drained, by another connection.
func (s *Service) AdmitStream(w http.ResponseWriter, r *http.Request, as Stream) bool {
	if BodyOf(r) == Chunked || !s.stopping() {
		return s.Admit(w)
	}
	w.Header().Set("Connection", "close") // which net/http makes a GOAWAY of
	as.setHead(w.Header())
	_, _ = w.Write(append(as.Opening(), as.Wire(Plain).Farewell(ReasonDrain)...)) // fails only when the client has gone
	return false
}

// readStream returns what a request asks for, and the context of its connection. The header
// Last-Event-ID is where a subscription resumes.
func (s *Service) readStream(w http.ResponseWriter, r *http.Request) (ctx context.Context, params *graphql.RawParams, refusal *Refusal) {
	if ShowsTicket(r) {
		ctx, params, refusal = s.Redeem(r)
	} else {
		params, refusal = s.ReadParams(w, r)
		ctx = s.options.BaseContext(r)
	}
	if last := r.Header.Get("Last-Event-ID"); last != "" && refusal == nil {
		if params.Extensions == nil {
			params.Extensions = map[string]any{}
		}
		params.Extensions["resume"] = last
	}
	return ctx, params, refusal
}

// stream opens a subscription and takes the connection over for it.
func (s *Service) stream(base context.Context, w http.ResponseWriter, r *http.Request, call *Call, as Stream) {
	if refusal := as.Unfit(r); refusal != nil {
		refusal.Write(w)
		return
	}
	if !s.Vacant(base, w) {
		return
	}
	ctx, cancel := context.WithCancel(base)
	detach := context.AfterFunc(r.Context(), cancel)
	defer cancel()
	opened, errs := call.Open(ctx)
	switch {
	case errs != nil:
		as.answer(w, &graphql.Response{Errors: errs})
	case !detach(): // the client has gone
	default:
		if refusal := s.follow(base, w, r, call.executor, opened, as); refusal != nil {
			refusal.Write(w)
		}
	}
}

// follow takes the response over and serves the subscription on it.
func (s *Service) follow(ctx context.Context, w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor, opened *render.Opened, as Stream) *Refusal {
	socket, greeting, refusal := as.TakeOver(w, r)
	if socket == nil {
		return refusal
	}
	conn, ok := s.Connect(Link{
		Protocol: as.Protocol, Socket: socket, Greeting: greeting, Context: ctx, Executor: executor, Wire: as.Wire(BodyOf(r)), Single: true,
	})
	if !ok {
		return nil
	}
	if conn.Identify(conn.Context()) {
		conn.Follow("", opened)
	}
	conn.Attend()
	return nil
}

// Unfit refuses a request whose response can't go on; nil for others.
func (as Stream) Unfit(r *http.Request) *Refusal {
	if r.ProtoAtLeast(1, 1) {
		return nil
	}
	return &Refusal{Status: http.StatusHTTPVersionNotSupported, Code: CodeBadInput, Message: as.Name + " are served over HTTP/1.1 and HTTP/2"}
}

// TakeOver takes a response over for a connection: the socket, and what is to be sent first. Without a socket there is a
// refusal, or nobody to be told. The connection has to be attended to ([Conn.Attend]) before the handler returns.
func (as Stream) TakeOver(w http.ResponseWriter, r *http.Request) (socket net.Conn, greeting []byte, refusal *Refusal) {
	var err error
	if BodyOf(r) == Plain {
		if socket, err = newResponse(w, r); err == nil {
			as.setHead(w.Header())
			greeting = as.Opening()
		}
	} else {
		greeting = as.greeting(w.Header())
		// What came behind the request would be another one: the head says that it isn't served.
		socket, _, err = http.NewResponseController(w).Hijack()
	}
	switch {
	case errors.Is(err, http.ErrNotSupported):
		refusal = &Refusal{Status: http.StatusNotImplemented, Code: CodeUnavailable, Message: as.Name + " can't be served on this connection"}
		fallthrough
	case err != nil:
		return nil, nil, refusal
	}
	return socket, greeting, nil
}

// greeting returns what a hijacked response begins with: the head, with what middleware has set, and the
// opening.
func (as Stream) greeting(h http.Header) []byte {
	h = h.Clone()
	as.setHead(h)
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Set("Transfer-Encoding", "chunked")
	h.Set("Connection", "close") // nothing else is served on it
	h.Set("Keep-Alive", "timeout=300")
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\n")
	_ = h.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	return Chunked.Append(b.Bytes(), as.Opening())
}

// setHead sets the fields of the head. Proxies must neither keep, nor change, nor hold back what comes.
func (as Stream) setHead(h http.Header) {
	h.Set("Content-Type", as.ContentType)
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Add("Vary", "Accept")
}

// answer writes a whole stream: one response and the end.
func (as Stream) answer(w http.ResponseWriter, response *graphql.Response) {
	as.setHead(w.Header())
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(as.Whole(response)) // fails only when the client has gone
}

// OneWay is what a [Wire] receives whose client has said all by its request.
type OneWay struct{}

// Receive implements Wire: whatever comes is dropped.
func (OneWay) Receive(c *Conn, in *bufio.Reader) error {
	if err := c.Frame(); err != nil {
		return err
	}
	if _, err := in.Peek(1); err != nil {
		return err
	}
	_, err := in.Discard(in.Buffered())
	return err
}

package transport

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
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
	// Wire is the protocol as the connection speaks it, in chunks of the body ([Chunk]). The only
	// operation's id is "".
	Wire Wire
}

// Stream answers a request: a query, a mutation or an error at once, while a subscription is left to a
// [Conn]. A client that takes JSON as well gets that for anything but subscriptions.
func (s *Service) Stream(w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor, as Stream) {
	if !s.Admit(w) {
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
	if r.ProtoMajor != 1 || r.ProtoMinor < 1 {
		(&Refusal{Status: http.StatusHTTPVersionNotSupported, Code: CodeBadInput, Message: as.Name + " are served over HTTP/1.1"}).Write(w)
		return
	}
	if !s.Vacant(base, w) {
		return
	}
	ctx, cancel := context.WithCancel(base)
	detach := context.AfterFunc(r.Context(), cancel)
	opened, errs := call.Open(ctx)
	switch {
	case errs != nil:
		cancel()
		as.answer(w, &graphql.Response{Errors: errs})
	case !detach() || !s.hijack(ctx, w, call.executor, opened, as): // the client has gone, or can't be served
		cancel()
	}
}

// hijack takes the socket over and serves the subscription on it.
func (s *Service) hijack(ctx context.Context, w http.ResponseWriter, executor graphql.GraphExecutor, opened *render.Opened, as Stream) bool {
	// What came behind the request would be another one: the head says that it isn't served.
	greeting := as.Greeting(w.Header())
	socket, _, err := http.NewResponseController(w).Hijack()
	if errors.Is(err, http.ErrNotSupported) {
		(&Refusal{Status: http.StatusNotImplemented, Code: CodeUnavailable, Message: as.Name + " can't be served on this connection"}).Write(w)
		return false
	}
	if err != nil {
		return false
	}
	conn, ok := s.Connect(Link{
		Protocol: as.Protocol, Socket: socket, Greeting: greeting, Context: ctx, Executor: executor, Wire: as.Wire, Single: true,
	})
	if ok && conn.Identify(conn.Context()) {
		conn.Follow("", opened)
	}
	return ok
}

// Greeting returns what a hijacked response begins with: the head, with what middleware has set, and the
// opening.
func (as Stream) Greeting(h http.Header) []byte {
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
	return AppendChunk(b.Bytes(), as.Opening())
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

// Chunk frames a part of the body for the chunked transfer coding (RFC 9112 §7.1).
func Chunk(data []byte) []byte { return AppendChunk(make([]byte, 0, len(data)+12), data) }

// AppendChunk appends what Chunk returns.
func AppendChunk(dst, data []byte) []byte {
	dst = append(strconv.AppendInt(dst, int64(len(data)), 16), '\r', '\n')
	return append(append(dst, data...), '\r', '\n')
}

// LastChunk ends the body.
const LastChunk = "0\r\n\r\n"

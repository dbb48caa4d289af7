package sse

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
	"parley/transport"
)

// setHead sets the header of an event stream. Proxies must neither keep, nor change, nor hold back
// what comes.
func setHead(h http.Header) {
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Add("Vary", "Accept")
}

// head returns the response head of a hijacked stream, with what middleware has set, and the first
// block: how soon to come back.
func head(h http.Header) []byte {
	h = h.Clone()
	setHead(h)
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Set("Transfer-Encoding", "chunked")
	h.Set("Connection", "close") // nothing else is served on it
	h.Set("Keep-Alive", "timeout=300")
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\n")
	_ = h.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	return append(b.Bytes(), chunk(retry(time.Second))...)
}

// retry tells when to come back, if the stream breaks: spread, for others will come back too.
func retry(after time.Duration) []byte {
	return fmt.Appendf(nil, "retry: %d\n\n", (after + rand.N(after)).Milliseconds())
}

// chunk frames bytes for the chunked transfer coding (RFC 9112 §7.1).
func chunk(data []byte) []byte { return appendChunk(make([]byte, 0, len(data)+12), data) }

func appendChunk(dst, data []byte) []byte {
	dst = append(strconv.AppendInt(dst, int64(len(data)), 16), '\r', '\n')
	return append(append(dst, data...), '\r', '\n')
}

var lastChunk = []byte("0\r\n\r\n")

// appendNext appends a next event. A line break in the payload, which JSON has between tokens only,
// becomes a space: it would end the field.
func appendNext(dst, payload []byte, cursor string) []byte {
	if cursor != "" {
		dst = append(append(append(dst, "id: "...), cursor...), '\n')
	}
	dst = append(dst, "event: next\ndata: "...)
	for _, b := range payload {
		if b == '\n' || b == '\r' {
			b = ' '
		}
		dst = append(dst, b)
	}
	return append(dst, "\n\n"...)
}

// appendEnd appends the complete event; with a data field, without which EventSource would never
// fire it.
func appendEnd(dst []byte) []byte { return append(dst, "event: complete\ndata:\n\n"...) }

// framing is how an event becomes a chunk, whole for everybody.
type framing struct{}

// AppendEvent implements delivery.Framing.
func (framing) AppendEvent(dst []byte, e *delivery.Event) []byte {
	return appendChunk(dst, appendNext(make([]byte, 0, len(e.Payload)+len(e.Cursor)+32), e.Payload, e.Cursor))
}

// wire is the protocol on one stream. The only operation's id is "".
type wire struct{}

// Receive implements transport.Wire: the client has nothing more to say.
func (wire) Receive(c *transport.Conn, in *bufio.Reader) error {
	if err := c.Frame(); err != nil {
		return err
	}
	if _, err := in.Peek(1); err != nil {
		return err
	}
	_, err := in.Discard(in.Buffered())
	return err
}

// Framing implements transport.Wire.
func (wire) Framing(string) (delivery.Framing, []byte) { return framing{}, nil }

// Position implements transport.Wire: a block without data, which fires no event but is
// remembered for Last-Event-ID.
func (wire) Position(_, cursor string) []byte { return chunk([]byte("id: " + cursor + "\n\n")) }

// Result implements transport.Wire.
func (wire) Result(_ string, response *graphql.Response) []byte {
	return chunk(appendEnd(appendNext(nil, transport.EncodeResponse(response), "")))
}

// Errors implements transport.Wire.
func (w wire) Errors(id string, errors gqlerror.List) []byte {
	return w.Result(id, &graphql.Response{Errors: errors})
}

// Complete implements transport.Wire.
func (wire) Complete(string) []byte { return chunk(appendEnd(nil)) }

var heartbeat = chunk([]byte(":\n\n"))

// Heartbeat implements transport.Wire: a comment.
func (wire) Heartbeat() []byte { return heartbeat }

// Farewell implements transport.Wire. A client that may come back is told when, one that may not is
// told why.
func (w wire) Farewell(reason transport.Reason) []byte {
	var last []byte
	if errors := reason.AsErrors(); errors != nil {
		last = w.Errors("", errors)
	} else if reason.Retry {
		last = chunk(retry(2 * time.Second))
	}
	return append(last, lastChunk...)
}

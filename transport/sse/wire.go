package sse

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
	"parley/transport"
)

// events is how event streams are answered with.
var events = transport.Stream{
	Protocol: "sse", Name: "event streams", ContentType: "text/event-stream; charset=utf-8",
	Opening: func() []byte { return retry(time.Second) },
	Whole:   whole,
	Wire:    func(b transport.Body) transport.Wire { return wire{body: b} },
}

// whole returns the events of one response.
func whole(response *graphql.Response) []byte {
	return appendEnd(appendNext(nil, transport.EncodeResponse(response), ""))
}

// retry tells when to come back, if the stream breaks: spread, for others will come back too.
func retry(after time.Duration) []byte {
	return fmt.Appendf(nil, "retry: %d\n\n", (after + rand.N(after)).Milliseconds())
}

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

// framing is how an event becomes a part of the body, whole for everybody.
type framing struct{ body transport.Body }

// AppendEvent implements delivery.Framing.
func (f framing) AppendEvent(dst []byte, e *delivery.Event) []byte {
	return f.body.Append(dst, appendNext(make([]byte, 0, len(e.Payload)+len(e.Cursor)+32), e.Payload, e.Cursor))
}

// wire is the protocol on one stream. The only operation's id is "".
type wire struct {
	transport.OneWay
	body transport.Body
}

// Framing implements transport.Wire.
func (w wire) Framing(string) (delivery.Framing, []byte) { return framing{w.body}, nil }

// Position implements transport.Wire: a block without data, which fires no event but is
// remembered for Last-Event-ID.
func (w wire) Position(_, cursor string) []byte {
	return w.body.Part([]byte("id: " + cursor + "\n\n"))
}

// Result implements transport.Wire.
func (w wire) Result(_ string, response *graphql.Response) []byte {
	return w.body.Part(whole(response))
}

// Errors implements transport.Wire.
func (w wire) Errors(id string, errors gqlerror.List) []byte {
	return w.Result(id, &graphql.Response{Errors: errors})
}

// Complete implements transport.Wire.
func (w wire) Complete(string) []byte { return w.body.Part(appendEnd(nil)) }

var comment = []byte(":\n\n")

// Heartbeat implements transport.Wire: a comment.
func (w wire) Heartbeat() []byte { return w.body.Part(comment) }

// Farewell implements transport.Wire. A client that may come back is told when, one that may not is
// told why.
func (w wire) Farewell(reason transport.Reason) []byte {
	var last []byte
	if errors := reason.AsErrors(); errors != nil {
		last = w.Errors("", errors)
	} else if reason.Retry {
		last = w.body.Part(retry(2 * time.Second))
	}
	return append(last, w.body.End()...)
}

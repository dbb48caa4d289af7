package multipart

import (
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
	"parley/transport"
)

// boundary stands between the parts (RFC 2046 §5.1.1), and can't be in them: no JSON has two minus signs
// behind a line break.
type boundary string

const (
	// boundaryUsual is the protocol's.
	boundaryUsual boundary = "graphql"
	// boundaryShort is that of older drafts of incremental delivery, for who insists on it.
	boundaryShort boundary = "-"
)

// boundaryFor returns the boundary for a client that would like this one. There are two, so that many
// share the bytes.
func boundaryFor(wanted string) boundary {
	if wanted == string(boundaryShort) {
		return boundaryShort
	}
	return boundaryUsual
}

// stream is how multipart responses are given.
func (b boundary) stream() transport.Stream {
	return transport.Stream{
		Protocol: "multipart", Name: "multipart responses",
		ContentType: `multipart/mixed;boundary="` + string(b) + `";subscriptionSpec=1.0`,
		// The first part comes before any event: the client knows that it was heard.
		Opening: func() []byte { return b.appendPart(b.appendDelimiter(nil, more), nothing, more) },
		Whole: func(response *graphql.Response) []byte {
			return b.appendPart(b.appendDelimiter(nil, more), payload(transport.EncodeResponse(response)), last)
		},
		Wire: func(body transport.Body) transport.Wire { return wire{framing: framing{b, body}} },
	}
}

// nothing is what there is in the part that is a sign of life.
var nothing = []byte("{}")

// payload is what there is in the part of a GraphQL response.
func payload(response []byte) []byte {
	return slices.Concat([]byte(`{"payload":`), response, []byte("}"))
}

// What stands behind a boundary. Until it is there, a reader can't know that the part before is whole, so
// it isn't left to the next part.
const (
	more = "\r\n"
	last = "--\r\n"
)

func (b boundary) appendDelimiter(dst []byte, then string) []byte {
	return append(append(append(dst, "\r\n--"...), b...), then...)
}

func (b boundary) appendPart(dst, json []byte, then string) []byte {
	dst = append(dst, "Content-Type: application/json\r\n\r\n"...)
	return b.appendDelimiter(append(dst, json...), then)
}

// framing is how an event becomes a part of the body, whole for everybody.
type framing struct {
	boundary
	body transport.Body
}

// AppendEvent implements delivery.Framing.
func (f framing) AppendEvent(dst []byte, e *delivery.Event) []byte {
	return f.body.Append(dst, f.appendPart(nil, payload(e.Payload), more))
}

// wire is the protocol on one response.
type wire struct {
	transport.OneWay
	framing
}

// part returns a part of the response as one of the body.
func (w wire) part(json []byte) []byte { return w.body.Part(w.appendPart(nil, json, more)) }

// Framing implements transport.Wire.
func (w wire) Framing(string) (delivery.Framing, []byte) { return w.framing, nil }

// Position implements transport.Wire: a part without payload, which the Apollo clients pass over. A link
// of theirs that looks at it finds the cursor where an event has it.
func (w wire) Position(_, cursor string) []byte {
	return w.part([]byte(`{"extensions":{"cursor":"` + cursor + `"}}`))
}

// Result implements transport.Wire. The end comes with the farewell.
func (w wire) Result(_ string, response *graphql.Response) []byte {
	return w.part(payload(transport.EncodeResponse(response)))
}

// Errors implements transport.Wire.
func (w wire) Errors(id string, errors gqlerror.List) []byte {
	return w.Result(id, &graphql.Response{Errors: errors})
}

// Complete implements transport.Wire. The end comes with the farewell.
func (wire) Complete(string) []byte { return nil }

// Heartbeat implements transport.Wire.
func (w wire) Heartbeat() []byte { return w.part(nothing) }

// Farewell implements transport.Wire. An end alone says that the subscription is complete; whatever else it
// is must be told, by errors of the transport. A client that may come back reads UNAVAILABLE.
func (w wire) Farewell(reason transport.Reason) []byte {
	if reason.Retry && reason.ErrorCode == "" {
		reason.ErrorCode = transport.CodeUnavailable
	}
	told := nothing
	if errors := reason.AsErrors(); errors != nil {
		told = slices.Concat([]byte(`{"payload":null,"errors":`), transport.EncodeErrors(errors), []byte("}"))
	}
	return append(w.body.Part(w.appendPart(nil, told, last)), w.body.End()...)
}

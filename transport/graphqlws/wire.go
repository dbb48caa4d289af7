package graphqlws

import (
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gobwas/ws"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
	"parley/transport"
)

// framing is how an event becomes a next message: the header, and everything up to the payload's
// end, is the same for all ids of one length.
type framing struct {
	// prefix stands before the payload; suffix is how many bytes follow it.
	prefix string
	suffix int
}

const (
	nextPrefix = `{"type":"next","payload":`
	idPrefix   = `,"id":`
)

// AppendEvent implements delivery.Framing.
func (f framing) AppendEvent(dst []byte, e *delivery.Event) []byte {
	dst = appendHeader(dst, ws.OpText, len(f.prefix)+len(e.Payload)+f.suffix)
	return append(append(dst, f.prefix...), e.Payload...)
}

// Framing implements transport.Wire.
func (s *session) Framing(id string) (delivery.Framing, []byte) { return s.framed(nextPrefix, id) }

func (s *session) framed(prefix, id string) (delivery.Framing, []byte) {
	suffix := append([]byte(idPrefix), quote(id)...)
	suffix = append(suffix, '}')
	if s.deflates {
		suffix = append(suffix, ' ')
		return deflatedFraming{prefix, len(suffix)}, suffix
	}
	return framing{prefix, len(suffix)}, suffix
}

func quote(id string) []byte {
	quoted, _ := json.Marshal(id) // a string always marshals
	return quoted
}

// text returns the frame of a message.
func (s *session) text(kind kind, payload json.RawMessage, id string) []byte {
	return textFrame(encode(kind, payload, id), s.deflates)
}

// encode encodes a message. The payload is JSON, or nothing; the id comes last.
func encode(kind kind, payload json.RawMessage, id string) []byte {
	message := make([]byte, 0, len(`{"type":"","payload":,"id":""}`)+len(kind)+len(payload)+len(id))
	message = append(append(message, `{"type":"`...), kind...)
	message = append(message, '"')
	if len(payload) > 0 {
		message = append(append(message, `,"payload":`...), payload...)
	}
	if id != "" {
		message = append(append(message, idPrefix...), quote(id)...)
	}
	return append(message, '}')
}

// Position implements transport.Wire: a ping, which a client that doesn't know of positions
// answers, and ignores.
func (s *session) Position(id, cursor string) []byte {
	return s.text(kindPing, cursors(id, cursor), "")
}

func cursors(id, cursor string) json.RawMessage {
	payload, _ := json.Marshal(map[string]map[string]string{"cursors": {id: cursor}}) // strings always marshal
	return payload
}

// Result implements transport.Wire.
func (s *session) Result(id string, response *graphql.Response) []byte {
	return append(s.text(kindNext, transport.EncodeResponse(response), id), s.Complete(id)...)
}

// Errors implements transport.Wire. No complete follows.
func (s *session) Errors(id string, errors gqlerror.List) []byte {
	return s.text(kindError, transport.EncodeErrors(errors), id)
}

// Complete implements transport.Wire.
func (s *session) Complete(id string) []byte { return s.text(kindComplete, nil, id) }

var heartbeat = frame(ws.OpPing, nil)

// Heartbeat implements transport.Wire: a ping of the WebSocket itself, which browsers answer by
// themselves.
func (s *session) Heartbeat() []byte { return heartbeat }

// Farewell implements transport.Wire.
func (s *session) Farewell(reason transport.Reason) []byte {
	return closeFrame(reason.Code, reason.Text)
}

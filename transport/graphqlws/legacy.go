package graphqlws

import (
	"bufio"
	"encoding/json"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gobwas/ws"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
	"parley/transport"
)

// Messages of the subprotocol graphql-ws that graphql-transport-ws doesn't have.
// https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md
const (
	kindStart           kind = "start"
	kindStop            kind = "stop"
	kindTerminate       kind = "connection_terminate"
	kindData            kind = "data"
	kindKeepAlive       kind = "ka"
	kindConnectionError kind = "connection_error"
)

var legacyKinds = map[kind]content{
	kindInit: contentObject, kindTerminate: 0, kindStart: contentID | contentParams, kindStop: contentID,
}

// legacy speaks the subprotocol graphql-ws in a session. It closes with the codes of graphql-transport-ws, which
// this protocol doesn't have, and closes where the protocol would have a fault passed over.
type legacy struct{ *session }

// Receive implements transport.Wire.
func (l legacy) Receive(c *transport.Conn, in *bufio.Reader) error { return l.receive(c, in, l.take) }

func (l legacy) take(c *transport.Conn, text []byte) {
	m, err := decode(text, legacyKinds)
	switch {
	case err != nil:
		c.Close(transport.ReasonBadMessage.Because(err.Error()))
	case m.kind == kindInit:
		l.init(c, m.payload)
	case m.kind == kindTerminate:
		c.Close(transport.ReasonDone)
	case m.kind == kindStop:
		c.Stop(m.id)
	case !l.is(stateReady):
		c.Close(transport.ReasonUnacknowledged)
	default:
		c.Stop(m.id) // an id that is in use begins anew
		c.Start(m.id, m.params)
	}
}

// init judges connection_init before anything else is read: clients don't wait for the answer before they
// start operations.
func (l legacy) init(c *transport.Conn, payload json.RawMessage) {
	if l.begin(c) && l.authenticate(c, payload) {
		c.Send(slices.Concat(l.text(kindAck, nil, ""), keepAlive))
	}
}

const dataPrefix = `{"type":"data","payload":`

// Framing implements transport.Wire.
func (l legacy) Framing(id string) (delivery.Framing, []byte) { return l.framed(dataPrefix, id) }

// Position implements transport.Wire: with a sign of life, in whose payload no client takes an interest.
func (l legacy) Position(id, cursor string) []byte {
	return l.text(kindKeepAlive, cursors(id, cursor), "")
}

// Result implements transport.Wire.
func (l legacy) Result(id string, response *graphql.Response) []byte {
	return append(l.text(kindData, transport.EncodeResponse(response), id), l.Complete(id)...)
}

// Errors implements transport.Wire: the payload is one error, the first. No complete follows.
func (l legacy) Errors(id string, errors gqlerror.List) []byte {
	return l.text(kindError, encodeError(errors[0]), id)
}

// encodeError encodes one error as a JSON object.
func encodeError(err *gqlerror.Error) json.RawMessage {
	encoded := transport.EncodeErrors(gqlerror.List{err})
	return encoded[1 : len(encoded)-1]
}

var keepAlive = frame(ws.OpText, encode(kindKeepAlive, nil, ""))

// Heartbeat implements transport.Wire: the protocol's, which clients look for, and the WebSocket's, which they
// answer.
func (l legacy) Heartbeat() []byte { return slices.Concat(keepAlive, heartbeat) }

// Farewell implements transport.Wire. What is the client's matter is told before the close, whose code and
// text this protocol's clients don't hand on.
func (l legacy) Farewell(reason transport.Reason) []byte {
	end := l.session.Farewell(reason)
	if reason.Code < transport.ReasonBadMessage.Code {
		return end
	}
	told := &gqlerror.Error{Message: reason.Text}
	if errors := reason.AsErrors(); errors != nil {
		told = errors[0]
	}
	return append(l.text(kindConnectionError, encodeError(told), ""), end...)
}

var _ transport.Wire = legacy{}

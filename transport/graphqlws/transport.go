// Package graphqlws speaks graphql-transport-ws, the protocol of the graphql-ws clients, on
// WebSockets (RFC 6455). Its frames put the operation's id last, so that subscriptions which share
// a rendering share the bytes of whole frames but for the id.
package graphqlws

import (
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gobwas/ws"

	"parley/transport"
)

// Subprotocol is what a client must offer in Sec-WebSocket-Protocol.
const Subprotocol = "graphql-transport-ws"

// Transport serves WebSocket upgrades.
type Transport struct {
	// Service has the settings, and counts the connections.
	Service *transport.Service
}

var _ graphql.Transport = Transport{}

// Supports takes every request to upgrade to WebSocket. Other upgrades, such as the h2c that some
// clients propose with each request, may be ignored (RFC 9110 §7.8).
func (t Transport) Supports(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// Do upgrades the connection and leaves it to a [transport.Conn]; it returns at once.
func (t Transport) Do(w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor) {
	options := t.Service.Options()
	if !t.Service.Admit(w) {
		return
	}
	if !options.OriginAllowed(r) {
		transport.RefuseOrigin().Write(w)
		return
	}
	base := options.BaseContext(r)
	if !t.Service.Vacant(base, w) {
		return
	}
	upgrader := ws.HTTPUpgrader{
		Timeout:  options.InitTimeout,
		Protocol: func(offered string) bool { return offered == Subprotocol },
	}
	socket, buffered, handshake, err := upgrader.Upgrade(r, w)
	if err != nil { // the client has been told, if it is there
		if socket != nil {
			_ = socket.Close()
		}
		return
	}
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered()) // can't fail: that much is there
	session := newSession(options)
	conn, ok := t.Service.Connect(transport.Link{
		Protocol: "graphqlws", Socket: socket, Early: early, Context: base, Executor: executor,
		Wire: session, Silence: 2 * options.Heartbeat,
	})
	switch {
	case !ok:
	case handshake.Protocol != Subprotocol:
		conn.Close(transport.ReasonNoSubprotocol)
	default:
		session.expectInit(conn)
	}
}

// expectInit closes the connection unless connection_init comes in time.
func (s *session) expectInit(c *transport.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateNew {
		c.CloseAt(time.Now().Add(s.options.InitTimeout), transport.ReasonInitTimeout)
	}
}

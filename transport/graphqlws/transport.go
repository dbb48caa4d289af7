// Package graphqlws speaks graphql-transport-ws, the protocol of the graphql-ws clients, on
// WebSockets (RFC 6455), and where it is wanted its predecessor ([LegacySubprotocol]). Its frames put the operation's id last, so that subscriptions which share
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

// What a client may offer in Sec-WebSocket-Protocol.
const (
	// Subprotocol is the one that should be.
	Subprotocol = "graphql-transport-ws"
	// LegacySubprotocol is its predecessor, of subscriptions-transport-ws. It only sounds like the name of
	// the library that speaks the other one.
	LegacySubprotocol = "graphql-ws"
)

// Transport serves WebSocket upgrades.
type Transport struct {
	// Service has the settings, and counts the connections.
	Service *transport.Service
	// Legacy has [LegacySubprotocol] spoken, too, to clients that would rather have it.
	Legacy bool
	// Compress has permessage-deflate (RFC 7692) agreed on with clients that offer it.
	Compress bool
}

var _ graphql.Transport = Transport{}

// Supports takes every request to upgrade to WebSocket. Other upgrades, such as the h2c that some
// clients propose with each request, may be ignored (RFC 9110 §7.8).
func (t Transport) Supports(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || overHTTP2(r)
}

// overHTTP2 reports whether somebody tries over HTTP/2, where a WebSocket takes what isn't offered (RFC 8441).
func overHTTP2(r *http.Request) bool {
	return r.ProtoMajor >= 2 && r.Header.Get("Sec-WebSocket-Version") != ""
}

// Do upgrades the connection and leaves it to a [transport.Conn]; it returns at once.
func (t Transport) Do(w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor) {
	options := t.Service.Options()
	if overHTTP2(r) {
		(&transport.Refusal{Status: http.StatusHTTPVersionNotSupported, Code: transport.CodeBadInput, Message: "WebSockets are opened over HTTP/1.1"}).Write(w)
		return
	}
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
	var deflate negotiation
	upgrader := ws.HTTPUpgrader{
		Timeout: options.InitTimeout,
		Protocol: func(offered string) bool {
			return offered == Subprotocol || t.Legacy && offered == LegacySubprotocol
		},
	}
	if t.Compress {
		upgrader.Negotiate = deflate.answer
	}
	socket, buffered, handshake, err := upgrader.Upgrade(r, w)
	if err != nil { // the client has been told, if it is there
		if socket != nil {
			_ = socket.Close()
		}
		return
	}
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered()) // can't fail: that much is there
	session := &session{options: options, deflates: deflate.agreed}
	link := transport.Link{
		Protocol: "graphqlws", Socket: socket, Early: early, Context: base, Executor: executor,
		Wire: session, Silence: 2 * options.Heartbeat,
	}
	if handshake.Protocol == LegacySubprotocol {
		link.Protocol, link.Wire = "graphqlws-legacy", legacy{session}
	}
	conn, ok := t.Service.Connect(link)
	switch {
	case !ok:
	case handshake.Protocol == "":
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

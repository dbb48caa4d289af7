package transporttest

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"parley/transport"
)

// Server is a [Client] whose transport is served otherwise than by httptest.NewServer.
type Server interface {
	Serve(http.Handler) *httptest.Server
}

// OverTLS is a client by HTTP/1.1 over TLS.
type OverTLS struct{ Client }

// Serve implements Server.
func (OverTLS) Serve(h http.Handler) *httptest.Server { return TLS(h) }

// OverHTTP2 is a client by HTTP/2, whose streams have a connection each: the scenarios cut them apart.
type OverHTTP2 struct{ Client }

// Serve implements Server.
func (OverHTTP2) Serve(h http.Handler) *httptest.Server {
	s := HTTP2(h)
	client := s.Client().Transport.(*http.Transport)
	client.DisableKeepAlives = true
	client.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: wayBuffer} // else it would take 4 MiB that nobody reads
	return s
}

// TLS serves HTTP/1.1 over TLS.
func TLS(h http.Handler) *httptest.Server { return serveTLS(h, false) }

// HTTP2 serves HTTP/2, over TLS.
func HTTP2(h http.Handler) *httptest.Server { return serveTLS(h, true) }

func serveTLS(h http.Handler, http2 bool) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = http2
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that hang up in the middle of a handshake
	s.Config.ConnContext = transport.KeepSocket
	s.Listener = transport.Listener(narrow{s.Listener}, time.Minute)
	s.StartTLS()
	return s
}

// serve serves HTTP/1.1.
func serve(h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Listener = narrow{s.Listener}
	s.Start()
	return s
}

// wayBuffer is about how much there is room for on the way to a client, beside the kernel's own.
const wayBuffer = 64 << 10

// narrow is a listener whose connections hold no more of what nobody reads than wayBuffer, where the kernel would have
// them grow to some MiB: it takes less to fill them.
type narrow struct{ net.Listener }

// Accept implements net.Listener.
func (n narrow) Accept() (net.Conn, error) {
	conn, err := n.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(wayBuffer)
	}
	return conn, err
}

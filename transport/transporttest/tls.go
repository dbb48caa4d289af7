package transporttest

import (
	"io"
	"log"
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
	s.Client().Transport.(*http.Transport).DisableKeepAlives = true
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
	s.Listener = transport.Listener(s.Listener, time.Minute)
	s.StartTLS()
	return s
}

package transport_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"parley/delivery"
	"parley/transport"
)

// plainFraming is an event's payload and nothing else.
type plainFraming struct{}

func (plainFraming) AppendEvent(dst []byte, e *delivery.Event) []byte {
	return append(dst, e.Payload...)
}

// tcpPair is the two ends of a TCP connection over loopback.
func tcpPair(b testing.TB) (near, far net.Conn) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	if far, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		b.Fatal(err)
	}
	if near, err = listener.Accept(); err != nil {
		b.Fatal(err)
	}
	return near, far
}

// tlsPair is the two ends of a TLS connection over loopback, after the handshake.
func tlsPair(b testing.TB) (near, far *tls.Conn) {
	b.Helper()
	return tlsPairUpTo(b, tls.VersionTLS13)
}

// tlsPairUpTo is tlsPair, up to a version of TLS.
func tlsPairUpTo(b testing.TB, version uint16) (near, far *tls.Conn) {
	b.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	listener := transport.Listener(plain, time.Minute)
	defer func() { _ = listener.Close() }()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	socket, err := listener.Accept()
	if err != nil {
		b.Fatal(err)
	}
	near = tls.Server(socket, &tls.Config{Certificates: server.TLS.Certificates})
	far = tls.Client(&heldSocket{Conn: client}, &tls.Config{InsecureSkipVerify: true, MaxVersion: version}) // it is ours
	shaken := make(chan error, 1)
	go func() { shaken <- near.HandshakeContext(b.Context()) }()
	if err := far.HandshakeContext(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := <-shaken; err != nil {
		b.Fatal(err)
	}
	return near, far
}

// BenchmarkDelivery is an event to a connection whose peer reads: put, and written. Nothing of it is
// allocated.
func BenchmarkDelivery(b *testing.B) {
	near, far := tcpPair(b)
	deliver(b, near, far, 0)
}

// BenchmarkDeliveryOverTLS is the same, sealed. The peer doesn't open it, which would be paid for here, too.
func BenchmarkDeliveryOverTLS(b *testing.B) {
	near, far := tlsPair(b)
	deliver(b, near, far.NetConn(), 5+1+16) // a record's header, its type and its tag (RFC 8446 §5.2)
}

func deliver(b *testing.B, near, far net.Conn, overhead int) {
	service := transport.NewService(transport.Options{Hub: delivery.NewHub(nil, delivery.Options{})})
	defer service.Close()
	conn, ok := service.Connect(transport.Link{Protocol: "lines", Socket: near, Wire: lineWire{}, Context: b.Context()})
	if !ok {
		b.Fatal("not connected")
	}
	defer func() { _ = far.Close() }()
	lane := conn.NewLane(plainFraming{}, []byte(`,"id":"1"}`))
	e := &delivery.Event{Payload: make([]byte, 400), Offset: 1}
	received := make([]byte, 400+len(`,"id":"1"}`)+overhead)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if lane.Put(e) {
			lane.Flush()
		}
		if _, err := io.ReadFull(far, received); err != nil {
			b.Fatal(err)
		}
	}
}

package transport_test

import (
	"io"
	"net"
	"testing"

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

// BenchmarkDelivery is an event to a connection whose peer reads: put, and written. Nothing of it is
// allocated.
func BenchmarkDelivery(b *testing.B) {
	service := transport.NewService(transport.Options{Hub: delivery.NewHub(nil, delivery.Options{})})
	defer service.Close()
	near, far := tcpPair(b)
	conn, ok := service.Connect(transport.Link{Protocol: "lines", Socket: near, Wire: lineWire{}, Context: b.Context()})
	if !ok {
		b.Fatal("not connected")
	}
	defer func() { _ = far.Close() }()
	lane := conn.NewLane(plainFraming{}, []byte(`,"id":"1"}`))
	e := &delivery.Event{Payload: make([]byte, 400), Offset: 1}
	received := make([]byte, 400+len(`,"id":"1"}`))
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

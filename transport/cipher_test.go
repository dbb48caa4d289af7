package transport_test

import (
	"bytes"
	crand "crypto/rand"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"parley/delivery"
	"parley/transport"
)

// TestOverTLS: what is put while the peer stands still comes in order when it reads, however the pieces fall.
func TestOverTLS(t *testing.T) {
	service := transport.NewService(transport.Options{Hub: delivery.NewHub(nil, delivery.Options{}), HighWater: 64 << 20})
	defer service.Close()
	near, far := tlsPair(t)
	conn, ok := service.Connect(transport.Link{Protocol: "lines", Socket: near, Wire: lineWire{}, Context: t.Context()})
	if !ok {
		t.Fatal("not connected")
	}
	defer func() { _ = far.Close() }()
	var want []byte
	put := func(n int) {
		frame := make([]byte, n)
		_, _ = crand.Read(frame) // never fails
		want = append(want, frame...)
		conn.Send(frame)
	}
	for range 3 { // it stands still, and reads again
		for range 200 {
			put(rand.IntN(64 << 10))
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("it isn't what was put: %v", err)
		}
		want = nil
	}
	put(10)
	got := make([]byte, 10)
	if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %x, %v", got, err)
	}
	conn.Close(transport.ReasonDrain)
	if rest, err := io.ReadAll(far); string(rest) != "end: "+transport.ReasonDrain.Text+"\n" || err != nil { // close_notify, not a cut
		t.Fatalf("got %q, %v at the end", rest, err)
	}
}

// TestRecordsOfTLSItself: what TLS has to say beside what is sent, such as an answer to a key update, which a peer can
// ask for without reading, neither waits for that peer nor piles up.
func TestRecordsOfTLSItself(t *testing.T) {
	service := transport.NewService(transport.Options{Hub: delivery.NewHub(nil, delivery.Options{}), CloseTimeout: 100 * time.Millisecond})
	defer service.Close()
	near, far := tlsPair(t)
	conn, ok := service.Connect(transport.Link{Protocol: "lines", Socket: near, Wire: lineWire{}, Context: t.Context()})
	if !ok {
		t.Fatal("not connected")
	}
	defer func() { _ = far.Close() }()
	conn.Send(make([]byte, 16<<20)) // more than sockets hold
	record, refused := make([]byte, 1<<10), false
	for range 1000 {
		if _, err := near.NetConn().Write(record); err != nil {
			refused = true
			break
		}
	}
	if !refused {
		t.Error("a megabyte waits")
	}
}

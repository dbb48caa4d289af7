package transport_test

import (
	"bytes"
	crand "crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"parley/delivery"
	"parley/transport"
	"parley/transport/transporttest"
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

// sealed returns what a client's TLS would send by what use does, cut anywhere by whoever sends it.
func sealed(t *testing.T, far *tls.Conn, use func() error) []byte {
	t.Helper()
	socket := far.NetConn().(*heldSocket)
	socket.held = &bytes.Buffer{}
	defer func() { socket.held = nil }()
	if err := use(); err != nil {
		t.Fatal(err)
	}
	return socket.held.Bytes()
}

// heldSocket keeps what is written while it is held.
type heldSocket struct {
	net.Conn
	held *bytes.Buffer
}

func (s *heldSocket) Write(p []byte) (int, error) {
	if s.held != nil {
		return s.held.Write(p)
	}
	return s.Conn.Write(p)
}

// TestEndWithinRecord: what came before TLS's own farewell is received, however that is cut. Up to TLS 1.2 its record shows
// what it is, so that a tls.Conn looks for the rest of it at once.
func TestEndWithinRecord(t *testing.T) {
	service := transport.NewService(transport.Options{Hub: delivery.NewHub(nil, delivery.Options{})})
	defer service.Close()
	near, far := tlsPairUpTo(t, tls.VersionTLS12)
	defer func() { _ = far.Close() }()
	if _, ok := service.Connect(transport.Link{Protocol: "lines", Socket: near, Wire: lineWire{}, Context: t.Context()}); !ok {
		t.Fatal("not connected")
	}
	records := sealed(t, far, func() error {
		_, err := io.WriteString(far, "hel")
		_, err2 := io.WriteString(far, "lo\n")
		return errors.Join(err, err2)
	})
	farewell := sealed(t, far, far.CloseWrite)
	socket := far.NetConn()
	_ = socket.SetWriteDeadline(time.Time{}) // TLS has said its last word
	if _, err := socket.Write(append(records, farewell[:7]...)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("echo hello\n"))
	_ = far.SetReadDeadline(time.Now().Add(transporttest.Patience)) // fails only when it is closed
	if _, err := io.ReadFull(far, got); err != nil || string(got) != "echo hello\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := socket.Write(farewell[7:]); err != nil {
		t.Fatal(err)
	}
	transporttest.Wait(t, "it has ended", func() bool { return service.Len() == 0 })
}

// TestRecordsInPieces: messages are received whole, however records and messages are cut and whenever the pieces come.
func TestRecordsInPieces(t *testing.T) {
	service := transport.NewService(transport.Options{Hub: delivery.NewHub(nil, delivery.Options{})})
	defer service.Close()
	near, far := tlsPair(t)
	defer func() { _ = far.Close() }()
	if _, ok := service.Connect(transport.Link{Protocol: "lines", Socket: near, Wire: lineWire{}, Context: t.Context()}); !ok {
		t.Fatal("not connected")
	}
	_ = far.SetDeadline(time.Now().Add(transporttest.Patience)) // fails only when it is closed
	want := func(text string) {
		t.Helper()
		got := make([]byte, len(text))
		if _, err := io.ReadFull(far, got); err != nil || string(got) != text {
			t.Fatalf("got %q, %v, want %q", got, err, text)
		}
	}
	records := sealed(t, far, func() (err error) {
		for _, text := range []string{"one\ntw", "o\n", "three\n", "four\nfi"} {
			_, e := io.WriteString(far, text)
			err = errors.Join(err, e)
		}
		return err
	})
	rest := sealed(t, far, func() error { _, err := io.WriteString(far, "ve\nsix\n"); return err })
	write := func(b []byte) {
		t.Helper()
		if _, err := far.NetConn().Write(b); err != nil {
			t.Fatal(err)
		}
	}
	write(append(records, rest[:3]...)) // whole records, half a message, and half a record's head
	want("echo one\necho two\necho three\necho four\n")
	for i := range rest[3:] {
		time.Sleep(time.Millisecond) // as a piece of its own
		write(rest[3+i : 4+i])
	}
	want("echo five\necho six\n")
}

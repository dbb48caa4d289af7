package graphqlws_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"parley/transport/graphqlws"
	"parley/transport/transporttest"
)

// rawClient is a socket that sends what no proper client would.
type rawClient struct {
	t      testing.TB
	socket net.Conn
	in     *bufio.Reader
}

func dialRaw(t testing.TB, rig *transporttest.Rig) *rawClient {
	t.Helper()
	return dialRawWith(t, rig, "")
}

// dialRawWith sends more bytes right behind the handshake.
func dialRawWith(t testing.TB, rig *transporttest.Rig, more string) *rawClient {
	t.Helper()
	c, _ := shakeHands(t, rig, "", more)
	return c
}

// dialDeflating agrees on compression.
func dialDeflating(t testing.TB, rig *transporttest.Rig) *rawClient {
	t.Helper()
	c, response := shakeHands(t, rig, "Sec-WebSocket-Extensions: permessage-deflate\r\n", "")
	if response.Header.Get("Sec-WebSocket-Extensions") == "" {
		t.Fatalf("no compression in %v", response.Header)
	}
	return c
}

// shakeHands sends lines of its own in the head of the request, and more behind it.
func shakeHands(t testing.TB, rig *transporttest.Rig, lines, more string) (*rawClient, *http.Response) {
	t.Helper()
	var dialer net.Dialer
	socket, err := dialer.DialContext(t.Context(), "tcp", rig.Server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	if err := socket.SetDeadline(time.Now().Add(transporttest.Patience)); err != nil {
		t.Fatal(err)
	}
	c := &rawClient{t: t, socket: socket, in: bufio.NewReader(socket)}
	c.write([]byte("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: " + graphqlws.Subprotocol + "\r\n" + lines + "\r\n" + more))
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, response
}

func (c *rawClient) write(bytes []byte) {
	c.t.Helper()
	if _, err := c.socket.Write(bytes); err != nil {
		c.t.Fatal(err)
	}
}

// masked returns a client's frame.
func masked(t testing.TB, header ws.Header, payload []byte) []byte {
	t.Helper()
	header.Masked, header.Mask, header.Length = true, [4]byte{1, 2, 3, 4}, int64(len(payload))
	var b strings.Builder
	if err := ws.WriteHeader(&b, header); err != nil {
		t.Fatal(err)
	}
	body := append([]byte(nil), payload...)
	ws.Cipher(body, header.Mask, 0)
	return append([]byte(b.String()), body...)
}

func (c *rawClient) frame(op ws.OpCode, fin bool, payload string) []byte {
	c.t.Helper()
	return masked(c.t, ws.Header{OpCode: op, Fin: fin}, []byte(payload))
}

func (c *rawClient) text(payload string) []byte { return c.frame(ws.OpText, true, payload) }

func (c *rawClient) readFrame() (ws.OpCode, string) {
	c.t.Helper()
	header, err := ws.ReadHeader(c.in)
	if err != nil {
		c.t.Fatal(err)
	}
	if header.Masked || !header.Fin || header.Rsv&^ws.Rsv(true, false, false) != 0 {
		c.t.Fatalf("a server's frame must be final and unmasked: %+v", header)
	}
	payload := make([]byte, header.Length)
	if _, err := io.ReadFull(c.in, payload); err != nil {
		c.t.Fatal(err)
	}
	if header.Rsv1() {
		payload = inflated(c.t, payload)
	}
	return header.OpCode, string(payload)
}

// wantClose reads until a close frame comes, and checks its code and form.
func (c *rawClient) wantClose(code int) {
	c.t.Helper()
	for {
		op, payload := c.readFrame()
		if op != ws.OpClose {
			continue
		}
		got := 1005
		if len(payload) >= 2 {
			got = int(binary.BigEndian.Uint16([]byte(payload)))
		}
		if got != code || len(payload) > 125 {
			c.t.Fatalf("got close %d %q, want %d", got, payload, code)
		}
		return
	}
}

// wantEOF checks that the server has closed the socket, having said all.
func (c *rawClient) wantEOF() {
	c.t.Helper()
	if n, err := io.Copy(io.Discard, c.in); err != nil || n > 0 {
		c.t.Fatalf("%d bytes, %v after the end", n, err)
	}
}

func (c *rawClient) init() {
	c.t.Helper()
	c.write(c.text(initMessage("")))
	if op, payload := c.readFrame(); op != ws.OpText || !strings.Contains(payload, "connection_ack") {
		c.t.Fatalf("got %v %s", op, payload)
	}
}

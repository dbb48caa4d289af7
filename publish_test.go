package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"parley/store/redis/redistest"
)

const (
	benchRooms     = 32
	benchFollowers = 4
	benchSenders   = 16
)

// BenchmarkPublish is a message's whole way, on Redis: sendMessage by a WebSocket, or by POST, until its answer
// and all followers of its room have been written to. The clients are part of it, but allocate hardly anything.
func BenchmarkPublish(b *testing.B) {
	s := startServer(b, "--redis-url="+redistest.Start(b).URL, "--rate-limits=off", "--log-level=ERROR", "--max-content=8192")
	rooms := make([]string, benchRooms)
	followers := make([][]*benchSocket, benchRooms)
	for i := range rooms {
		var made struct {
			Data struct {
				CreateRoom struct{ Room struct{ ID string } }
			}
		}
		s.post("/graphql", map[string]any{"query": `mutation { createRoom(input: {name: "a room"}) { room { id } } }`}, &made)
		rooms[i] = made.Data.CreateRoom.Room.ID
		for range benchFollowers {
			f := s.socket()
			f.send(`{"type":"subscribe","id":"1","payload":{"query":"subscription ($room: ID!) { messageAdded(roomId: $room) { id seq content createdAt sender { id name } } }","variables":{"room":"` + rooms[i] + `"}}}`)
			f.until(`"cursors"`)
			followers[i] = append(followers[i], f)
		}
	}
	const document = `mutation ($room: ID!, $content: String!) { sendMessage(input: {roomId: $room, content: $content}) { message { id } } }`
	body := func(room string) string {
		return `{"query":"` + document + `","variables":{"room":"` + room + `","content":"` + strings.Repeat("a message ", 10) + `"}}`
	}
	publish := func(b *testing.B, sender func() (send func(room string))) {
		b.ReportAllocs()
		var sending sync.WaitGroup
		for i := range benchSenders {
			send := sender()
			sending.Go(func() {
				for n := i; n < b.N; n += benchSenders {
					// As many rooms for each, so that followers are one sender's own.
					room := i + n/benchSenders%(benchRooms/benchSenders)*benchSenders
					send(rooms[room])
					for _, f := range followers[room] {
						f.until(`"type":"next"`)
					}
				}
			})
		}
		sending.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "publishes/s")
	}
	b.Run("socket", func(b *testing.B) {
		publish(b, func() func(string) {
			f := s.socket()
			return func(room string) {
				f.send(`{"type":"subscribe","id":"2","payload":` + body(room) + `}`)
				f.until(`"complete"`)
			}
		})
	})
	b.Run("http", func(b *testing.B) {
		publish(b, func() func(string) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = conn.Close() })
			answer := make([]byte, 4096)
			return func(room string) {
				body := body(room)
				_, err := io.WriteString(conn, "POST /graphql HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nAuthorization: Bearer "+s.token+
					fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n", len(body))+body)
				n := 0
				for err == nil && !bytes.HasSuffix(answer[:n], []byte("}}}}")) {
					var more int
					more, err = conn.Read(answer[n:])
					n += more
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// benchSocket is a client of graphql-transport-ws that reads without allocating.
type benchSocket struct {
	*testServer
	conn net.Conn
	buf  []byte
	r, w int
}

func (s *testServer) socket() *benchSocket {
	s.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = conn.Close() })
	c := &benchSocket{testServer: s, conn: conn, buf: make([]byte, 8192)}
	if _, err := io.WriteString(conn, "GET /graphql HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"); err != nil {
		s.Fatal(err)
	}
	for end := -1; end < 0; end = bytes.Index(c.buf[:c.w], []byte("\r\n\r\n")) {
		c.more()
		c.r = bytes.Index(c.buf[:c.w], []byte("\r\n\r\n")) + 4
	}
	c.send(`{"type":"connection_init","payload":{"Authorization":"Bearer ` + s.token + `"}}`)
	c.until(`"connection_ack"`)
	return c
}

func (c *benchSocket) send(text string) {
	header := ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: int64(len(text))}
	frame := bytes.NewBuffer(make([]byte, 0, 16+len(text)))
	if err := ws.WriteHeader(frame, header); err != nil {
		c.Error(err)
	}
	frame.WriteString(text) // by a mask of zeros
	if _, err := c.conn.Write(frame.Bytes()); err != nil {
		c.Error(err)
	}
}

func (c *benchSocket) more() {
	n, err := c.conn.Read(c.buf[c.w:])
	if err != nil {
		c.Error(err)
	}
	c.w += n
}

// until reads frames until one that has a text in it.
func (c *benchSocket) until(text string) {
	for !c.Failed() {
		for c.w-c.r < 4 {
			c.more()
		}
		header, length := 2, int(c.buf[c.r+1])
		if length == 126 {
			header, length = 4, int(binary.BigEndian.Uint16(c.buf[c.r+2:]))
		}
		for c.w-c.r < header+length {
			c.more()
		}
		found := bytes.Contains(c.buf[c.r+header:c.r+header+length], []byte(text))
		c.r += header + length
		if c.r == c.w {
			c.r, c.w = 0, 0
		} else if c.r > len(c.buf)/2 {
			c.w = copy(c.buf, c.buf[c.r:c.w])
			c.r = 0
		}
		if found {
			return
		}
	}
}

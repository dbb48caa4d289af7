package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// bare is the limit, which writes ready frames of the same size as Parley's.
func bare(binary string, once int, frameSize int) peer {
	name := "bare"
	if once > 1 {
		name = fmt.Sprintf("bare ×%d", once)
	}
	return peer{name: name, start: func(ctx context.Context, _ string) (*process, protocol, error) {
		const addr = "127.0.0.1:19082"
		p, err := start(ctx, nil, binary, addr, fmt.Sprint(once))
		if err != nil {
			return nil, nil, err
		}
		for range 100 {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				return p, bareProtocol{addr, frameSize}, conn.Close()
			}
			time.Sleep(50 * time.Millisecond) // it is starting
		}
		p.stop()
		return nil, nil, fmt.Errorf("%s doesn't answer", name)
	}}
}

type bareProtocol struct {
	addr      string
	frameSize int
}

func (bareProtocol) prepare(context.Context, int) error { return nil }

type bareConn struct {
	conn      net.Conn
	in        *bufio.Reader
	frameSize int
}

func (b bareProtocol) subscribe(ctx context.Context, room int) (stream, error) {
	conn, in, err := dial(ctx, b.addr)
	if err != nil {
		return nil, err
	}
	if _, err = fmt.Fprintf(conn, "follow %d\n", room); err == nil {
		_, err = in.ReadString('\n')
	}
	return &bareConn{conn, in, b.frameSize}, err
}

func (b bareProtocol) publisher(ctx context.Context) (publisher, error) {
	conn, in, err := dial(ctx, b.addr)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprint(conn, "publish -\n")
	return &bareConn{conn, in, b.frameSize}, err
}

func (c *bareConn) next() ([]byte, error) { return c.in.ReadSlice('\n') }

func (c *bareConn) close() { _ = c.conn.Close() }

func (c *bareConn) publish(room int, content string) error {
	message := content + strings.Repeat(".", max(0, c.frameSize-len(content)-1)) + "\n"
	_, err := fmt.Fprintf(c.conn, "%d %d\n%s", room, len(message), message)
	return err
}

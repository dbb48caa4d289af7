package parleytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/coder/websocket"
)

// wsMessage is a message of the graphql-transport-ws protocol.
type wsMessage struct {
	Type    string          `json:"type"`
	ID      string          `json:"id,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// DialWS opens a WebSocket and has it acknowledged.
func DialWS(ctx context.Context, c *Client) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(c.URL, "http")+"/graphql",
		&websocket.DialOptions{HTTPClient: c.HTTP, Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(1 << 20)
	payload, err := json.Marshal(map[string]string{"Authorization": "Bearer " + c.Token})
	if err != nil {
		return nil, err
	}
	if err := writeWS(ctx, conn, wsMessage{Type: "connection_init", Payload: payload}); err != nil {
		return nil, err
	}
	m, err := readWS(ctx, conn)
	if err != nil {
		return nil, err
	}
	if m.Type != "connection_ack" {
		return nil, fmt.Errorf("%s instead of connection_ack", m.Type)
	}
	return conn, nil
}

func writeWS(ctx context.Context, conn *websocket.Conn, m wsMessage) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, b)
}

func readWS(ctx context.Context, conn *websocket.Conn) (m wsMessage, err error) {
	_, b, err := conn.Read(ctx)
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(b, &m)
}

// OverWS runs an operation over a WebSocket of its own.
func OverWS(ctx context.Context, c *Client, op Operation) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	conn, err := DialWS(ctx, c)
	if err != nil {
		cancel()
		return nil, err
	}
	payload, err := json.Marshal(op)
	if err == nil {
		err = writeWS(ctx, conn, wsMessage{Type: "subscribe", ID: "1", Payload: payload})
	}
	if err != nil {
		cancel()
		return nil, errors.Join(err, conn.CloseNow())
	}
	frames := make(chan Frame, frameBuffer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(frames)
		for {
			f, ok := readFrame(ctx, conn)
			if ok {
				frames <- f
			}
			if f.End {
				_ = conn.CloseNow()
				return
			}
		}
	}()
	return &Stream{Frames: frames, Close: func() { cancel(); <-done }}, nil
}

// readFrame reads one message; false for one that tells the test nothing.
func readFrame(ctx context.Context, conn *websocket.Conn) (f Frame, ok bool) {
	m, err := readWS(ctx, conn)
	if err != nil {
		return Frame{End: true, Err: err}, true
	}
	switch m.Type {
	case "next":
		err = json.Unmarshal(m.Payload, &f.Result)
		f.Cursor = f.Result.Extensions.Cursor
	case "error":
		f.End = true
		err = json.Unmarshal(m.Payload, &f.Result.Errors)
	case "complete":
		f.End = true
	case "ping":
		var payload struct{ Cursors map[string]string }
		if m.Payload != nil {
			err = json.Unmarshal(m.Payload, &payload)
		}
		err = errors.Join(err, writeWS(ctx, conn, wsMessage{Type: "pong"}))
		f.Cursor = payload.Cursors["1"]
		if f.Cursor == "" && err == nil {
			return f, false
		}
	default:
		err = fmt.Errorf("unexpected %s", m.Type)
	}
	if err != nil {
		return Frame{End: true, Err: err}, true
	}
	return f, true
}

// Package e2e tests Parley from outside: processes, wires, faults, browsers.
package e2e

import (
	"os"
	"testing"

	"parley/e2e/parleytest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	parleytest.RemoveBinary()
	os.Exit(code)
}

// transports are those over which subscriptions run.
var transports = map[string]parleytest.Subscriber{
	"WebSocket": parleytest.OverWS,
	"SSE":       parleytest.OverSSE,
	"multipart": parleytest.OverMultipart,
}

const (
	messageAdded = `subscription($room: ID!, $after: Cursor) { messageAdded(roomId: $room, after: $after) { id seq content cursor } }`
	roomEvents   = `subscription($room: ID!, $after: Cursor) {
  roomEvents(roomId: $room, after: $after) {
    __typename cursor
    ... on MessageSent { message { id seq content } }
    ... on RoomReset { reason }
  }
}`
)

func follow(query, room, after string) parleytest.Operation {
	variables := map[string]any{"room": room}
	if after != "" {
		variables["after"] = after
	}
	return parleytest.Operation{Query: query, Variables: variables}
}

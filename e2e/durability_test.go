package e2e

import (
	"fmt"
	"testing"

	"parley/e2e/parleytest"
)

// TestKillInTheMiddleOfSending: the laptop's server, without Redis, is killed in the middle of
// sending and started again. Every acknowledged message is there once; subscribers with their
// cursors go on without gap or duplicate.
func TestKillInTheMiddleOfSending(t *testing.T) {
	t.Parallel()
	node := parleytest.Start(t, nil)
	n := parleytest.Scale(1000, 5000)
	owner := parleytest.SignIn(t, node, "owner")
	senders := make([]*parleytest.Client, 4)
	var names []string
	for i := range senders {
		senders[i] = parleytest.SignIn(t, node, fmt.Sprintf("sender-%d", i))
		names = append(names, senders[i].User)
	}
	room := owner.CreateRoom(t, "Durable", append(names, "ws", "sse")...)

	readers := map[string]*reader{}
	for name, subscribe := range map[string]parleytest.Subscriber{"ws": parleytest.OverWS, "sse": parleytest.OverSSE} {
		c := parleytest.SignIn(t, node, name)
		r := &reader{subscribe: subscribe, client: func() *parleytest.Client { return c }, query: messageAdded, field: "messageAdded", room: room}
		r.start(t)
		readers[name] = r
	}

	sent := sending(t, senders, room, n)
	for round := 1; round <= 3; round++ {
		parleytest.Eventually(t, "more messages are seen", func() bool { return readers["ws"].count() >= round*n/5 })
		node.Kill()
		node.Restart()
	}
	l := <-sent

	for name, r := range readers {
		r.checkComplete(t, name, l)
	}
	checkStored(t, owner, room, l)
	t.Logf("%d messages acknowledged, %d attempts failed and were repeated, server killed 3 times", len(l.acked), l.refused)
}

// checkStored pages through a room: every acknowledged message is stored, once.
func checkStored(t *testing.T, c *parleytest.Client, room string, l *ledger) {
	t.Helper()
	stored := storedIn(t, c, room)
	for content, id := range l.acked {
		if stored[id] != 1 {
			t.Errorf("%s (%s) is stored %d times", content, id, stored[id])
		}
	}
	if len(stored) != len(l.acked) {
		t.Errorf("%d messages are stored, %d were acknowledged", len(stored), len(l.acked))
	}
}

// storedIn pages through a room and counts each message by its id.
func storedIn(t *testing.T, c *parleytest.Client, room string) map[string]int {
	t.Helper()
	stored := map[string]int{}
	after := ""
	for {
		result := c.Must(t, `query($room: ID!, $after: Cursor) { room(id: $room) { messages(first: 100, after: $after) {
			edges { node { id } } pageInfo { hasNextPage endCursor } } } }`, map[string]any{"room": room, "after": after})
		edges, _ := result.At("room", "messages", "edges").([]any)
		for _, e := range edges {
			stored[e.(map[string]any)["node"].(map[string]any)["id"].(string)]++
		}
		if more, _ := result.At("room", "messages", "pageInfo", "hasNextPage").(bool); !more {
			break
		}
		after = result.Text("room", "messages", "pageInfo", "endCursor")
	}
	return stored
}

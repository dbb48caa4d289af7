package e2e

import (
	"sync"
	"testing"

	"parley/e2e/parleytest"
)

// TestStockClients runs the clients that others already have, as they are: each asks, is told errors
// with their codes, and follows a room over the server's deaths. With the link of
// browser/resume.mjs it misses nothing and sees nothing twice.
func TestStockClients(t *testing.T) {
	for _, client := range []string{"graphql-ws", "graphql-sse"} {
		t.Run(client, func(t *testing.T) {
			node := parleytest.Start(t, nil)
			ada, bob := parleytest.SignIn(t, node, "ada"), parleytest.SignIn(t, node, "bob")
			room := ada.CreateRoom(t, "Stock", bob.User)
			seen := &reader{field: "messageAdded"}
			s := startScript(t, "stock.mjs", map[string]string{
				"client": client, "url": node.URL, "user": bob.User, "token": bob.Token, "room": room,
			}, seen.hear)
			if ask := <-s.asks; ask != "follow" {
				s.finish()
				t.Fatalf("the script asks %q", ask)
			}

			// Before anything has arrived, and then in the middle of it.
			node.Kill()
			node.Restart()
			l := sendThroughDeaths(t, node, ada, room, seen)
			seen.checkComplete(t, client, l)
			s.say("done")
			s.finish()
		})
	}
}

// sendThroughDeaths sends while it kills and restarts the server, whenever more has been seen.
func sendThroughDeaths(t *testing.T, node *parleytest.Node, c *parleytest.Client, room string, seen *reader) *ledger {
	n, deaths := parleytest.Scale(300, 2000), parleytest.Scale(2, 5)
	sent := make(chan *ledger, 1)
	var sending sync.WaitGroup
	t.Cleanup(sending.Wait)
	sending.Go(func() { sent <- sendAll(t, []*parleytest.Client{c}, room, n) })
	for death := 1; death <= deaths; death++ {
		parleytest.Eventually(t, "more messages are seen", func() bool { return seen.count() >= death*n/(deaths+1) })
		node.Kill()
		node.Restart()
	}
	return <-sent
}

// hear takes what a script tells of its subscription.
func (r *reader) hear(f fact) {
	if f.Result != nil {
		r.take(parleytest.Frame{Result: *f.Result})
	}
	if f.Returned {
		r.mu.Lock()
		r.returns++
		r.mu.Unlock()
	}
}

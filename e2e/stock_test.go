package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/e2e/parleytest"
	"parley/store/redis/redistest"
)

// stockClients are the clients that others already have, as clients/src/proof/clients.ts connects
// them, and over how many connections each follows two subscriptions.
var stockClients = map[string]int{
	"graphql-ws":                     1,
	"graphql-sse":                    2,
	"graphql-sse, single connection": 1,
	"urql":                           1,
	"urql over graphql-sse":          2,
	"Apollo Client":                  1,
	"Apollo Client over HTTP":        2,
	"EventSource":                    2,
	"subscriptions-transport-ws":     1,
}

// onWebSockets are those of them who offer compression, as Node's ws does by itself.
var onWebSockets = []string{"graphql-ws", "urql", "Apollo Client", "subscriptions-transport-ws"}

// returnTime is how long a client may take to come back: after an outage it pauses for up to 12 s.
const returnTime = 3 * parleytest.Patience

// TestStockClients has each client ask, be refused, and follow a room through forced reconnects
// under traffic: connections cut in the middle of frames, and nodes killed. With the link of
// clients/src/connect/resume.ts each subscription tells every message once, in order.
func TestStockClients(t *testing.T) {
	t.Parallel()
	// How often people may send is beside the point here.
	settings := map[string]string{"PARLEY_RATE_LIMITS": "off", "PARLEY_DATA": t.TempDir(), "PARLEY_LEGACY_WS": "true"}
	t.Run("one node on SQLite", func(t *testing.T) {
		proveStockClients(t, parleytest.Start(t, settings))
	})
	t.Run("two nodes on one Redis", func(t *testing.T) {
		settings["PARLEY_REDIS_URL"] = redistest.Start(t, "--appendonly", "yes").URL
		proveStockClients(t, parleytest.Start(t, settings), parleytest.Start(t, settings))
	})
}

func proveStockClients(t *testing.T, nodes ...*parleytest.Node) {
	program := compiled(t)
	ada := parleytest.SignIn(t, nodes[0], "ada")
	room, foreign := ada.CreateRoom(t, "Stock"), ada.CreatePublicRoom(t, "Foreign")
	var followers []*follower
	for name := range stockClients {
		followers = append(followers, startFollower(t, program, name, ada, room, foreign, nodes...))
	}
	for _, f := range followers {
		f.expect("follow")
	}

	senders := make([]*parleytest.Client, len(nodes))
	for i, n := range nodes {
		senders[i] = ada.On(n)
	}
	l := &ledger{acked: map[string]string{}}
	sendUnheard(t, l, ada, room, followers)
	stop := startTraffic(t, l, senders, room)
	for round := 1; round <= parleytest.Scale(5, 50); round++ {
		if round%5 == 0 {
			node := nodes[round/5%len(nodes)]
			node.Kill()
			reconnect(t, followers, node.Restart)
		} else {
			reconnect(t, followers, func() {})
		}
	}
	stop()
	for _, f := range followers {
		f.messages.checkComplete(t, f.name+", messageAdded", l)
		f.events.checkComplete(t, f.name+", roomEvents", l)
		if compressed := f.compressed.Load() > 0; compressed != slices.Contains(onWebSockets, f.name) {
			t.Errorf("%s, compressed: %v", f.name, compressed)
		}
		f.script.say("done")
		f.script.finish()
	}
}

// TestStockClientWithoutTheLink comes back as graphql-ws does by itself: from its first position
// again if it gave one, which is at least once, and else from wherever the room is by then.
func TestStockClientWithoutTheLink(t *testing.T) {
	program, node := compiled(t), parleytest.Start(t, nil)
	ada := parleytest.SignIn(t, node, "ada")
	room, foreign := ada.CreateRoom(t, "Stock"), ada.CreatePublicRoom(t, "Foreign")
	again := startFollower(t, program, "graphql-ws, no link, after", ada, room, foreign, node)
	gap := startFollower(t, program, "graphql-ws, no link", ada, room, foreign, node)
	followers := []*follower{again, gap}
	for _, f := range followers {
		f.expect("follow")
	}

	ada.MustSend(t, room, "before")
	for _, f := range followers {
		parleytest.Eventually(t, f.name+" hears a message", func() bool { return f.messages.count() == 1 })
		f.proxy.Down()
	}
	ada.MustSend(t, room, "meanwhile")
	for _, f := range followers {
		f.proxy.Up()
	}
	parleytest.Eventually(t, "both hear more", func() bool {
		ada.MustSend(t, room, "after")
		return again.messages.count() > 3 && gap.messages.count() > 1
	})
	for _, f := range followers {
		f.script.say("done")
		f.script.finish()
	}
	if want := []string{"before", "before", "meanwhile", "after"}; !slices.Equal(again.messages.seen[:4], want) {
		t.Errorf("with after: %q, want %q", again.messages.seen[:4], want)
	}
	if want := []string{"before", "after"}; !slices.Equal(gap.messages.seen[:2], want) {
		t.Errorf("without: %q, want %q", gap.messages.seen[:2], want)
	}
}

// TestStockClientsOutliveARestart: a server that stops in good order sends its clients off with words that
// they come back for.
func TestStockClientsOutliveARestart(t *testing.T) {
	program, node := compiled(t), parleytest.Start(t, map[string]string{"PARLEY_DRAIN_WINDOW": "200ms"})
	ada := parleytest.SignIn(t, node, "ada")
	room, foreign := ada.CreateRoom(t, "Stock"), ada.CreatePublicRoom(t, "Foreign")
	var followers []*follower
	for _, name := range []string{"graphql-ws", "graphql-sse", "Apollo Client over HTTP"} {
		followers = append(followers, startFollower(t, program, name, ada, room, foreign, node))
	}
	for _, f := range followers {
		f.expect("follow")
	}
	want := []string{"before", "after"}
	for i, content := range want {
		if i > 0 {
			node.Stop()
			node.Restart()
		}
		ada.MustSend(t, room, content)
		for _, f := range followers {
			parleytest.Within(t, returnTime, f.name+" hears it", func() bool {
				return f.messages.count() > i && f.events.count() > i
			})
		}
	}
	for _, f := range followers {
		f.script.say("done")
		f.script.finish()
		if !slices.Equal(f.messages.seen, want) || f.returns() < stockClients[f.name] {
			t.Errorf("%s: %q, came back %d times", f.name, f.messages.seen, f.returns())
		}
	}
}

// TestStockClientOnASilentNetwork: a connection that stands but carries nothing is noticed by
// graphql-ws's own pings, and given up.
func TestStockClientOnASilentNetwork(t *testing.T) {
	if parleytest.Scale(0, 1) == 0 {
		t.Skip("takes the client's 15 seconds: make prove-clients")
	}
	node := parleytest.Start(t, nil)
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.CreateRoom(t, "Stock")
	f := startFollower(t, compiled(t), "graphql-ws", ada, room, ada.CreatePublicRoom(t, "Foreign"), node)
	f.expect("follow")
	f.proxy.Silence()
	ada.MustSend(t, room, "Are you there?")
	began := time.Now()
	parleytest.Eventually(t, "it has noticed", func() bool { return f.messages.count() == 1 })
	t.Logf("noticed after %v", time.Since(began).Round(time.Second/10))
	f.script.say("done")
	f.proxy.Cut() // the old connection, whose end the client awaits
	f.script.finish()
}

// follower is a stock client in a process of its own, behind a proxy of its own.
type follower struct {
	name             string
	proxy            *parleytest.Proxy
	script           *script
	messages, events *reader
	// compressed is how many connections agreed on compression.
	compressed atomic.Int64
}

func startFollower(t *testing.T, program, name string, ada *parleytest.Client, room, foreign string, nodes ...*parleytest.Node) *follower {
	f := &follower{
		name:     name,
		proxy:    parleytest.StartProxy(t, nodes...),
		messages: &reader{field: "messageAdded"},
		events:   &reader{field: "roomEvents"},
	}
	user := parleytest.SignIn(t, nodes[0], name)
	ada.Must(t, `mutation($room: ID!, $user: ID!) { addMember(input: {roomId: $room, userId: $user}) { member { id } } }`,
		map[string]any{"room": room, "user": user.User})
	f.script = startScript(t, program, map[string]string{
		"client": name, "url": f.proxy.URL, "user": user.User, "token": user.Token,
		"askRoom": user.CreateRoom(t, "Asking"), "room": room, "foreignRoom": foreign,
		"chromium": installed(t, "chromium"),
	}, f.hear)
	return f
}

// hear takes what the client tells.
func (f *follower) hear(fact fact) {
	if strings.Contains(fact.Extensions, "permessage-deflate") {
		f.compressed.Add(1)
	}
	for _, r := range []*reader{f.messages, f.events} {
		if fact.Returned {
			r.mu.Lock()
			r.returns++
			r.mu.Unlock()
		}
		if fact.Result != nil && fact.Result.At(r.field) != nil {
			r.take(parleytest.Frame{Result: *fact.Result})
		}
	}
}

// expect waits until the client asks for something.
func (f *follower) expect(what string) {
	if ask := <-f.script.asks; ask != what {
		f.script.finish()
		f.script.t.Fatalf("%s asks %q instead of %q", f.name, ask, what)
	}
}

// returns is how often its connections, all together, came back.
func (f *follower) returns() int {
	f.messages.mu.Lock()
	defer f.messages.mu.Unlock()
	return f.messages.returns
}

// sendUnheard sends while no client is connected, before anything has arrived: what tells them of it
// is the position that they were told at the start.
func sendUnheard(t *testing.T, l *ledger, c *parleytest.Client, room string, followers []*follower) {
	for _, f := range followers {
		f.proxy.Down()
	}
	for i := range 3 {
		if !l.send(t.Context(), c, room, fmt.Sprintf("unheard/%d", i)) {
			t.Fatal("a message was never acknowledged")
		}
	}
	for _, f := range followers {
		f.proxy.Up()
	}
	for _, f := range followers {
		parleytest.Within(t, returnTime, f.name+" is back", func() bool {
			return f.messages.count() == 3 && f.events.count() == 3
		})
	}
}

// paceOfTraffic is how often each sender sends: up to a hundred messages a second, or 25.
var paceOfTraffic = time.Duration(parleytest.Scale(40, 10)) * time.Millisecond

// startTraffic has each sender send, at most at that pace, until it is told to stop, which waits until all are
// acknowledged.
func startTraffic(t *testing.T, l *ledger, senders []*parleytest.Client, room string) (stop func()) {
	done := make(chan struct{})
	var sending sync.WaitGroup
	for s, c := range senders {
		sending.Go(func() {
			pace := time.NewTicker(paceOfTraffic)
			defer pace.Stop()
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				case <-pace.C:
				}
				more := strings.Repeat(" and so on", i%2*10) // long enough to be compressed
				if !l.send(t.Context(), c, room, fmt.Sprintf("%d/%d%s", s, i, more)) {
					t.Errorf("sender %d: message %d was never acknowledged", s, i)
					return
				}
			}
		})
	}
	stop = sync.OnceFunc(func() { close(done); sending.Wait() })
	t.Cleanup(stop)
	return stop
}

// reconnect cuts every client off, and waits until each is back and hears more.
func reconnect(t *testing.T, followers []*follower, meanwhile func()) {
	before := make([]int, len(followers))
	for i, f := range followers {
		before[i] = f.returns()
		f.proxy.Cut()
	}
	meanwhile()
	for i, f := range followers {
		parleytest.Within(t, returnTime, f.name+" is back", func() bool {
			return f.returns() >= before[i]+stockClients[f.name]
		})
		messages, events := f.messages.count(), f.events.count()
		parleytest.Eventually(t, f.name+" hears more", func() bool {
			return f.messages.count() > messages && f.events.count() > events
		})
	}
}

var compile = sync.OnceValue(func() error {
	cmd := exec.Command(filepath.Join("node_modules", ".bin", "tsc"))
	cmd.Dir = "clients"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling e2e/clients: %w (make install brings what it needs)\n%s", err, out)
	}
	return nil
})

// compiled compiles clients/ once per test process, and returns the program that proves a client.
func compiled(t *testing.T) string {
	t.Helper()
	if err := compile(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join("clients", "build", "proof", "program.js")
}

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/e2e/parleytest"
	"parley/store/redis/redistest"
)

// threeNodes are nodes of one Redis, and a client that opens a connection for each request.
func threeNodes(t *testing.T) (nodes []*parleytest.Node, ada *parleytest.Client) {
	t.Helper()
	settings := map[string]string{
		"PARLEY_REDIS_URL": redistest.Start(t, "--appendonly", "yes").URL, "PARLEY_DATA": t.TempDir(), "PARLEY_HEARTBEAT": "1s",
	}
	for range 3 {
		nodes = append(nodes, parleytest.Start(t, settings))
	}
	ada = parleytest.SignIn(t, nodes[0], "ada")
	ada.HTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return nodes, ada
}

// singleReader follows rooms over a single connection, coming back with the last id whenever it is cut off, and keeps
// what each operation told.
type singleReader struct {
	t      *testing.T
	single *parleytest.Single

	followers map[string]*reader // of operations that tell too much for told

	mu    sync.Mutex
	last  string
	told  map[string][]string // contents, or codes, in order
	ended map[string]int      // completions
	opens int
}

// run follows until ctx is done.
func (r *singleReader) run(ctx context.Context) {
	for ctx.Err() == nil {
		r.mu.Lock()
		last := r.last
		r.mu.Unlock()
		attempt, cancel := context.WithCancel(ctx)
		s, status, err := r.single.Open(attempt, last)
		if err != nil {
			cancel()
			if status == http.StatusNotFound {
				r.t.Errorf("the reservation has gone")
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond): // a client's pause before it tries again
			}
			continue
		}
		r.mu.Lock()
		r.opens++
		r.mu.Unlock()
		for e := range s.Events {
			r.take(e)
		}
		s.Close()
		cancel()
	}
}

func (r *singleReader) take(e parleytest.SingleEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = e.ID
	switch e.Event {
	case "complete":
		r.ended[e.Operation]++
	case "next":
		if f := r.followers[e.Operation]; f != nil {
			f.take(parleytest.Frame{Result: e.Result})
			return
		}
		what := e.Result.Text("messageAdded", "content") + e.Result.Text("sendMessage", "message", "content") +
			e.Result.Text("viewer", "id") + e.Result.Code()
		r.told[e.Operation] = append(r.told[e.Operation], what)
	}
}

// heard returns what an operation has told.
func (r *singleReader) heard(operation string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told[operation])
}

func (r *singleReader) endings(operation string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended[operation]
}

func (r *singleReader) streams() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opens
}

func startSingle(t *testing.T, single *parleytest.Single) *singleReader {
	t.Helper()
	r := &singleReader{
		t: t, single: single, told: map[string][]string{}, ended: map[string]int{},
		followers: map[string]*reader{"messages": {field: "messageAdded"}, "events": {field: "roomEvents"}},
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return r
}

// ownerOf waits until one node has a stream of the single connection mode, and returns it.
func ownerOf(t *testing.T, nodes []*parleytest.Node) (owner *parleytest.Node) {
	t.Helper()
	parleytest.Eventually(t, "a node has the stream", func() bool {
		for _, n := range nodes {
			if n.Metric(t, "parley_connections") > 0 {
				owner = n
			}
		}
		return owner != nil
	})
	return owner
}

// runUntil asks for an operation until a node that lives accepts it, or another one has that died before it could say so.
func runUntil(t *testing.T, s *parleytest.Single, id string, op parleytest.Operation) {
	t.Helper()
	parleytest.Eventually(t, "an operation is accepted", func() bool {
		status, text := s.Run(t.Context(), id, op)
		switch status {
		case 0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return false
		case http.StatusAccepted, http.StatusConflict:
			return true
		}
		t.Fatalf("%d %s", status, text)
		return false
	})
}

// TestSingleConnection: three nodes behind HAProxy, each request for the next of them. The node that matters
// is killed (kill -9) after each step, and the client goes on. Nothing is lost, nothing comes twice.
func TestSingleConnection(t *testing.T) {
	t.Parallel()
	nodes, ada := threeNodes(t)
	ada.URL = parleytest.StartHAProxy(t, nodes...)
	room := ada.CreateRoom(t, "Single")
	added := parleytest.Operation{Query: `subscription($room: ID!) { messageAdded(roomId: $room) { content } }`, Variables: map[string]any{"room": room}}
	send := func(content string) {
		t.Helper()
		parleytest.Eventually(t, "a message is sent", func() bool {
			result, err := ada.Send(t.Context(), room, content, content)
			return err == nil && len(result.Errors) == 0
		})
	}
	expect := func(r *singleReader, operation string, contents ...string) {
		t.Helper()
		parleytest.Eventually(t, fmt.Sprintf("%s tells %q", operation, contents), func() bool {
			return len(r.heard(operation)) >= len(contents)
		})
		if got := r.heard(operation); !slices.Equal(got, contents) {
			t.Errorf("%s told %q, want %q", operation, got, contents)
		}
	}

	t.Run("killed after PUT", func(t *testing.T) {
		single := parleytest.Reserve(t, ada)
		for _, n := range nodes { // whichever it was
			n.Kill()
			n.Restart()
		}
		r := startSingle(t, single)
		runUntil(t, single, "1", added)
		send("after PUT")
		expect(r, "1", "after PUT")
	})
	t.Run("killed after GET", func(t *testing.T) {
		single := parleytest.Reserve(t, ada)
		r := startSingle(t, single)
		owner := ownerOf(t, nodes)
		owner.Kill()
		runUntil(t, single, "1", added)
		send("after GET")
		expect(r, "1", "after GET")
		owner.Restart()
	})
	t.Run("killed after POST, before the first event", func(t *testing.T) {
		single := parleytest.Reserve(t, ada)
		single.MustRun(t, "1", added)
		r := startSingle(t, single)
		owner := ownerOf(t, nodes)
		single.MustRun(t, "2", added)
		owner.Kill()
		send("after POST")
		expect(r, "1", "after POST")
		expect(r, "2", "after POST")
		owner.Restart()
	})
	t.Run("killed after the first event", func(t *testing.T) {
		single := parleytest.Reserve(t, ada)
		r := startSingle(t, single)
		single.MustRun(t, "1", added)
		send("first")
		expect(r, "1", "first")
		owner := ownerOf(t, nodes)
		owner.Kill()
		send("second")
		expect(r, "1", "first", "second")
		owner.Restart()
		send("third")
		expect(r, "1", "first", "second", "third")
	})
	t.Run("killed after a mutation ran", func(t *testing.T) {
		single := parleytest.Reserve(t, ada)
		single.MustRun(t, "all", added)
		mutation := parleytest.Operation{Query: parleytest.SendQuery, Variables: map[string]any{"room": room, "content": "once"}}
		single.MustRun(t, "m", mutation)
		for _, n := range nodes { // whichever ran it
			n.Kill()
			n.Restart()
		}
		r := startSingle(t, single)
		expect(r, "m", "once")
		expect(r, "all", "once")
		parleytest.Eventually(t, "the mutation has ended", func() bool { return r.endings("m") == 1 })
	})
}

// TestSingleConnectionUnderTraffic: the owner is killed again and again while messages are sent, operations asked for
// and connections cut: two subscriptions tell every message once, in order, and each query is answered once.
func TestSingleConnectionUnderTraffic(t *testing.T) {
	t.Parallel()
	nodes, ada := threeNodes(t)
	ada.URL = parleytest.StartProxy(t, nodes...).URL // which sends connections to dead nodes, too
	room := ada.CreateRoom(t, "Single")
	single := parleytest.Reserve(t, ada)
	single.MustRun(t, "messages", follow(messageAdded, room, ""))
	single.MustRun(t, "events", follow(roomEvents, room, ""))
	r := startSingle(t, single)
	l := &ledger{acked: map[string]string{}}
	stop := startTraffic(t, l, []*parleytest.Client{ada}, room)
	rounds := parleytest.Scale(3, 30)
	for round := range rounds {
		owner := ownerOf(t, nodes)
		before := r.streams()
		id := fmt.Sprint("query ", round)
		runUntil(t, single, id, parleytest.Operation{Query: `{ viewer { id } }`})
		owner.Kill()
		parleytest.Within(t, returnTime, "the stream is back", func() bool { return r.streams() > before })
		parleytest.Within(t, returnTime, "the query has ended", func() bool { return r.endings(id) > 0 })
		if got := r.heard(id); len(got) != 1 || got[0] != "ada" || r.endings(id) != 1 {
			t.Errorf("%s told %q, and ended %d times", id, got, r.endings(id))
		}
		owner.Restart()
	}
	stop()
	r.followers["messages"].checkComplete(t, "messageAdded", l)
	r.followers["events"].checkComplete(t, "roomEvents", l)
	t.Logf("%d kills, %d streams", rounds, r.streams())
}

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/e2e/parleytest"
	"parley/store/redis/redistest"
)

// fleet is nodes on one Redis, with rooms that the same number of connections follow, all their owner's. Each is
// wherever it finds a node, and comes back with its cursor.
type fleet struct {
	t      *testing.T
	nodes  []*parleytest.Node
	rooms  []string
	owners map[string]*parleytest.Client // by room

	followers []*roomFollower
	turn      atomic.Int64 // whose it is, as a load balancer goes round

	mu     sync.Mutex
	sent   map[string]int // messages acknowledged, by room
	comers []time.Time    // who came back, when
}

// roomFollower is a connection that follows a room and checks the seqs of what it is told.
type roomFollower struct {
	room   string
	cursor string
	placed atomic.Bool // has a cursor
	last   atomic.Int64
	fault  atomic.Pointer[string]
}

func startFleet(t *testing.T, nodes, rooms, each int, settings map[string]string) *fleet {
	t.Helper()
	f := &fleet{t: t, owners: map[string]*parleytest.Client{}, sent: map[string]int{}}
	shared := map[string]string{"PARLEY_REDIS_URL": redistest.Start(t).URL, "PARLEY_DATA": t.TempDir()}
	maps.Copy(shared, settings)
	for range nodes {
		f.nodes = append(f.nodes, parleytest.Start(t, shared))
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { stop(); running.Wait() })
	for i := range rooms {
		owner := parleytest.SignIn(t, f.nodes[0], fmt.Sprint("owner-", i))
		room := owner.CreateRoom(t, fmt.Sprint("Room ", i))
		f.owners[room] = owner
		f.rooms = append(f.rooms, room)
	}
	for _, room := range f.rooms {
		for range each {
			r := &roomFollower{room: room}
			f.followers = append(f.followers, r)
			running.Go(func() { f.follow(ctx, r) })
		}
	}
	parleytest.Within(t, time.Minute, "all have a position", func() bool {
		return !slices.ContainsFunc(f.followers, func(r *roomFollower) bool { return !r.placed.Load() })
	})
	return f
}

// anywhere is a room's owner at the next node.
func (f *fleet) anywhere(room string) *parleytest.Client {
	return f.owners[room].On(f.nodes[int(f.turn.Add(1))%len(f.nodes)])
}

func (f *fleet) connected() (n int) {
	for _, node := range f.nodes {
		n += int(node.Metric(f.t, "parley_connections"))
	}
	return n
}

// follow keeps a follower connected.
func (f *fleet) follow(ctx context.Context, r *roomFollower) {
	for back := false; ctx.Err() == nil && r.fault.Load() == nil; {
		conn, err := parleytest.DialWS(ctx, f.anywhere(r.room))
		if err != nil {
			time.Sleep(50 * time.Millisecond) // a client's pause before it tries again
			continue
		}
		if back {
			f.mu.Lock()
			f.comers = append(f.comers, time.Now())
			f.mu.Unlock()
		}
		back = true
		r.read(ctx, conn)
		_ = conn.CloseNow()
	}
}

// read follows until the connection ends.
func (r *roomFollower) read(ctx context.Context, conn *websocket.Conn) {
	type message struct {
		Type    string                `json:"type"`
		ID      string                `json:"id,omitempty"`
		Payload *parleytest.Operation `json:"payload,omitempty"`
	}
	op := follow(messageAdded, r.room, r.cursor)
	subscribe, _ := json.Marshal(message{"subscribe", "1", &op})
	if conn.Write(ctx, websocket.MessageText, subscribe) != nil {
		return
	}
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var got struct {
			Type    string
			Payload struct {
				Cursors    map[string]string
				Data       struct{ MessageAdded struct{ Seq int64 } }
				Extensions struct{ Cursor string }
			}
		}
		if err := json.Unmarshal(text, &got); err != nil || got.Type == "error" || got.Type == "complete" {
			r.fails("was told %s, after seq %d", text, r.last.Load())
			return
		}
		if got.Type == "ping" {
			if cursor := got.Payload.Cursors["1"]; cursor != "" {
				r.cursor = cursor
				r.placed.Store(true)
			}
			_ = conn.Write(ctx, websocket.MessageText, []byte(`{"type":"pong"}`))
			continue
		}
		if seq := got.Payload.Data.MessageAdded.Seq; seq != r.last.Load()+1 {
			r.fails("was told of seq %d after %d", seq, r.last.Load())
			return
		}
		r.cursor = got.Payload.Extensions.Cursor
		r.last.Add(1)
	}
}

func (r *roomFollower) fails(format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	r.fault.Store(&why)
}

// send sends a message into a room until it is acknowledged, by whatever node.
func (f *fleet) send(ctx context.Context, room, content string) bool {
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		result, err := f.anywhere(room).Send(attempt, room, content, content)
		cancel()
		if err == nil && len(result.Errors) == 0 {
			f.mu.Lock()
			f.sent[room]++
			f.mu.Unlock()
			return true
		}
		time.Sleep(20 * time.Millisecond) // a client's pause before it tries again
	}
	return false
}

// sendSteadily sends so many messages a second, to one room after the other, until stop is called.
func (f *fleet) sendSteadily(perSecond int) (stop func()) {
	const senders = 16
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	end := make(chan struct{})
	var sending sync.WaitGroup
	var n atomic.Int64
	for range senders {
		sending.Go(func() {
			tick := time.NewTicker(senders * time.Second / time.Duration(perSecond))
			defer tick.Stop()
			for {
				select {
				case <-end:
					return
				case <-tick.C:
				}
				if i := int(n.Add(1)); !f.send(ctx, f.rooms[i%len(f.rooms)], fmt.Sprint("message ", i)) {
					f.t.Errorf("message %d was never acknowledged", i)
					return
				}
			}
		})
	}
	return func() { close(end); sending.Wait(); cancel() }
}

// check waits until every follower has been told of all messages of its room, each once and in order.
func (f *fleet) check() {
	f.t.Helper()
	total := 0
	for _, r := range f.followers {
		want := int64(f.sent[r.room])
		total += int(want)
		deadline := time.Now().Add(time.Minute)
		for r.last.Load() < want && r.fault.Load() == nil && time.Now().Before(deadline) {
			time.Sleep(20 * time.Millisecond) // not Eventually, which would end the test at the first
		}
		if why := r.fault.Load(); why != nil {
			f.t.Errorf("a follower %s", *why)
		} else if got := r.last.Load(); got != want {
			f.t.Errorf("a follower was told of %d messages, want %d", got, want)
		}
	}
	if !f.t.Failed() {
		f.t.Logf("%d connections in %d rooms: %d events, each once, in order; %d came back", len(f.followers), len(f.rooms), total, len(f.comers))
	}
}

// TestRollingRestart: each of three nodes is stopped and started again, one after the other, under traffic.
// Nobody misses anything, and those who come back come a few at a time.
func TestRollingRestart(t *testing.T) {
	rooms := parleytest.Scale(10, 500)
	window := time.Duration(parleytest.Scale(2, 15)) * time.Second
	f := startFleet(t, 3, rooms, 10, map[string]string{"PARLEY_DRAIN_WINDOW": window.String()})
	begin := time.Now()
	stop := f.sendSteadily(200)
	most := 0
	for _, node := range f.nodes {
		most = max(most, int(node.Metric(t, "parley_connections")))
		node.Stop()
		node.Restart()
		parleytest.Within(t, time.Minute, "all follow again", func() bool { return f.connected() >= len(f.followers) })
	}
	stop()
	f.check()

	perSecond := map[int]int{}
	for _, at := range f.comers {
		perSecond[int(at.Sub(begin)/time.Second)]++
	}
	if len(f.comers) < len(f.followers) { // each node had a third of them, and then those of the others
		t.Errorf("only %d came back", len(f.comers))
	}
	var plot strings.Builder
	bound := 3*most/int(window/time.Second) + 10
	for _, second := range slices.Sorted(maps.Keys(perSecond)) {
		n := perSecond[second]
		fmt.Fprintf(&plot, "%4d s %5d %s\n", second, n, strings.Repeat("█", (n*60+bound-1)/bound))
		if n > bound {
			t.Errorf("%d came back in second %d; spread evenly over %v it were %d", n, second, window, most/int(window/time.Second))
		}
	}
	t.Logf("came back, by second (a node had up to %d connections, closed over %v):\n%s", most, window, plot.String())
}

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/e2e/parleytest"
)

const (
	soakRooms    = 4
	presenceFeed = `subscription($room: ID!) { presence(roomId: $room) { id status } }`
	editMessage  = `mutation($id: ID!, $content: String!) { editMessage(input: {messageId: $id, content: $content}) { message { id } } }`
	kickMember   = `mutation($room: ID!, $user: ID!) { removeMember(input: {roomId: $room, userId: $user}) { room { id } } }`
)

// soak is mixed traffic on two nodes, for as long as ctx lasts.
type soak struct {
	*testing.T
	*cluster
	ctx     context.Context
	clients sync.WaitGroup
	// What was done, for the report.
	edits, kicks, typings, comings, stalls, badFrames, pauses atomic.Int64
}

// TestSoak: senders, editors, typists, members who come and are removed, subscribers who come, go, stall
// and resume, peers that send rubbish, and a Redis that stands still now and then. Every acknowledged
// message reaches each room's readers once and in order; memory, goroutines and descriptors stay flat.
// PARLEY_SOAK=8h makes it as long as wished.
func TestSoak(t *testing.T) {
	t.Parallel()
	while := time.Duration(parleytest.Scale(20, 30*60)) * time.Second
	if longer, err := time.ParseDuration(os.Getenv("PARLEY_SOAK")); err == nil {
		while = longer
	}
	s := &soak{T: t, cluster: startCluster(t, map[string]string{
		"PARLEY_CUTOFF": cutoff.String(), "PARLEY_HEARTBEAT": "2s", "PARLEY_RATE_LIMITS": "off",
		"PARLEY_LOG_MAX_ENTRIES": "2000",
	})}
	owners := map[*parleytest.Node]*parleytest.Client{s.a: parleytest.SignIn(t, s.a, "owner"), s.b: parleytest.SignIn(t, s.b, "owner")}
	drifter := parleytest.SignIn(t, s.b, "drifter")
	ctx, stop := context.WithCancel(t.Context())
	defer s.clients.Wait()
	defer stop()
	s.ctx = ctx
	for i := range soakRooms {
		room := owners[s.a].CreateRoom(t, fmt.Sprint("Soak ", i), "ws", "sse", "multipart")
		l := &ledger{acked: map[string]string{}}
		for name, r := range s.follow(room) {
			r.start(t)
			defer func() {
				if !t.Failed() {
					r.checkComplete(t, fmt.Sprintf("room %d, %s", i, name), l)
				}
			}()
		}
		for name, owner := range map[string]*parleytest.Client{"a": owners[s.a], "b": owners[s.b]} {
			s.again(100*time.Millisecond, func(n int) { s.send(l, owner, room, fmt.Sprintf("%s %d", name, n), n) })
			s.again(500*time.Millisecond, func(int) { s.comeAndGo(owner, room) })
		}
		s.again(time.Second, func(int) { s.kick(owners[s.a], drifter, room) })
		s.again(2*time.Second, func(int) { s.stall(owners[s.b], room) })
	}
	s.again(200*time.Millisecond, func(int) { s.sendRubbish(owners[s.a]) })
	s.again(6*time.Second, func(int) { s.pause() })

	s.watch(while)
	stop()
	s.clients.Wait()
	t.Logf("%d edits, %d kicks, %d typings, %d subscriptions came and went, %d stalled, %d bad frames, Redis paused %d times",
		s.edits.Load(), s.kicks.Load(), s.typings.Load(), s.comings.Load(), s.stalls.Load(), s.badFrames.Load(), s.pauses.Load())
}

// again does something again and again, with pauses around so long.
func (s *soak) again(every time.Duration, do func(n int)) {
	s.clients.Go(func() {
		for n := 0; s.ctx.Err() == nil; n++ {
			do(n)
			s.rest(every/2 + rand.N(every))
		}
	})
}

func (s *soak) rest(d time.Duration) {
	select {
	case <-s.ctx.Done():
	case <-time.After(d):
	}
}

// follow makes a room's readers, which lose their connection every few seconds.
func (s *soak) follow(room string) map[string]*reader {
	readers := map[string]*reader{}
	for user, subscribe := range transportsByUser {
		at := []*parleytest.Client{parleytest.SignIn(s, s.a, user), parleytest.SignIn(s, s.b, user)}
		readers[user] = &reader{
			client: func() *parleytest.Client { return at[rand.N(2)] }, query: messageAdded, field: "messageAdded", room: room,
			subscribe: func(ctx context.Context, c *parleytest.Client, op parleytest.Operation) (*parleytest.Stream, error) {
				ctx, cancel := context.WithTimeout(ctx, time.Second+rand.N(5*time.Second))
				stream, err := subscribe(ctx, c, op)
				if err != nil {
					cancel()
					return nil, err
				}
				return &parleytest.Stream{Frames: stream.Frames, Close: func() { cancel(); stream.Close() }}, nil
			},
		}
	}
	return readers
}

var transportsByUser = map[string]parleytest.Subscriber{
	"ws": parleytest.OverWS, "sse": parleytest.OverSSE, "multipart": parleytest.OverMultipart,
}

func (s *soak) send(l *ledger, c *parleytest.Client, room, content string, n int) {
	// A message under way when the time is up is sent to its end: it may have been stored.
	if !l.send(context.WithoutCancel(s.ctx), c, room, content) {
		s.Errorf("%q was never acknowledged", content)
	}
	l.mu.Lock()
	id := l.acked[content]
	l.mu.Unlock()
	switch n % 5 {
	case 0:
		if s.ask(c, editMessage, map[string]any{"id": id, "content": content}) {
			s.edits.Add(1)
		}
	case 1:
		if s.ask(c, setTyping, map[string]any{"room": room, "on": true}) {
			s.typings.Add(1)
		}
	}
}

// ask reports whether something was done; that Redis pauses is no fault.
func (s *soak) ask(c *parleytest.Client, query string, variables map[string]any) bool {
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	result, err := c.Do(ctx, parleytest.Operation{Query: query, Variables: variables})
	if code := result.Code(); err == nil && code != "" && code != "UNAVAILABLE" && code != "CONFLICT" {
		s.Errorf("%s: %+v", query, result.Errors)
	}
	return err == nil && len(result.Errors) == 0
}

// comeAndGo has subscriptions of every kind come and go.
func (s *soak) comeAndGo(c *parleytest.Client, room string) {
	for _, subscribe := range transports {
		for _, query := range []string{typingIn, presenceFeed, roomEvents} {
			ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
			stream, err := subscribe(ctx, c, parleytest.Operation{Query: query, Variables: map[string]any{"room": room}})
			if err == nil {
				s.rest(rand.N(100 * time.Millisecond))
				stream.Close()
				s.comings.Add(1)
			}
			cancel()
		}
	}
}

// kick adds a member, who subscribes, and removes it again.
func (s *soak) kick(owner, drifter *parleytest.Client, room string) {
	s.ask(owner, addMember, map[string]any{"room": room, "user": drifter.User})
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	stream, err := parleytest.OverWS(ctx, drifter, follow(roomEvents, room, ""))
	if err == nil {
		defer stream.Close()
	}
	s.rest(500 * time.Millisecond)
	for s.ctx.Err() == nil && !s.ask(owner, kickMember, map[string]any{"room": room, "user": drifter.User}) {
		s.rest(100 * time.Millisecond)
	}
	s.kicks.Add(1)
}

// stall subscribes and doesn't read.
func (s *soak) stall(c *parleytest.Client, room string) {
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	conn, err := parleytest.DialWS(ctx, c)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	_ = conn.Write(ctx, websocket.MessageText, fmt.Appendf(nil,
		`{"type":"subscribe","id":"1","payload":{"query":"subscription { messageAdded(roomId: \"%s\") { content } }"}}`, room))
	s.rest(rand.N(8 * time.Second))
	s.stalls.Add(1)
}

var rubbish = []string{
	"", "{", "[]", "null", `{"type":"nonsense"}`, `{"type":"subscribe"}`, `{"type":"subscribe","id":"1","payload":{"query":"{"}}`,
	`{"type":"subscribe","id":"1","payload":{"query":"subscription { messageAdded(roomId: \"r_nowhere\") { id } }"}}`, "\xff",
}

func (s *soak) sendRubbish(c *parleytest.Client) {
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	conn, err := parleytest.DialWS(ctx, c)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	if conn.Write(ctx, websocket.MessageText, []byte(rubbish[rand.N(len(rubbish))])) == nil {
		_, _, _ = conn.Read(ctx)
		s.badFrames.Add(1)
	}
}

// pause has Redis stand still, sometimes for longer than the cutoff.
func (s *soak) pause() {
	s.redis.Freeze()
	time.Sleep(rand.N(cutoff + 2*time.Second)) // the fault itself, which must end before the test does
	s.redis.Thaw()
	s.pauses.Add(1)
}

// watch measures both nodes for a while, and compares the last third of what it saw with the second.
func (s *soak) watch(while time.Duration) {
	begun := time.Now()
	seen := map[string][]footprint{}
	for time.Since(begun) < while || len(seen["A"]) < 3 {
		for name, n := range map[string]*parleytest.Node{"A": s.a, "B": s.b} {
			seen[name] = append(seen[name], measure(s, n))
		}
		s.rest(while / 60)
	}
	for name, measured := range seen {
		third := len(measured) / 3
		second, last := mean(measured[third:2*third]), mean(measured[2*third:])
		s.Logf("node %s, second third: %v\nnode %s, last third:   %v", name, second, name, last)
		if last.heap > 1.2*second.heap+strayHeap || last.goroutines > 1.2*second.goroutines+50 || last.descriptors > 1.2*second.descriptors+50 {
			s.Errorf("node %s grows", name)
		}
	}
}

func mean(all []footprint) (m footprint) {
	n := float64(len(all))
	for _, f := range all {
		m.goroutines += f.goroutines / n
		m.descriptors += f.descriptors / n
		m.connections += f.connections / n
		m.heap += f.heap / n
		m.resident += f.resident / n
	}
	return m
}

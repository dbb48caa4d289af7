package e2e

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"parley/e2e/parleytest"
	"parley/store/redis/redistest"
)

// cluster is two nodes of Parley on the same Redis, with four senders and two readers in one room: a graphql-ws
// reader at the first node and an SSE reader at the second, and one of roomEvents at each.
type cluster struct {
	redis   *redistest.Server
	a, b    *parleytest.Node
	room    string
	senders []*parleytest.Client
	readers map[string]*reader
}

func startCluster(t *testing.T, settings map[string]string) *cluster {
	t.Helper()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
	c := startNodes(t, server.URL, settings)
	c.redis = server
	return c
}

// startNodes starts the two nodes on whatever Redis a URL names.
func startNodes(t *testing.T, url string, settings map[string]string) *cluster {
	t.Helper()
	shared := map[string]string{"PARLEY_REDIS_URL": url, "PARLEY_DATA": t.TempDir()}
	maps.Copy(shared, settings)
	return &cluster{a: parleytest.Start(t, shared), b: parleytest.Start(t, shared)}
}

// populate makes the room, the senders (two at each node) and the readers.
func (c *cluster) populate(t *testing.T) {
	t.Helper()
	owner := parleytest.SignIn(t, c.a, "owner")
	names := []string{"ada", "bob"}
	for i, n := range []*parleytest.Node{c.a, c.a, c.b, c.b} {
		s := parleytest.SignIn(t, n, fmt.Sprintf("sender-%d", i))
		c.senders = append(c.senders, s)
		names = append(names, s.User)
	}
	c.room = owner.CreateRoom(t, "Two nodes", names...)
	c.readers = map[string]*reader{
		"ws at A, messageAdded":  c.reader(parleytest.SignIn(t, c.a, "ada"), parleytest.OverWS, messageAdded, "messageAdded"),
		"sse at B, messageAdded": c.reader(parleytest.SignIn(t, c.b, "bob"), parleytest.OverSSE, messageAdded, "messageAdded"),
		"sse at A, roomEvents":   c.reader(parleytest.SignIn(t, c.a, "ada"), parleytest.OverSSE, roomEvents, "roomEvents"),
		"ws at B, roomEvents":    c.reader(parleytest.SignIn(t, c.b, "bob"), parleytest.OverWS, roomEvents, "roomEvents"),
	}
	for _, r := range c.readers {
		r.start(t)
	}
}

func (c *cluster) reader(as *parleytest.Client, subscribe parleytest.Subscriber, query, field string) *reader {
	return &reader{subscribe: subscribe, client: func() *parleytest.Client { return as }, query: query, field: field, room: c.room}
}

// sendDuring sends n messages while something happens to the cluster.
func (c *cluster) sendDuring(t *testing.T, n int, happens func()) *ledger {
	t.Helper()
	sent := sending(t, c.senders, c.room, n)
	happens()
	return <-sent
}

func (c *cluster) check(t *testing.T, l *ledger) {
	t.Helper()
	for name, r := range c.readers {
		r.checkComplete(t, name, l)
	}
	var first []string
	for name, r := range c.readers {
		if first == nil {
			first = r.ids
		}
		if fmt.Sprint(first) != fmt.Sprint(r.ids) {
			t.Errorf("%s saw another order", name)
		}
	}
}

// TestTwoNodesSeeTheSame: messages through both nodes, a subscriber at each, and the pub/sub
// connections of both cut again and again.
func TestTwoNodesSeeTheSame(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	c.populate(t)
	stop, cuts := make(chan struct{}), make(chan int64, 1)
	go func() {
		cut := int64(0)
		for {
			select {
			case <-stop:
				cuts <- cut
				return
			case <-time.After(500 * time.Millisecond):
				cut += c.redis.KillPubSub()
			}
		}
	}()
	l := c.sendDuring(t, parleytest.Scale(1000, 5000), func() {})
	close(stop)
	c.check(t, l)
	t.Logf("%d pub/sub connections were cut; heals: %.0f at A, %.0f at B", <-cuts,
		c.a.Metric(t, "parley_heals_total"), c.b.Metric(t, "parley_heals_total"))
	for name, r := range c.readers {
		if r.returns > 0 {
			t.Errorf("%s had to come back %d times", name, r.returns)
		}
	}
}

// TestTwoNodesOneDies: a node is killed in the middle of sending; its reader goes on at the other
// node with its cursor.
func TestTwoNodesOneDies(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	c.populate(t)
	c.senders = c.senders[2:] // those at B: a client whose node dies would go elsewhere too
	moving := c.readers["ws at A, messageAdded"]
	ada := moving.client()
	for _, name := range []string{"ws at A, messageAdded", "sse at A, roomEvents"} {
		connects := 0
		c.readers[name].client = func() *parleytest.Client {
			if connects++; connects%2 == 1 {
				return ada.On(c.b)
			}
			return ada
		}
	}
	n := parleytest.Scale(1000, 5000)
	l := c.sendDuring(t, n, func() {
		parleytest.Eventually(t, "a third was seen", func() bool { return moving.count() >= n/3 })
		c.a.Kill()
	})
	c.check(t, l)
	if moving.returns == 0 {
		t.Error("the reader at A never had to come back")
	}
}

// TestRedisStops for a while: sends answer UNAVAILABLE, streams stay, nothing is missing later.
func TestRedisStops(t *testing.T) {
	t.Parallel()
	for _, outage := range []time.Duration{8 * time.Second, 20 * time.Second} {
		t.Run(outage.String(), func(t *testing.T) {
			if parleytest.Scale(0, 1) == 0 {
				outage /= 4
			}
			c := startCluster(t, nil)
			c.populate(t)
			l := c.sendDuring(t, parleytest.Scale(1000, 5000), func() {
				r := c.readers["ws at A, messageAdded"]
				parleytest.Eventually(t, "some were seen", func() bool { return r.count() > 100 })
				c.redis.Stop()
				result, err := c.senders[0].Send(t.Context(), c.room, "into the void", "void")
				if err != nil || result.Code() != "UNAVAILABLE" {
					t.Errorf("sending without Redis answered %+v, %v", result, err)
				}
				if status := c.a.Status("/readyz"); status != 503 {
					t.Errorf("/readyz answered %d without Redis", status)
				}
				time.Sleep(outage) // the outage itself
				c.redis.Restart()
			})
			c.check(t, l)
			for name, r := range c.readers {
				if r.returns > 0 {
					t.Errorf("%s had to come back %d times", name, r.returns)
				}
			}
			t.Logf("%d attempts answered UNAVAILABLE and were repeated", l.refused)
		})
	}
}

// TestRedisLosesItsTail: an older snapshot comes back, so entries that were read are gone. Each
// subscription is reset once and is live again.
func TestRedisLosesItsTail(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	c.populate(t)
	before := c.sendDuring(t, 100, func() {})
	c.check(t, before)
	snapshot := c.redis.Snapshot()
	lost := &ledger{acked: map[string]string{}}
	for i := range 50 {
		lost.send(t.Context(), c.senders[i%4], c.room, fmt.Sprintf("lost %d", i))
	}
	for name, r := range c.readers {
		parleytest.Eventually(t, name+" has seen what will be lost", func() bool { return r.count() == 150 })
	}
	c.redis.RestoreSnapshot(snapshot)
	c.checkReset(t, 150)
}

// checkReset checks that each reader, having seen so many messages, is reset once and then live again.
func (c *cluster) checkReset(t *testing.T, seen int) {
	t.Helper()
	for name, r := range c.readers {
		parleytest.Eventually(t, name+" is reset", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.resets > 0
		})
	}
	l := &ledger{acked: map[string]string{}}
	for i := range 50 {
		l.send(t.Context(), c.senders[i%4], c.room, fmt.Sprintf("after %d", i))
	}
	for name, r := range c.readers {
		parleytest.Eventually(t, name+" is live again", func() bool { return r.count() >= seen+50 })
		r.mu.Lock()
		if r.resets != 1 {
			t.Errorf("%s was reset %d times", name, r.resets)
		}
		if got, want := fmt.Sprint(r.seen[seen:]), fmt.Sprint(afterwards()); got != want {
			t.Errorf("%s saw %s after the reset", name, got)
		}
		r.mu.Unlock()
	}
}

func afterwards() []string {
	var contents []string
	for i := range 50 {
		contents = append(contents, fmt.Sprintf("after %d", i))
	}
	return contents
}

// TestRedisIsFlushed: everything is gone. Each subscription ends once with HISTORY_LOST; new rooms
// work without a restart.
func TestRedisIsFlushed(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	ada, bob := parleytest.SignIn(t, c.a, "ada"), parleytest.SignIn(t, c.b, "bob")
	room := ada.CreateRoom(t, "Sandcastle", "bob")
	var streams []*parleytest.Stream
	for _, who := range []*parleytest.Client{ada, bob} {
		for _, subscribe := range transports {
			for _, query := range []string{messageAdded, roomEvents} {
				s := parleytest.MustSubscribe(t, subscribe, who, follow(query, room, ""))
				s.Position(t)
				streams = append(streams, s)
			}
			s := parleytest.MustSubscribe(t, subscribe, who, parleytest.Operation{Query: typingIn, Variables: map[string]any{"room": room}})
			s.Next(t)
			streams = append(streams, s)
		}
	}
	c.redis.Flush()
	for i, s := range streams {
		if f := s.Next(t); f.Result.Code() != "HISTORY_LOST" {
			t.Errorf("subscription %d: %+v instead of HISTORY_LOST", i, f)
		}
		for f := range s.Frames {
			if f.Result.Errors != nil || f.Result.Data != nil {
				t.Errorf("subscription %d: %+v after HISTORY_LOST", i, f)
			}
			if f.End {
				break
			}
		}
	}
	again := ada.CreateRoom(t, "Another", "bob")
	s := parleytest.MustSubscribe(t, parleytest.OverWS, bob, follow(messageAdded, again, ""))
	s.Position(t)
	ada.MustSend(t, again, "still here")
	if got := s.Next(t).Result.Text("messageAdded", "content"); got != "still here" {
		t.Errorf("after the flush: %q", got)
	}
}

func TestPresenceAcrossNodes(t *testing.T) {
	t.Parallel()
	c := startCluster(t, quickPresence)
	testPresence(t, c.a, c.b)
}

func TestTypingAcrossNodes(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	testTyping(t, c.a, c.b)
}

// TestPresenceOfAKilledNode: the users of a node that dies go OFFLINE, once each, and those who
// have come back elsewhere meanwhile don't.
func TestPresenceOfAKilledNode(t *testing.T) {
	t.Parallel()
	c := startCluster(t, map[string]string{"PARLEY_PRESENCE_TTL": "3s", "PARLEY_PRESENCE_GRACE": "2s"})
	ada := parleytest.SignIn(t, c.b, "ada")
	n := parleytest.Scale(10, 50)
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("user-%d", i))
	}
	room := ada.CreateRoom(t, "Sinking ship", append(names, "survivor")...)
	for _, name := range append(names, "survivor") {
		parleytest.MustSubscribe(t, parleytest.OverSSE, parleytest.SignIn(t, c.a, name), follow(messageAdded, room, "")).Position(t)
	}
	watch := parleytest.MustSubscribe(t, parleytest.OverWS, ada, parleytest.Operation{Query: presenceOfRoom, Variables: map[string]any{"room": room}})
	status := map[string]string{}
	read := func() (user string) {
		f := watch.Next(t)
		user = f.Result.Text("presence", "id")
		status[user] = f.Result.Text("presence", "status")
		return user
	}
	for online := 0; online < n+1; {
		read()
		online = 0
		for _, name := range append(names, "survivor") {
			if status[name] == "ONLINE" {
				online++
			}
		}
	}
	c.a.Kill()
	back := parleytest.MustSubscribe(t, parleytest.OverWS, parleytest.SignIn(t, c.b, "survivor"), follow(messageAdded, room, ""))
	back.Position(t)
	changes := map[string]int{}
	for len(changes) < n {
		user := read()
		if changes[user]++; changes[user] > 1 || status[user] != "OFFLINE" || user == "survivor" {
			t.Errorf("%s went %s (change %d)", user, status[user], changes[user])
		}
	}
	t.Logf("%d users of the killed node went OFFLINE, once each; the one who came back stayed ONLINE", n)
}

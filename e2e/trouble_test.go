package e2e

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/e2e/parleytest"
	"parley/store/redis/redistest"
)

// cutoff is as short as it may be.
const cutoff = 3 * time.Second

// behindProxy starts two nodes on one Redis, the first one's way there through a proxy.
func behindProxy(t *testing.T, settings map[string]string) (a, b *parleytest.Node, way *parleytest.Way) {
	t.Helper()
	server := redistest.Start(t)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	way = parleytest.StartWay(t, address.Host)
	shared := map[string]string{"PARLEY_REDIS_URL": server.URL, "PARLEY_DATA": t.TempDir(), "PARLEY_CUTOFF": cutoff.String(), "PARLEY_RATE_LIMITS": "off"}
	b = parleytest.Start(t, shared)
	address.Host = way.Addr
	shared["PARLEY_REDIS_URL"] = address.String()
	for name, value := range settings {
		shared[name] = value
	}
	return parleytest.Start(t, shared), b, way
}

// quiet fails if a stream tells anything for a while.
func quiet(t *testing.T, name string, s *parleytest.Stream, while time.Duration) {
	t.Helper()
	timeout := time.After(while)
	for {
		select {
		case f, ok := <-s.Frames:
			if !ok || f.End || f.Result.Data != nil || f.Result.Errors != nil {
				t.Fatalf("%s: %s %+v while cut off", name, f.Result.Data, f)
			}
		case <-timeout:
			return
		}
	}
}

// island is a node that can lose its way to Redis, another that doesn't, and who follows a room at the first.
type island struct {
	a, b     *parleytest.Node
	way      *parleytest.Way
	owner    *parleytest.Client // at b
	ada, bob *parleytest.Client // at a
	room     string
	// streams are those of ada and bob, by name and transport or "typing".
	streams map[string]*parleytest.Stream
}

func startIsland(t *testing.T) *island {
	t.Helper()
	i := &island{streams: map[string]*parleytest.Stream{}}
	i.a, i.b, i.way = behindProxy(t, nil)
	i.owner = parleytest.SignIn(t, i.b, "owner")
	i.ada, i.bob = parleytest.SignIn(t, i.a, "ada"), parleytest.SignIn(t, i.a, "bob")
	i.room = i.owner.CreateRoom(t, "Island", "ada", "bob")
	for _, who := range []*parleytest.Client{i.ada, i.bob} {
		for transport, subscribe := range transports {
			s := parleytest.MustSubscribe(t, subscribe, who, follow(messageAdded, i.room, ""))
			s.Position(t)
			i.streams[who.User+" "+transport] = s
		}
		s := parleytest.MustSubscribe(t, parleytest.OverWS, who, parleytest.Operation{Query: typingIn, Variables: map[string]any{"room": i.room}})
		s.Next(t)
		i.streams[who.User+" typing"] = s
	}
	return i
}

// goesOnWithout: while the node is cut off, messages are sent at the other one, and bob is removed.
// Nobody hears of it.
func (i *island) goesOnWithout(t *testing.T) {
	t.Helper()
	parleytest.Eventually(t, "the node isn't ready", func() bool { return i.a.Status("/readyz") == 503 })
	parleytest.Eventually(t, "the node is cut off, also from what it began to watch a moment ago", func() bool {
		return i.a.Metric(t, "parley_store_silence_seconds") > cutoff.Seconds()+2
	})
	i.owner.MustSend(t, i.room, "one")
	i.types(t)
	i.owner.MustSend(t, i.room, "two")
	i.owner.Must(t, `mutation($room: ID!) { removeMember(input: {roomId: $room, userId: "bob"}) { room { id } } }`, map[string]any{"room": i.room})
	i.owner.MustSend(t, i.room, "three")
	i.types(t)
	var all sync.WaitGroup
	for name, s := range i.streams {
		all.Go(func() { quiet(t, name, s, time.Second) })
	}
	all.Wait()
}

func (i *island) types(t *testing.T) {
	t.Helper()
	i.owner.Must(t, setTyping, map[string]any{"room": i.room, "on": true})
}

// heal: the streams go on where they were, bob's to where he was removed.
func (i *island) heal(t *testing.T) {
	t.Helper()
	for who, contents := range map[string][]string{"ada": {"one", "two", "three"}, "bob": {"one", "two"}} {
		for transport := range transports {
			s := i.streams[who+" "+transport]
			for _, want := range contents {
				if got := s.Next(t).Result.Text("messageAdded", "content"); got != want {
					t.Errorf("%s %s: %q instead of %q", who, transport, got, want)
				}
			}
		}
	}
	for _, by := range append(slices.Collect(maps.Keys(transports)), "typing") {
		name := "bob " + by
		if f := i.streams[name].Next(t); f.Result.Code() != "FORBIDDEN" {
			t.Errorf("%s: %s %+v instead of FORBIDDEN", name, f.Result.Data, f)
		}
	}
}

// TestTroubleCutOff: a node loses its way to Redis, wholly or in part, for longer than PARLEY_CUTOFF. Its
// subscriptions stay and hear nothing; then they go on from the log without gap or duplicate, and one
// who was removed meanwhile hears of nothing after that.
func TestTroubleCutOff(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct{ break_, mend func(*parleytest.Way) }{
		"reads fail, hints come": {
			func(p *parleytest.Way) { p.Hold(parleytest.Ways{Answers: true}) },
			func(p *parleytest.Way) { p.Hold(parleytest.Ways{}) },
		},
		"nothing comes": {
			func(p *parleytest.Way) { p.Hold(parleytest.Ways{Answers: true, Hints: true}) },
			func(p *parleytest.Way) { p.Hold(parleytest.Ways{}) },
		},
		"connections are refused": {
			func(p *parleytest.Way) { p.Refuse(true) },
			func(p *parleytest.Way) { p.Refuse(false) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := startIsland(t)
			fault.break_(i.way)
			i.goesOnWithout(t)
			begun := time.Now()
			if result, err := i.ada.Send(t.Context(), i.room, "nowhere", ""); err != nil || result.Code() != "UNAVAILABLE" {
				t.Errorf("sending while cut off: %+v, %v", result, err)
			}
			answered := time.Since(begun)

			fault.mend(i.way)
			mended := time.Now()
			i.a.WaitReady()
			i.heal(t)
			t.Logf("UNAVAILABLE after %v; all healed %v after the way was free", answered.Round(time.Millisecond), time.Since(mended).Round(time.Millisecond))
			i.types(t)
			typing := i.streams["ada typing"]
			for users, _ := typing.Next(t).Result.At("typing", "users").([]any); len(users) == 0; {
				users, _ = typing.Next(t).Result.At("typing", "users").([]any)
			}
		})
	}
}

// TestTroublePaused: Redis stands still, with all connections open, for longer than PARLEY_CUTOFF.
func TestTroublePaused(t *testing.T) {
	t.Parallel()
	c := startCluster(t, map[string]string{"PARLEY_CUTOFF": cutoff.String(), "PARLEY_RATE_LIMITS": "off"})
	c.populate(t)
	l := c.sendDuring(t, parleytest.Scale(300, 3000), func() {
		parleytest.Eventually(t, "some were seen", func() bool { return c.readers["ws at A, messageAdded"].count() > 50 })
		c.redis.Freeze()
		defer c.redis.Thaw()
		for name, n := range map[string]*parleytest.Node{"A": c.a, "B": c.b} {
			parleytest.Eventually(t, name+" isn't ready", func() bool { return n.Status("/readyz") == 503 })
			parleytest.Eventually(t, name+" is cut off", func() bool { return n.Metric(t, "parley_store_silence_seconds") > cutoff.Seconds() })
		}
	})
	c.check(t, l)
	for name, r := range c.readers {
		if r.returns > 0 {
			t.Errorf("%s had to come back %d times", name, r.returns)
		}
	}
	t.Logf("%d attempts answered UNAVAILABLE and were repeated", l.refused)
}

// TestTroubleSlow: Redis answers slowly, then not at all. Calls beyond those that may wait are answered
// UNAVAILABLE at once, the others within the bound of a call, and nothing piles up.
func TestTroubleSlow(t *testing.T) {
	t.Parallel()
	a, b, way := behindProxy(t, map[string]string{"PARLEY_STORE_QUEUE": "20"})
	owner := parleytest.SignIn(t, b, "owner")
	ada := parleytest.SignIn(t, a, "ada")
	room := owner.CreateRoom(t, "Molasses", "ada")
	r := &reader{subscribe: parleytest.OverWS, client: func() *parleytest.Client { return owner }, query: messageAdded, field: "messageAdded", room: room}
	r.start(t)
	ada.MustSend(t, room, "before")
	before := measure(t, a)
	n := parleytest.Scale(200, 2000)
	flood := func() (sent, refused int, slowest time.Duration) {
		var ok, no, longest atomic.Int64
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				begun := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				switch result, err := ada.Send(ctx, room, "flood", ""); {
				case err != nil:
					t.Error(err)
				case len(result.Errors) == 0:
					ok.Add(1)
				case result.Code() == "UNAVAILABLE":
					no.Add(1)
				default:
					t.Errorf("%+v", result.Errors)
				}
				for took := int64(time.Since(begun)); ; {
					if was := longest.Load(); took <= was || longest.CompareAndSwap(was, took) {
						return
					}
				}
			})
		}
		all.Wait()
		return int(ok.Load()), int(no.Load()), time.Duration(longest.Load())
	}
	way.Delay(500 * time.Millisecond)
	sent, refused, slowest := flood()
	t.Logf("slow: %d sent, %d refused, the slowest answer after %v", sent, refused, slowest.Round(time.Millisecond))
	if sent == 0 || refused == 0 {
		t.Error("a slow store should serve some and refuse some")
	}
	way.Hold(parleytest.Ways{Answers: true})
	sent, refused, slowest = flood()
	t.Logf("silent: %d sent, %d refused, the slowest answer after %v", sent, refused, slowest.Round(time.Millisecond))
	if refused == 0 || slowest > 15*time.Second {
		t.Error("a store that doesn't answer should refuse all, soon")
	}
	if shed := a.Metric(t, "parley_store_shed_total"); shed == 0 {
		t.Error("none was refused at once")
	}
	way.Delay(0)
	way.Hold(parleytest.Ways{})
	a.WaitReady()
	ada.MustSend(t, room, "after")
	parleytest.Eventually(t, "the reader has seen the last one", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.seen) > 0 && r.seen[len(r.seen)-1] == "after"
	})
	nothingLeft(t, a, before)
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"parley/bench/report"
	"parley/bench/swarm"
)

// crowd is all who follow and publish, and what they have received.
type crowd struct {
	plan       plan
	begun      time.Time
	swarm      *swarm.Swarm
	rooms      []*room
	followers  []*follower
	publishers []publisher
	// window is what is measured now; nil for nothing.
	window atomic.Pointer[window]
	// ended are connections that the server ended.
	ended atomic.Int64
	// refused is the first that a server said of an error.
	refused atomic.Pointer[string]
}

// window is what was received during a measurement.
type window struct {
	deliveries atomic.Int64
	latency    histogram
	// slow is the same of those who are stopped at times.
	slow histogram
}

// room is what was sent to one.
type room struct {
	number int
	sent   atomic.Int64
	// unready are the subscriptions that no probe has reached yet.
	unready atomic.Int64
	mu      sync.Mutex
	// awaited are messages whose sender waits until all have them.
	awaited map[int64]*awaited
}

type awaited struct {
	missing int
	done    chan struct{}
}

// follower is one connection.
type follower struct {
	crowd  *crowd
	member *swarm.Member
	slow   bool
	gone   atomic.Bool // the server has ended it
	mu     sync.Mutex
	tracks []track
}

// track is what one connection received of one room.
type track struct {
	room  *room
	ready bool
	// seen are the numbers received, a bit each.
	seen       []uint64
	received   int64
	duplicates int64
	// order is the same for two who received the same in the same order.
	order uint64
}

// newCrowd is a crowd whose connections aren't open yet.
func newCrowd(plan plan) *crowd {
	c := &crowd{plan: plan, begun: time.Now(), rooms: make([]*room, plan.rooms), followers: make([]*follower, plan.connections)}
	for i := range c.rooms {
		c.rooms[i] = &room{number: i, awaited: map[int64]*awaited{}}
		c.rooms[i].unready.Store(int64(plan.followers))
	}
	for i := range c.followers {
		c.followers[i] = &follower{crowd: c}
		for _, number := range plan.roomsOf(i) {
			c.followers[i].tracks = append(c.followers[i].tracks, track{room: c.rooms[number]})
		}
	}
	return c
}

// assemble opens the plan's connections to the server, whose subscriptions need not be live yet.
func (r *rig) assemble(ctx context.Context, plan plan) (*crowd, error) {
	c := newCrowd(plan)
	var err error
	if c.swarm, err = swarm.New(r.threads); err != nil {
		return nil, err
	}
	d, decoder := dialer(plan.receive), r.server.decoder()
	err = together(64, plan.connections, func(i int) error {
		conn, rest, err := r.server.follow(ctx, d, i, plan.roomsOf(i))
		if err == nil {
			c.followers[i].member, err = c.swarm.Add(conn, rest, decoder, c.followers[i])
		}
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		return nil
	})
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *crowd) close() {
	c.swarm.Close()
	for _, p := range c.publishers {
		p.close()
	}
}

// dialPublishers opens connections to send on.
func (c *crowd) dialPublishers(ctx context.Context, s *server, n int) error {
	for range n {
		p, err := s.publisher(ctx)
		if err != nil {
			return fmt.Errorf("publisher: %w", err)
		}
		c.publishers = append(c.publishers, p)
	}
	return nil
}

// sent counts the messages sent to all rooms.
func (c *crowd) sent() (n int64) {
	for _, r := range c.rooms {
		n += r.sent.Load()
	}
	return n
}

// now is the time in stamps.
func (c *crowd) now() time.Duration { return time.Since(c.begun) }

// Received takes the messages in what a connection was sent.
func (f *follower) Received(text []byte, at time.Time) {
	for first := true; ; first = false {
		s, rest, found := nextStamp(text)
		if first && !found && bytes.Contains(text, []byte(`"error`)) {
			refusal := string(text)
			f.crowd.refused.CompareAndSwap(nil, &refusal)
		}
		if !found {
			return
		}
		f.take(s, at.Sub(f.crowd.begun))
		text = rest
	}
}

func (f *follower) take(s stamp, at time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.tracks {
		t := &f.tracks[i]
		if t.room.number != s.room {
			continue
		}
		if s.number == 0 {
			if !t.ready {
				t.ready = true
				t.room.unready.Add(-1)
			}
			return
		}
		if !t.take(s.number) {
			return
		}
		if w := f.crowd.window.Load(); w != nil {
			w.deliveries.Add(1)
			if f.slow {
				w.slow.add(at - s.sent)
			} else {
				w.latency.add(at - s.sent)
			}
		}
		t.room.reached(s.number)
		return
	}
}

// take says whether a number is new.
func (t *track) take(number int64) bool {
	word, bit := int(number/64), uint64(1)<<(number%64)
	for len(t.seen) <= word {
		t.seen = append(t.seen, 0)
	}
	if t.seen[word]&bit != 0 {
		t.duplicates++
		return false
	}
	t.seen[word] |= bit
	t.received++
	t.order = (t.order ^ uint64(number)) * 0x100000001b3 // FNV-1a, a number at a time
	return true
}

// Ended counts the connections that the server ended.
func (f *follower) Ended(err error) {
	f.gone.Store(true)
	f.crowd.ended.Add(1)
	why := "ended: " + err.Error()
	f.crowd.refused.CompareAndSwap(nil, &why)
}

// reached says that one more has a message.
func (r *room) reached(number int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.awaited[number]; m != nil {
		if m.missing--; m.missing == 0 {
			close(m.done)
		}
	}
}

// send publishes a room's next message.
func (c *crowd) send(to publisher, r *room, size int) (number int64, err error) {
	number = r.sent.Add(1)
	return number, to.publish(r.number, stamp{r.number, number, c.now()}.content(size))
}

// sendToAll publishes a room's next message, and waits until all have it. That it takes too long is no
// error: the loss will be counted.
func (c *crowd) sendToAll(to publisher, r *room, size int) error {
	m := &awaited{missing: c.plan.followers, done: make(chan struct{})}
	r.mu.Lock()
	number := r.sent.Add(1)
	r.awaited[number] = m
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.awaited, number)
	}()
	if err := to.publish(r.number, stamp{r.number, number, c.now()}.content(size)); err != nil {
		return err
	}
	select {
	case <-m.done:
	case <-time.After(10 * time.Second):
	}
	return nil
}

// probe sends messages that don't count until every subscription has received one, and so is live.
func (c *crowd) probe() error {
	return together(len(c.publishers), len(c.publishers), func(p int) error {
		for number := p; number < len(c.rooms); number += len(c.publishers) {
			if err := c.probeRoom(c.publishers[p], c.rooms[number]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *crowd) probeRoom(to publisher, r *room) error {
	for range 20 {
		if err := to.publish(r.number, stamp{room: r.number}.content(contentSize)); err != nil {
			return fmt.Errorf("probe: %w", err)
		}
		for wait := time.Now(); time.Since(wait) < time.Second; time.Sleep(200 * time.Microsecond) {
			if r.unready.Load() == 0 {
				return nil
			}
		}
		if refusal := c.refused.Load(); refusal != nil {
			return fmt.Errorf("room %d: %d of %d subscriptions aren't live: %s", r.number, r.unready.Load(), c.plan.followers, *refusal)
		}
	}
	return fmt.Errorf("room %d: %d of %d subscriptions never became live", r.number, r.unready.Load(), c.plan.followers)
}

// account is what came of all that was sent.
type account struct {
	lost, duplicated int64
	// disordered are subscriptions that received a room's messages in another order than another one, or not all.
	disordered int64
	// ended are connections that the server ended.
	ended int64
}

func (a account) into(v report.Values) {
	v["lost"], v["duplicated"], v["disordered"], v["ended"] = float64(a.lost), float64(a.duplicated), float64(a.disordered), float64(a.ended)
}

// settle waits until all have everything, as long as something still comes, and closes the account.
func (c *crowd) settle() account {
	for before, still := int64(-1), time.Now(); time.Since(still) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
		a, received := c.count()
		if a.lost == 0 {
			return a
		}
		if received != before {
			before, still = received, time.Now()
		}
	}
	a, _ := c.count()
	return a
}

func (c *crowd) count() (a account, received int64) {
	orders := map[*room]uint64{}
	a.ended = c.ended.Load()
	for _, f := range c.followers {
		f.mu.Lock()
		for _, t := range f.tracks {
			received += t.received
			a.lost += t.room.sent.Load() - t.received
			a.duplicated += t.duplicates
			if order, known := orders[t.room]; !known {
				orders[t.room] = t.order
			} else if order != t.order {
				a.disordered++
			}
		}
		f.mu.Unlock()
	}
	return a, received
}

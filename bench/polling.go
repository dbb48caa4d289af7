package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"parley/bench/report"
)

// polling is clients that ask now and then what is new, beside a stream or instead of one.
type polling struct {
	traffic
	// every is how often each asks; 0 for never.
	every time.Duration
	// stream says that each has an event stream, too.
	stream bool
}

// clientsPerConnection share a connection for what they ask, as behind a proxy: it is less work for the server
// than one each.
const clientsPerConnection = 10

const pollQuery = `query ($room: ID!, $after: Cursor) { roomEvents(roomId: $room, after: $after, first: 50) {` +
	` events { ... on MessageSent { message { ` + messageFields + ` } } } cursor reset pollAfterSeconds } }`

func (w polling) run(ctx context.Context, r *rig) (report.Values, error) {
	parley, is := r.server.protocol.(parleyEvents)
	if !is {
		return nil, fmt.Errorf("%T doesn't poll", r.server.protocol)
	}
	streams := r.plan
	if !w.stream {
		streams.connections = 0
	}
	c, err := w.assemble(ctx, r, streams)
	if err != nil {
		return nil, err
	}
	defer c.close()
	p := &pollers{parley: parley, every: w.every, plan: r.plan}
	if !w.stream {
		p.receive = c.join(r.plan)
	}
	stopPolling, err := p.start(ctx)
	if err != nil {
		return nil, err
	}
	stopSending := w.start(ctx, c)
	time.Sleep(w.warmUp)
	requests, polled := p.requests.Load(), p.bytes.Load()
	m, err := r.during(c, w.traffic.during)
	requests, polled = p.requests.Load()-requests, p.bytes.Load()-polled
	err = errors.Join(err, stopSending())
	time.Sleep(w.every) // so that each asks once more
	a := c.settle()
	if err := errors.Join(err, stopPolling()); err != nil {
		return nil, err
	}
	values := m.values(a)
	values["requests"] = float64(requests) / m.seconds()
	values["kilobytes"] = float64(polled+m.after.bytes-m.before.bytes) / 1024 / m.seconds()
	values["redisShare"] = m.share(m.after.redis.since(m.before.redis).cpu)
	return values, nil
}

// join gives a crowd followers without connections, who take what pollers receive.
func (c *crowd) join(plan plan) []*follower {
	with := newCrowd(plan)
	c.followers = with.followers
	for _, f := range c.followers {
		f.crowd = c
		for i := range f.tracks {
			f.tracks[i].room = c.rooms[f.tracks[i].room.number]
		}
	}
	return c.followers
}

// pollers are all clients that poll.
type pollers struct {
	parley parleyEvents
	every  time.Duration
	plan   plan
	// receive takes what the clients receive, by number; nil if nobody wants it.
	receive         []*follower
	requests, bytes atomic.Int64
	// started are those who have a cursor.
	started atomic.Int64
}

// poller is one client.
type poller struct {
	number       int
	head, cursor string
}

// start has all poll until stop is called, and returns once each knows where it stands.
func (p *pollers) start(ctx context.Context) (stop func() error, err error) {
	if p.every == 0 {
		return func() error { return nil }, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	polling := make(chan error, 1)
	go func() { polling <- p.run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-polling
	})
	for end := time.Now().Add(p.every + patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if p.started.Load() == int64(p.plan.connections) {
			return stop, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("only %d of %d clients have polled", p.started.Load(), p.plan.connections), stop())
}

// run has all poll until the context ends.
func (p *pollers) run(ctx context.Context) error {
	connections := (p.plan.connections + clientsPerConnection - 1) / clientsPerConnection
	return together(connections, connections, func(i int) error {
		s, err := dialHTTP(ctx, p.parley.addr)
		if err != nil {
			return err
		}
		defer s.close()
		var clients []*poller
		for n := i; n < p.plan.connections; n += connections {
			clients = append(clients, &poller{number: n, head: p.parley.server.head(user(n), "application/json")})
		}
		pause := p.every / time.Duration(len(clients))
		next := time.Now().Add(pause * time.Duration(i) / time.Duration(connections))
		for turn := 0; ctx.Err() == nil; turn++ {
			time.Sleep(time.Until(next))
			next = next.Add(pause)
			if err := p.poll(s, clients[turn%len(clients)]); err != nil {
				return fmt.Errorf("poll: %w", err)
			}
		}
		return nil
	})
}

// poll asks once.
func (p *pollers) poll(s *httpSession, client *poller) error {
	room := p.plan.roomsOf(client.number)[0]
	body := request{pollQuery, map[string]string{"room": p.parley.roomID(room), "after": client.cursor}}.String()
	before := s.bytes
	answer, err := s.exchange(client.head, body)
	if err != nil {
		return err
	}
	p.requests.Add(1)
	p.bytes.Add(s.bytes - before)
	if p.receive != nil {
		p.receive[client.number].Received(answer, time.Now())
	}
	if client.cursor == "" {
		defer p.started.Add(1)
	}
	client.cursor, err = cursorIn(answer)
	return err
}

// cursorIn finds the page's cursor, which stands behind the events.
func cursorIn(answer []byte) (string, error) {
	at := bytes.LastIndex(answer, []byte(`"cursor":`))
	if at < 0 {
		return "", fmt.Errorf("an answer without a cursor: %.200s", answer)
	}
	var cursor string
	err := json.NewDecoder(bytes.NewReader(answer[at+len(`"cursor":`):])).Decode(&cursor)
	return cursor, err
}

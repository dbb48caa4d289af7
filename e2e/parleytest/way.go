package parleytest

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// Way stands between a node and its Redis, and spoils the way.
type Way struct {
	// Addr is where the node connects.
	Addr string

	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	links   map[*passage]bool
	delay   time.Duration
	held    Ways
	refuses bool
	closed  bool
}

// Ways are ways from Redis to the node.
type Ways struct {
	// Answers to commands, Hints over pub/sub.
	Answers, Hints bool
}

// passage is one connection through the proxy.
type passage struct {
	node, redis net.Conn
	// hints says that the node has subscribed over it.
	hints bool
}

// StartWay starts a proxy to an address and stops it when the test ends.
func StartWay(t testing.TB, target string) *Way {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Way{Addr: l.Addr().String(), target: target, listener: l, links: map[*passage]bool{}}
	p.changed = sync.NewCond(&p.mu)
	p.running.Go(p.accept)
	t.Cleanup(func() {
		p.set(func() { p.closed = true })
		_ = l.Close()
		p.Cut()
		p.running.Wait()
	})
	return p
}

func (p *Way) set(change func()) {
	p.mu.Lock()
	change()
	p.mu.Unlock()
	p.changed.Broadcast()
}

// Hold keeps back what comes from Redis on some ways; what goes there still arrives.
func (p *Way) Hold(ways Ways) { p.set(func() { p.held = ways }) }

// Delay makes each piece from Redis arrive so much later.
func (p *Way) Delay(d time.Duration) { p.set(func() { p.delay = d }) }

// Refuse closes what comes, and whatever there is; or takes connections again.
func (p *Way) Refuse(refuses bool) {
	p.set(func() { p.refuses = refuses })
	if refuses {
		p.Cut()
	}
}

// Cut closes all connections.
func (p *Way) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		_, _ = l.node.Close(), l.redis.Close()
	}
}

func (p *Way) accept() {
	for {
		node, err := p.listener.Accept()
		if err != nil {
			return
		}
		redis, err := net.Dial("tcp", p.target)
		p.mu.Lock()
		refuses := p.refuses || p.closed || err != nil
		l := &passage{node: node, redis: redis}
		if !refuses {
			p.links[l] = true
		}
		p.mu.Unlock()
		if refuses {
			_ = node.Close()
			if err == nil {
				_ = redis.Close()
			}
			continue
		}
		p.running.Go(func() { p.forward(l) })
	}
}

func (p *Way) forward(l *passage) {
	var back sync.WaitGroup
	back.Go(func() { p.pump(l.redis, l.node, func([]byte) { p.wait(l) }) })
	p.pump(l.node, l.redis, func(b []byte) {
		if bytes.Contains(bytes.ToLower(b), []byte("subscribe\r\n")) {
			p.set(func() { l.hints = true })
		}
	})
	back.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// pump copies until either side is closed, and closes the other.
func (p *Way) pump(from, to net.Conn, before func([]byte)) {
	defer func() { _, _ = from.Close(), to.Close() }()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		before(b[:n])
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// wait holds back a piece that came from Redis for as long as that is wished.
func (p *Way) wait(l *passage) {
	p.mu.Lock()
	delay := p.delay
	p.mu.Unlock()
	time.Sleep(delay) // the slowness itself
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed && (l.hints && p.held.Hints || !l.hints && p.held.Answers) {
		p.changed.Wait()
	}
}

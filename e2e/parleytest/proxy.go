package parleytest

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy stands between clients and nodes as a load balancer without affinity: each connection goes
// to the next node in turn. It can cut what it carries, anywhere in a frame.
type Proxy struct {
	// URL is what clients connect to, as they would to a node.
	URL string

	listener net.Listener
	nodes    []string
	carrying sync.WaitGroup

	mu     sync.Mutex
	down   bool
	turn   int
	links  map[*link]struct{}
	closed bool
}

// cutBytes and cutTime bound what still passes a connection that is to be cut: a frame or two.
const (
	cutBytes = 800
	cutTime  = 200 * time.Millisecond
)

// StartProxy starts a proxy before nodes, which ends with the test.
func StartProxy(t testing.TB, nodes ...*Node) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{URL: "http://" + l.Addr().String(), listener: l, links: map[*link]struct{}{}}
	for _, n := range nodes {
		p.nodes = append(p.nodes, strings.TrimPrefix(n.URL, "http://"))
	}
	p.carrying.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		_ = l.Close()
		p.cut(func(l *link) { l.close() })
		p.carrying.Wait()
	})
	return p
}

// Cut cuts every connection, each after a random number of bytes of what the server sends next; one
// that carries nothing soon.
func (p *Proxy) Cut() {
	p.cut(func(l *link) {
		l.mu.Lock()
		l.left = rand.IntN(cutBytes)
		l.mu.Unlock()
		time.AfterFunc(cutTime, l.close)
	})
}

// Silence lets every connection stand without carrying anything more, as a network does that has gone
// away. New ones are carried.
func (p *Proxy) Silence() {
	p.cut(func(l *link) { l.silent.Store(true) })
}

// Down cuts every connection, and refuses new ones until Up.
func (p *Proxy) Down() {
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	p.cut(func(l *link) { l.close() })
}

// Up ends Down.
func (p *Proxy) Up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

func (p *Proxy) cut(how func(*link)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		how(l)
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.carrying.Go(func() { p.carry(client) })
		}
	}
}

// carry connects a client with the next node until one of them, or the proxy, has enough.
func (p *Proxy) carry(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	node := p.nodes[p.turn%len(p.nodes)]
	p.turn++
	down := p.down
	p.mu.Unlock()
	if down {
		return
	}
	server, err := net.DialTimeout("tcp", node, time.Second)
	if err != nil {
		return
	}
	l := &link{client: client, server: server, done: make(chan struct{}), left: -1}
	defer l.close()
	if !p.add(l) {
		return
	}
	defer p.remove(l)
	var sending sync.WaitGroup
	sending.Go(func() {
		_, _ = io.Copy(upstream{l}, client)
		l.close()
	})
	_, _ = io.Copy(downstream{l}, server)
	l.close()
	sending.Wait()
}

func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.down {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// link is one client's connection to one node.
type link struct {
	client, server net.Conn
	silent         atomic.Bool
	closing        sync.Once
	done           chan struct{}

	mu   sync.Mutex
	left int // bytes to the client until the cut; -1 for no cut
}

func (l *link) close() {
	l.closing.Do(func() {
		close(l.done)
		_ = l.client.Close()
		_ = l.server.Close()
	})
}

// upstream writes to a link's node.
type upstream struct{ *link }

func (l upstream) Write(b []byte) (int, error) {
	if l.silent.Load() {
		<-l.done
		return 0, net.ErrClosed
	}
	return l.server.Write(b)
}

// downstream writes to a link's client, up to the cut.
type downstream struct{ *link }

func (l downstream) Write(b []byte) (int, error) {
	if l.silent.Load() {
		<-l.done
		return 0, net.ErrClosed
	}
	l.mu.Lock()
	left := l.left
	if left >= 0 {
		l.left = max(0, left-len(b))
	}
	l.mu.Unlock()
	if left < 0 || left > len(b) {
		return l.client.Write(b)
	}
	n, _ := l.client.Write(b[:left])
	if left%2 == 0 {
		// A reset instead of an end, as when the machine has forgotten the connection.
		_ = l.client.(*net.TCPConn).SetLinger(0)
	}
	l.close()
	return n, net.ErrClosed
}

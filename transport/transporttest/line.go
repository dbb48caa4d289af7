package transporttest

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// line is the network between clients and a rig's server, which fails as networks do.
type line struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	changed  *sync.Cond
	passages map[*passage]bool
	still    bool
	// up and down are how many bytes a connection carries to the server and back before it is cut; negative for any.
	up, down int
	over     bool
}

// passage is one connection.
type passage struct {
	client, server *net.TCPConn
	abandoned      bool
}

// lineBuffer is about how much a line holds on the way from the server, beside the kernel's own.
const lineBuffer = 128 << 10

// newLine has clients reach a rig's server by a line, which ends with the test.
func newLine(t testing.TB, rig *Rig) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{target: rig.Server.Listener.Addr().String(), listener: listener, passages: map[*passage]bool{}, up: -1, down: -1}
	l.changed = sync.NewCond(&l.mu)
	rig.Server.URL = strings.Replace(rig.Server.URL, l.target, listener.Addr().String(), 1)
	l.running.Go(l.accept)
	t.Cleanup(func() {
		l.set(func() { l.over = true })
		_ = listener.Close()
		l.end(false)
		l.running.Wait()
	})
	return l
}

func (l *line) set(change func()) {
	l.mu.Lock()
	change()
	l.mu.Unlock()
	l.changed.Broadcast()
}

// hold keeps everything where it is, or lets it go on.
func (l *line) hold(still bool) { l.set(func() { l.still = still }) }

// limit has later connections cut after so many bytes to the server, or back; a negative number is any.
func (l *line) limit(up, down int) { l.set(func() { l.up, l.down = up, down }) }

// cut ends all connections, and both sides are told.
func (l *line) cut() { l.end(false) }

// reset ends all connections as a middlebox does that has forgotten them.
func (l *line) reset() { l.end(true) }

func (l *line) end(reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.passages {
		p.end(reset)
	}
}

func (p *passage) end(reset bool) {
	if reset {
		_, _ = p.client.SetLinger(0), p.server.SetLinger(0)
	}
	_, _ = p.client.Close(), p.server.Close() // one may have gone before
}

// abandon ends all connections for the clients, while the server isn't told: from now on nobody takes what it sends.
func (l *line) abandon() {
	l.set(func() {
		for p := range l.passages {
			p.abandoned = true
			_ = p.client.Close() // it may have gone before
		}
	})
}

func (l *line) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", l.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p := &passage{client: client.(*net.TCPConn), server: server.(*net.TCPConn)}
		_ = p.server.SetReadBuffer(lineBuffer) // else it would grow with what comes
		up, down := -1, -1
		l.set(func() { l.passages[p], up, down = true, l.up, l.down })
		l.running.Go(func() { l.carry(p, up, down) })
	}
}

func (l *line) carry(p *passage, up, down int) {
	var back sync.WaitGroup
	back.Go(func() { l.pump(p, p.server, p.client, down) })
	l.pump(p, p.client, p.server, up)
	back.Wait()
	l.set(func() { delete(l.passages, p) })
	p.end(false)
}

// pump carries bytes until either side ends or the most are carried, and passes the end on.
func (l *line) pump(p *passage, from, to *net.TCPConn, most int) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if !l.waits(p) {
			return
		}
		if most >= 0 {
			n = min(n, most)
			most -= n
		}
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				p.end(false)
				return
			}
		}
		if err != nil || most == 0 {
			p.end(false)
			return
		}
	}
}

// waits blocks while the line stands still; false means that the passage is abandoned, and its server waits until the
// line's end.
func (l *line) waits(p *passage) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for (l.still || p.abandoned) && !l.over {
		l.changed.Wait()
	}
	return !p.abandoned
}

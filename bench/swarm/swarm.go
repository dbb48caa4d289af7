// Package swarm reads from very many connections at the least cost: a few threads wait on epoll, read each ready
// connection once into a buffer they share, and decode in place. An idle member costs a hundred bytes. Linux only,
// like all of this module, which measures by /proc.
package swarm

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"parley/bench/wire"
)

const (
	readSize = 256 << 10
	// batch is how many ready connections are asked for at once.
	batch = 512
	// patience is how often a thread looks whether the swarm has been closed, in milliseconds.
	patience = 100
)

// Sink takes what one member receives, one message at a time.
type Sink interface {
	// Received takes a message, which holds until it returns, and when it was read.
	Received(text []byte, at time.Time)
	// Ended says that the member's connection ended, unless the swarm was closed.
	Ended(err error)
}

// Swarm is a number of members.
type Swarm struct {
	loops []*loop
	next  atomic.Int64
	bytes atomic.Int64
	done  sync.WaitGroup
}

// Member is one connection.
type Member struct {
	loop    *loop
	fd      int
	decoder wire.Decoder
	sink    Sink
	// rest is what was received of the message whose end isn't there yet. While nobody sends it is nil.
	rest []byte
}

// loop is one thread's share of the members.
type loop struct {
	swarm  *Swarm
	epoll  int
	closed atomic.Bool
	mu     sync.RWMutex
	all    []*Member // by number, nil once they have ended
}

// New returns a swarm read by so many threads.
func New(threads int) (*Swarm, error) {
	s := &Swarm{}
	for range threads {
		epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("epoll: %w", err)
		}
		l := &loop{swarm: s, epoll: epoll}
		s.loops = append(s.loops, l)
		s.done.Go(l.run)
	}
	return s, nil
}

// Close ends all members' connections at once, with a reset, so that their ports are free again.
func (s *Swarm) Close() {
	for _, l := range s.loops {
		l.closed.Store(true)
	}
	s.done.Wait()
	for _, l := range s.loops {
		for _, m := range l.all {
			if m != nil {
				m.end()
			}
		}
		_ = syscall.Close(l.epoll) // nothing is left in it
	}
}

// Bytes is how much has been read so far.
func (s *Swarm) Bytes() int64 { return s.bytes.Load() }

// Add takes a connection over, and what was read from it already.
func (s *Swarm) Add(conn *net.TCPConn, rest []byte, d wire.Decoder, sink Sink) (*Member, error) {
	fd, err := takeOver(conn)
	if err != nil {
		return nil, fmt.Errorf("take a connection over: %w", err)
	}
	l := s.loops[int(s.next.Add(1))%len(s.loops)]
	m := &Member{loop: l, fd: fd, decoder: d, sink: sink}
	if err := m.decode(rest, time.Now()); err != nil {
		m.end()
		return nil, err
	}
	return m, l.add(m)
}

// takeOver takes the socket out of the runtime's own epoll.
func takeOver(conn *net.TCPConn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(old uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if fd, failed = syscall.Dup(int(old)); failed == nil {
			syscall.CloseOnExec(fd)
			failed = syscall.SetNonblock(fd, true)
		}
	})
	return fd, errors.Join(err, failed, conn.Close())
}

func (l *loop) add(m *Member) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	number := len(l.all)
	l.all = append(l.all, m)
	return syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, m.fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(number), Pad: 0})
}

func (l *loop) member(number int) *Member {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.all[number]
}

func (l *loop) run() {
	buf, ready := make([]byte, readSize), make([]syscall.EpollEvent, batch)
	for !l.closed.Load() {
		n, err := syscall.EpollWait(l.epoll, ready, patience)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			panic(fmt.Sprintf("epoll_wait: %v", err)) // only a mistake here can cause it
		}
		for _, event := range ready[:max(0, n)] {
			m := l.member(int(event.Fd))
			if err := m.read(buf); err != nil {
				l.mu.Lock()
				l.all[event.Fd] = nil
				l.mu.Unlock()
				m.end()
				m.sink.Ended(err)
			}
		}
	}
}

// read takes what has arrived, as far as it goes into buf; epoll tells again of what is left.
func (m *Member) read(buf []byte) error {
	had := copy(buf, m.rest)
	n, err := syscall.Read(m.fd, buf[had:])
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return nil
	case err != nil:
		return err
	case n == 0 && had < len(buf):
		return io.EOF
	case n == 0:
		return fmt.Errorf("%w: a message of more than %d bytes", wire.ErrProtocol, len(buf))
	}
	m.loop.swarm.bytes.Add(int64(n))
	return m.decode(buf[:had+n], time.Now())
}

// decode hands on the messages in received, and keeps what is left.
func (m *Member) decode(received []byte, at time.Time) error {
	for len(received) > 0 {
		size, message, err := m.decoder.Next(received)
		if err != nil {
			return err
		}
		if size == 0 {
			break
		}
		if message.Text != nil {
			m.sink.Received(message.Text, at)
		}
		if message.Reply != nil {
			if _, err := syscall.Write(m.fd, message.Reply); err != nil {
				return fmt.Errorf("reply: %w", err)
			}
		}
		received = received[size:]
	}
	if len(received) == 0 {
		m.rest = nil
	} else {
		m.rest = append(m.rest[:0], received...)
	}
	return nil
}

// end closes the socket with a reset.
func (m *Member) end() {
	_ = syscall.SetsockoptLinger(m.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	_ = syscall.Close(m.fd)
}

// Pause stops reading from the member, as a client does that hangs.
func (m *Member) Pause() error { return m.watch(0) }

// Resume goes on.
func (m *Member) Resume() error { return m.watch(syscall.EPOLLIN) }

func (m *Member) watch(events uint32) error {
	m.loop.mu.Lock()
	defer m.loop.mu.Unlock()
	for number, other := range m.loop.all {
		if other == m {
			return syscall.EpollCtl(m.loop.epoll, syscall.EPOLL_CTL_MOD, m.fd, &syscall.EpollEvent{Events: events, Fd: int32(number)})
		}
	}
	return errors.New("the member has ended")
}

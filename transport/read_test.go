package transport_test

import (
	"bufio"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"parley/delivery"
	"parley/transport"
	"parley/transport/transporttest"
)

// TestWake: whatever comes while a reader is about to rest, somebody looks after that.
func TestWake(t *testing.T) {
	const rounds = 500_000
	var reading transport.Reading
	var sent, seen atomic.Int64
	awake := make(chan struct{}, 1)
	var running sync.WaitGroup
	defer running.Wait()
	defer close(awake)
	running.Go(func() {
		for range awake {
			for again := true; again; again = !reading.Rest() {
				seen.Store(sent.Load())
			}
		}
	})
	for !reading.Rest() {
	}
	for n := range int64(rounds) {
		sent.Store(n + 1)
		if reading.Wake() {
			awake <- struct{}{}
		}
		for begin := time.Now(); seen.Load() != n+1; runtime.Gosched() {
			if time.Since(begin) > transporttest.Patience {
				t.Fatalf("nobody looks after what came as number %d", n+1)
			}
		}
	}
}

// lateSocket is a socket that is tuned, before it is read from, only a while after its connection has said farewell.
type lateSocket struct {
	*net.TCPConn
	farewell chan struct{}
	once     sync.Once
}

func (s *lateSocket) SyscallConn() (syscall.RawConn, error) {
	raw, err := s.TCPConn.SyscallConn()
	return lateControl{raw, s}, err
}

func (s *lateSocket) SetReadDeadline(at time.Time) error {
	s.once.Do(func() { close(s.farewell) })
	return s.TCPConn.SetReadDeadline(at)
}

type lateControl struct {
	syscall.RawConn
	socket *lateSocket
}

func (c lateControl) Control(f func(fd uintptr)) error {
	<-c.socket.farewell
	time.Sleep(50 * time.Millisecond) // for the closing to come to where it waits for the peer
	return c.RawConn.Control(f)
}

// TestClosesBeforeItReads: a connection that closes before it has begun to read ends in time though its peer is silent.
func TestClosesBeforeItReads(t *testing.T) {
	service := transport.NewService(transport.Options{
		Hub: delivery.NewHub(nil, delivery.Options{}), CloseTimeout: 200 * time.Millisecond,
	})
	defer service.Close()
	near, far := tcpPair(t)
	socket := &lateSocket{TCPConn: near.(*net.TCPConn), farewell: make(chan struct{})}
	var running sync.WaitGroup
	defer running.Wait()
	defer func() { _ = far.Close() }()
	running.Go(func() {
		service.Connect(transport.Link{Protocol: "lines", Socket: socket, Wire: lineWire{}, Context: t.Context()})
	})
	transporttest.Wait(t, "it is there", func() bool { return service.Len() == 1 })
	running.Go(service.Close)
	if line, err := bufio.NewReader(far).ReadString('\n'); line != "end: "+transport.ReasonDrain.Text+"\n" {
		t.Errorf("got %q, %v", line, err)
	}
	transporttest.Wait(t, "it has ended", func() bool { return service.Len() == 0 })
}

// TestReadsNoMoreThanIsAnswered: of a peer that doesn't read the answers no more is read, until it does.
func TestReadsNoMoreThanIsAnswered(t *testing.T) {
	service := transport.NewService(transport.Options{Hub: delivery.NewHub(nil, delivery.Options{}), HighWater: 64 << 10})
	defer service.Close()
	near, far := tcpPair(t)
	defer func() { _ = far.Close() }()
	if _, ok := service.Connect(transport.Link{Protocol: "lines", Socket: near, Wire: lineWire{}, Context: t.Context()}); !ok {
		t.Fatal("not connected")
	}
	const most = 64 << 20 // far more than sockets and the outbox hold
	line := []byte(strings.Repeat("x", 1023) + "\n")
	written := 0
	for written < most {
		_ = far.SetWriteDeadline(time.Now().Add(time.Second)) // fails only when it is closed
		n, err := far.Write(line[written%len(line):])
		if written += n; err != nil {
			break
		}
	}
	if written == most {
		t.Error("all was read, and none of the answers taken")
	}
	_ = far.SetDeadline(time.Now().Add(transporttest.Patience))
	var writing sync.WaitGroup
	writing.Go(func() {
		if _, err := far.Write(line[written%len(line):]); err != nil {
			t.Error(err)
		}
	})
	in, want := bufio.NewReader(far), "echo "+string(line)
	for n := range written/len(line) + 1 {
		if got, err := in.ReadString('\n'); err != nil || got != want {
			t.Fatalf("answer %d: got %.20q, %v", n, got, err)
		}
	}
	writing.Wait()
}

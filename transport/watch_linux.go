package transport

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// watcher tells which of many sockets have something to read, without a goroutine for each: by epoll(7), edge-triggered,
// beside Go's own poller. That one watches the watcher, which therefore needs no thread. The zero watcher is ready.
type watcher struct {
	mu      sync.Mutex
	epoll   *os.File // nil before the first socket
	control syscall.RawConn
	conns   []*Conn // by file descriptor
	running sync.WaitGroup
}

// watchedEvents: that the peer has ended the connection is read like anything else.
const watchedEvents = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// maxEvents is how many sockets are told of at a time.
const maxEvents = 128

// watch has c.readable called whenever there is something new to read, from now on and at once if there is already; false
// means that this socket, or any, can't be watched. It is over when the socket is closed.
func (w *watcher) watch(c *Conn) bool {
	if !c.raw.usable() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.epoll == nil && w.open() != nil {
		return false
	}
	watched := false
	_ = c.raw.conn.Control(func(fd uintptr) { // fails only when the socket has been closed
		c.reader.fd = int32(fd)
		for len(w.conns) <= int(fd) {
			w.conns = append(w.conns, nil)
		}
		w.conns[fd] = c
		event := unix.EpollEvent{Events: watchedEvents, Fd: int32(fd)}
		_ = w.control.Control(func(epoll uintptr) {
			watched = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, int(fd), &event) == nil
		})
	})
	return watched
}

// forget gives up a connection whose socket isn't read any more.
func (w *watcher) forget(c *Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if fd := c.reader.fd; int(fd) < len(w.conns) && w.conns[fd] == c { // else it is another one's by now
		w.conns[fd] = nil
	}
}

func (w *watcher) open() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // by which os.NewFile knows that it can be waited for
		return errors.Join(err, unix.Close(fd))
	}
	file := os.NewFile(uintptr(fd), "epoll")
	control, err := file.SyscallConn()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	w.epoll, w.control = file, control
	w.running.Go(w.run)
	return nil
}

func (w *watcher) run() {
	events := make([]unix.EpollEvent, maxEvents)
	ready := make([]*Conn, 0, maxEvents)
	n := 0
	wait := func(epoll uintptr) bool {
		var err error
		for {
			if n, err = unix.EpollWait(int(epoll), events, 0); !errors.Is(err, unix.EINTR) {
				return n != 0 // -1 for an error, which closing ends
			}
		}
	}
	for w.control.Read(wait) == nil {
		ready = w.ofEvents(ready[:0], events[:max(n, 0)])
		for _, c := range ready {
			c.readable()
		}
		clear(ready)
	}
}

func (w *watcher) ofEvents(ready []*Conn, events []unix.EpollEvent) []*Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range events {
		if c := w.conns[e.Fd]; c != nil {
			ready = append(ready, c)
		}
	}
	return ready
}

func (w *watcher) close() {
	w.mu.Lock()
	epoll := w.epoll
	w.epoll = nil
	w.mu.Unlock()
	if epoll != nil {
		_ = epoll.Close() // there is nothing to lose
		w.running.Wait()
	}
}

// rawRead is one read after another. RawConn gets a function made once: it would have a new one allocated for each read.
type rawRead struct {
	bytes []byte
	n     int
	err   error
	once  func(fd uintptr) bool
}

func (r *rawRead) prepare() {
	r.once = func(fd uintptr) bool {
		for {
			if r.n, r.err = unix.Read(int(fd), r.bytes); !errors.Is(r.err, unix.EINTR) {
				return true
			}
		}
	}
}

// now reads what is there, and fails with errNothing where that is nothing.
func (r *rawRead) now(from rawSocket, bytes []byte) (int, error) {
	r.bytes = bytes
	defer func() { r.bytes = nil }()
	err := from.conn.Read(r.once)
	switch {
	case err != nil:
		return 0, err
	case errors.Is(r.err, unix.EAGAIN):
		return 0, errNothing
	case r.err != nil:
		return 0, r.err
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

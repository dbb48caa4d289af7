//go:build unix

package transport

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// rawSocket is a socket that can be written to without waiting. The file descriptor is only used within
// calls of RawConn, which keeps it from being closed, and reused, meanwhile.
type rawSocket struct{ conn syscall.RawConn }

// rawOf returns a socket that isn't usable where bytes need more than to be handed to the kernel.
func rawOf(socket net.Conn) rawSocket {
	if s, ok := socket.(syscall.Conn); ok {
		if conn, err := s.SyscallConn(); err == nil {
			return rawSocket{conn}
		}
	}
	return rawSocket{}
}

func (r rawSocket) usable() bool { return r.conn != nil }

// rawWrite is one write after another. RawConn gets functions made once: it would have new ones
// allocated for each write.
type rawWrite struct {
	bytes         []byte
	n             int
	err           error
	once, waiting func(fd uintptr) bool
}

func (w *rawWrite) prepare() {
	w.once = func(fd uintptr) bool {
		w.write(fd)
		return true
	}
	w.waiting = func(fd uintptr) bool {
		w.write(fd)
		return w.n > 0 || w.err != nil
	}
}

func (w *rawWrite) forget() { w.bytes = nil }

// write writes until all is written or the kernel takes no more.
func (w *rawWrite) write(fd uintptr) {
	for w.n < len(w.bytes) {
		n, err := unix.Write(int(fd), w.bytes[w.n:])
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return
		case err != nil:
			w.err = err
			return
		default:
			w.n += n
		}
	}
}

// now writes as much as the kernel takes at once.
func (w *rawWrite) now(to rawSocket, bytes []byte) (int, error) { return w.do(to, bytes, w.once) }

// some writes at least one byte, waiting until the kernel takes it or the socket's deadline.
func (w *rawWrite) some(to rawSocket, socket net.Conn, bytes []byte) (int, error) {
	if !to.usable() {
		return socket.Write(bytes)
	}
	return w.do(to, bytes, w.waiting)
}

func (w *rawWrite) do(to rawSocket, bytes []byte, f func(fd uintptr) bool) (int, error) {
	w.bytes, w.n, w.err = bytes, 0, nil
	if err := to.conn.Write(f); err != nil {
		return w.n, err
	}
	return w.n, w.err
}

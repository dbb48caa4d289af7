package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// A tls.Conn has its ciphertext written by the Write of what is below it, and is of no use any more once that has given up
// in the middle. So below those that serve a connection nothing is ever waited for: what the kernel doesn't take at
// once stays in a buffer, and who writes to the connection waits for that before more is sealed.

// Listener returns a listener whose sockets, below a [tls.Conn], serve a [Conn] as well as those without. Stall is how
// long a peer may take nothing of what waits for it.
func Listener(l net.Listener, stall time.Duration) net.Listener { return listener{l, stall} }

type listener struct {
	net.Listener
	stall time.Duration
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	socket, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tune(socket, l.stall) // for HTTP/2; a Conn would do it itself
	return &cipherSocket{Conn: socket, raw: rawOf(socket)}, nil
}

// cipherSocket is the socket below a tls.Conn, like any other until a connection takes it over.
type cipherSocket struct {
	net.Conn
	raw   rawSocket
	eager *rawRead // who reads the connection reads only what is there, by this; nil else

	mu     sync.Mutex
	taken  bool        // nothing is waited for any more
	corked bool        // whoever seals will write what waits
	waits  *ciphertext // nil for nothing
}

// ciphertext is sealed, and not all of it written.
type ciphertext struct {
	bytes   []byte
	written int
}

// maxCiphertext bounds what waits: a piece, and what TLS has to say of its own, which a peer can ask for (key updates).
const maxCiphertext = 4 * maxPiece

var ciphertexts = sync.Pool{New: func() any { return &ciphertext{bytes: make([]byte, 0, 2<<10)} }}

var errCiphertext = errors.New("transport: the peer asks for more than it reads")

// SyscallConn implements syscall.Conn.
func (s *cipherSocket) SyscallConn() (syscall.RawConn, error) {
	if socket, ok := s.Conn.(syscall.Conn); ok {
		return socket.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// Read implements net.Conn, for the tls.Conn above.
func (s *cipherSocket) Read(p []byte) (int, error) {
	if s.eager != nil {
		return s.eager.now(s.raw, p)
	}
	return s.Conn.Read(p)
}

// Write implements net.Conn, for the tls.Conn above.
func (s *cipherSocket) Write(p []byte) (int, error) {
	s.mu.Lock()
	if !s.taken {
		s.mu.Unlock()
		return s.Conn.Write(p)
	}
	defer s.mu.Unlock()
	if s.waits == nil {
		s.waits = ciphertexts.Get().(*ciphertext)
	}
	if len(s.waits.bytes)+len(p) > maxCiphertext {
		return 0, errCiphertext
	}
	s.waits.bytes = append(s.waits.bytes, p...)
	if s.corked {
		return len(p), nil
	}
	w := writers.Get().(*writer) // it is TLS itself that speaks
	defer w.release()
	_, err := s.push(w)
	return len(p), err
}

// push writes what waits as far as the kernel takes it at once, and reports whether that was all. It is called under mu.
func (s *cipherSocket) push(w *writer) (whole bool, err error) {
	if s.waits == nil {
		return true, nil
	}
	n, err := w.now(s.raw, s.waits.bytes[s.waits.written:])
	s.wrote(n)
	return s.waits == nil, err
}

// wrote notes that so much of what waits is written; called under mu.
func (s *cipherSocket) wrote(n int) {
	s.waits.written += n
	if s.waits.written < len(s.waits.bytes) {
		return
	}
	if cap(s.waits.bytes) <= 2*maxPiece {
		s.waits.bytes, s.waits.written = s.waits.bytes[:0], 0
		ciphertexts.Put(s.waits)
	}
	s.waits = nil
}

// cork begins, and cork(false) ends, the writing of what is sealed: by one at a time.
func (s *cipherSocket) cork(corked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.corked = corked
}

// clear reports whether nothing waits.
func (s *cipherSocket) clear() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits == nil
}

// secured is a connection's tls.Conn with the socket below it; the zero value is none.
type secured struct {
	*tls.Conn
	below *cipherSocket
}

// securedOf returns what a connection writes by where its socket is a tls.Conn whose socket may be taken over.
func securedOf(socket net.Conn) (s secured, ok bool) {
	if s.Conn, ok = socket.(*tls.Conn); ok {
		s.below, ok = s.NetConn().(*cipherSocket)
	}
	return s, ok && s.below.raw.usable()
}

// takeOver returns a socket as it can be written to without waiting, if it can.
func takeOver(socket net.Conn) rawSocket {
	s, ok := securedOf(socket)
	if !ok {
		return rawOf(socket)
	}
	s.below.mu.Lock()
	defer s.below.mu.Unlock()
	s.below.taken = true
	return s.below.raw
}

// now seals and writes as much as the kernel takes at once, and reports how much was sealed, and whether all is written.
func (s secured) now(w *writer, bytes []byte) (n int, whole bool, err error) {
	s.below.cork(true)
	defer s.below.cork(false)
	for {
		s.below.mu.Lock()
		whole, err = s.below.push(w)
		s.below.mu.Unlock()
		if !whole || err != nil || n == len(bytes) {
			return n, whole, err
		}
		piece := bytes[n:min(n+maxPiece, len(bytes))]
		if _, err := s.Write(piece); err != nil {
			return n, false, err
		}
		n += len(piece)
	}
}

// some writes at least one byte, waiting until the kernel takes it or the socket's deadline, and reports how much was
// sealed for that: nothing while something waits.
func (s secured) some(w *writer, bytes []byte) (n int, err error) {
	s.below.cork(true)
	defer s.below.cork(false)
	if s.below.clear() {
		if n, err = s.Write(bytes[:min(len(bytes), maxPiece)]); err != nil {
			return n, err
		}
	}
	s.below.mu.Lock()
	if s.below.waits == nil { // what waited has left meanwhile
		s.below.mu.Unlock()
		return n, nil
	}
	waits := s.below.waits.bytes[s.below.waits.written:] // others only append
	s.below.mu.Unlock()
	written, err := w.some(s.below.raw, s.below.Conn, waits)
	s.below.mu.Lock()
	s.below.wrote(written)
	s.below.mu.Unlock()
	return n, err
}

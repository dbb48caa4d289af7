package transport

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// response is the socket of a connection that can't have one of its own: on HTTP/2 many responses share what net/http
// keeps to itself. Nothing can be read, and the handler of the request has to stay: it writes what waits.
type response struct {
	w       http.ResponseWriter
	control *http.ResponseController
	gone    <-chan struct{} // closed when the client has gone
	wake    chan struct{}   // something waits to be written

	socket  net.Conn // that all share; nil if it isn't known
	writing atomic.Bool
	cutOff  *time.Timer // ends the socket, if a write has gone on for too long

	deadline atomic.Int64 // of writes, in Unix nanoseconds; 0 for none
	said     atomic.Bool  // all that there is to say
	once     sync.Once
	over     chan struct{}
}

var _ net.Conn = (*response)(nil)

// resetPatience is how long the reset of a stream may wait to leave.
const resetPatience = time.Second

type socketKey struct{}

// KeepSocket tells requests the socket that they come by (http.Server.ConnContext). On HTTP/2 a peer that stands still
// holds up the reset of a stream, too, so it takes the socket's end to be rid of it.
func KeepSocket(ctx context.Context, socket net.Conn) context.Context {
	return context.WithValue(ctx, socketKey{}, socket)
}

func newResponse(w http.ResponseWriter, r *http.Request) (*response, error) {
	s := &response{
		w: w, control: http.NewResponseController(w), gone: r.Context().Done(),
		wake: make(chan struct{}, 1), over: make(chan struct{}),
	}
	s.socket, _ = r.Context().Value(socketKey{}).(net.Conn)
	s.cutOff = time.AfterFunc(time.Hour, s.cut)
	return s, s.SetWriteDeadline(time.Time{}) // the server's, which is for answers that end
}

func (s *response) cut() {
	if s.socket != nil && s.writing.Load() {
		_ = s.socket.Close() // whatever it says, nothing else can be done
	}
}

// ask has the handler write.
func (s *response) ask() {
	select {
	case s.wake <- struct{}{}:
	default: // it is about to
	}
}

// Write implements net.Conn. It waits until all bytes are on their way to the client.
func (s *response) Write(p []byte) (n int, err error) {
	s.writing.Store(true)
	defer s.writing.Store(false)
	n, err = s.w.Write(p)
	if err == nil {
		err = s.control.Flush()
	}
	if by := s.deadline.Load(); err != nil && by != 0 && time.Now().UnixNano() >= by {
		err = os.ErrDeadlineExceeded // net/http only says that the stream was reset
	}
	return n, err
}

// SetWriteDeadline implements net.Conn. A write that goes beyond it is the last.
func (s *response) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		s.deadline.Store(0)
		s.cutOff.Stop()
	} else {
		s.deadline.Store(t.UnixNano())
		s.cutOff.Reset(time.Until(t) + resetPatience)
	}
	return s.control.SetWriteDeadline(t)
}

// finish says that all is said: closing won't look like an accident.
func (s *response) finish() { s.said.Store(true) }

// Close implements net.Conn: the handler may go. Unless all was said, the stream is reset, since who finds the end
// of a body takes it for whole.
func (s *response) Close() error {
	s.once.Do(func() {
		s.cutOff.Stop()
		if !s.said.Load() {
			s.cutOff.Reset(resetPatience)
			_ = s.control.SetWriteDeadline(time.Unix(1, 0)) // fails only when the client has gone
		}
		close(s.over)
	})
	return nil
}

// Read implements net.Conn: the client has said all by its request.
func (*response) Read([]byte) (int, error) { return 0, io.EOF }

// SetReadDeadline implements net.Conn.
func (*response) SetReadDeadline(time.Time) error { return nil }

// SetDeadline implements net.Conn.
func (s *response) SetDeadline(t time.Time) error { return s.SetWriteDeadline(t) }

// LocalAddr implements net.Conn.
func (*response) LocalAddr() net.Addr { return nil }

// RemoteAddr implements net.Conn.
func (*response) RemoteAddr() net.Addr { return nil }

// Attend is called by who opened a connection by [Stream.TakeOver], last: on HTTP/2 the handler of the request writes, and
// stays until the connection has ended. On a socket of its own there is nothing to attend to.
func (c *Conn) Attend() {
	s, ok := c.socket.(*response)
	if !ok {
		return
	}
	gone := s.gone
	for {
		select {
		case <-s.over:
			return
		case <-gone:
			gone = nil
			c.Close(ReasonGone)
		case <-s.wake:
			for c.flushes.Load() > 0 && c.crew.enter() {
				c.flushPatiently()
				c.crew.count.Done()
			}
		}
	}
}

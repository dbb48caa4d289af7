package transport_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"go.uber.org/goleak"

	"parley/delivery"
	"parley/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lineWire is a protocol of lines, which has all that a connection asks of one.
type lineWire struct{}

func (lineWire) Receive(c *transport.Conn, in *bufio.Reader) error {
	line, err := in.ReadString('\n')
	switch {
	case err != nil:
		return err
	case line == "bye\n":
		return io.EOF
	case line == "nonsense\n":
		return transport.ReasonBadFrame
	case line == "fault\n":
		panic("a secret")
	case !c.Closing():
		c.Send([]byte("echo " + line))
	}
	return nil
}

func (lineWire) Framing(string) (delivery.Framing, []byte) { return nil, nil }
func (lineWire) Position(string, string) []byte            { return nil }
func (lineWire) Result(string, *graphql.Response) []byte   { return nil }
func (lineWire) Errors(string, gqlerror.List) []byte       { return nil }
func (lineWire) Complete(string) []byte                    { return nil }
func (lineWire) Heartbeat() []byte                         { return []byte("beat\n") }
func (lineWire) Farewell(reason transport.Reason) []byte   { return []byte("end: " + reason.Text + "\n") }

// peer is the other end of a connection on a pipe.
type peer struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

func connect(t *testing.T, service *transport.Service, link transport.Link) (*transport.Conn, *peer) {
	t.Helper()
	near, far := net.Pipe()
	link.Protocol, link.Socket, link.Wire, link.Context = "lines", near, lineWire{}, t.Context()
	conn, ok := service.Connect(link)
	if !ok {
		t.Fatal("not connected")
	}
	return conn, &peer{t, far, bufio.NewReader(far)}
}

func (p *peer) send(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) want(lines ...string) {
	p.t.Helper()
	for _, want := range lines {
		line, err := p.lines.ReadString('\n')
		if line != want+"\n" {
			p.t.Fatalf("got %q, %v, want %q", line, err, want)
		}
	}
}

func (p *peer) wantEnd() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.lines); len(rest) > 0 || err != nil {
		p.t.Fatalf("got %q, %v after the end", rest, err)
	}
	_ = p.conn.Close()
}

const (
	beat  = 10 * time.Second
	grace = 3 * time.Second
)

func newService(options transport.Options) *transport.Service {
	options.Heartbeat, options.CloseTimeout, options.Log = beat, grace, slog.New(slog.DiscardHandler)
	return transport.NewService(options)
}

// onConn runs a test with a service of its own, on a clock of its own. No connection may be left.
func onConn(t *testing.T, name string, test func(t *testing.T, service *transport.Service)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			service := newService(transport.Options{WriteTimeout: time.Minute})
			test(t, service)
			service.Close()
			if service.Len() != 0 {
				t.Error("a connection is left")
			}
		})
	})
}

func TestConn(t *testing.T) {
	onConn(t, "greets, echoes, and hangs up", func(t *testing.T, service *transport.Service) {
		_, p := connect(t, service, transport.Link{Greeting: []byte("hello\n")})
		p.want("hello")
		p.send("1")
		p.want("echo 1")
		_ = p.conn.Close()
	})
	onConn(t, "reads what came early first", func(t *testing.T, service *transport.Service) {
		_, p := connect(t, service, transport.Link{Early: []byte("early\nhal")})
		p.want("echo early")
		p.send("f")
		p.want("echo half")
		_ = p.conn.Close()
	})
	onConn(t, "ends its context, and joins its goroutines", func(t *testing.T, service *transport.Service) {
		conn, p := connect(t, service, transport.Link{})
		joined := false
		conn.Go(func() {
			<-conn.Context().Done()
			time.Sleep(time.Second) // so that who doesn't join is seen not to
			joined = true
		})
		_ = p.conn.Close()
		service.Close()
		if !joined {
			t.Error("not joined")
		}
	})
}

func TestConnSilence(t *testing.T) {
	onConn(t, "beats at its interval, the first time earlier", func(t *testing.T, service *transport.Service) {
		begin := time.Now()
		_, p := connect(t, service, transport.Link{})
		p.want("beat")
		if took := time.Since(begin); took < beat/2 || took > beat {
			t.Errorf("the first beat came after %v", took)
		}
		for range 3 {
			begin = time.Now()
			p.want("beat")
			if took := time.Since(begin); took != beat {
				t.Errorf("a beat came after %v", took)
			}
		}
		_ = p.conn.Close()
	})
	onConn(t, "cuts who is silent for too long", func(t *testing.T, service *transport.Service) {
		begin := time.Now()
		_, p := connect(t, service, transport.Link{Silence: 2 * beat})
		p.want("beat", "beat", "end: No sign of life")
		if took := time.Since(begin); took != 2*beat {
			t.Errorf("cut after %v", took)
		}
		p.wantEnd()
	})
	onConn(t, "doesn't cut who gives signs of life", func(t *testing.T, service *transport.Service) {
		_, p := connect(t, service, transport.Link{Silence: 2 * beat})
		for range 10 {
			p.want("beat")
			p.send("here")
			p.want("echo here")
		}
		_ = p.conn.Close()
	})
	onConn(t, "calls nobody silent who has had no time to answer", func(t *testing.T, service *transport.Service) {
		_, p := connect(t, service, transport.Link{Silence: beat / 4, Greeting: []byte("hello\n")})
		time.Sleep(3 * beat) // the greeting waits all the time, so that no beat is sent
		p.want("hello", "beat")
		asked := time.Now()
		for line := ""; line != "end: No sign of life\n"; {
			line, _ = p.lines.ReadString('\n')
		}
		if took := time.Since(asked); took < beat || took > 2*beat {
			t.Errorf("cut %v after the first beat", took)
		}
		p.wantEnd()
	})
	onConn(t, "asks again who stood still", func(t *testing.T, service *transport.Service) {
		begin := time.Now()
		conn, p := connect(t, service, transport.Link{Silence: 2 * beat})
		p.want("beat")
		conn.Send([]byte("waits\n"))
		time.Sleep(time.Until(begin.Add(3*beat - time.Millisecond)))
		p.want("waits", "beat")
		p.send("here")
		p.want("echo here")
		_ = p.conn.Close()
	})
	onConn(t, "gives up who doesn't read, without a word", func(t *testing.T, service *transport.Service) {
		begin := time.Now()
		conn, p := connect(t, service, transport.Link{Greeting: []byte("hello\n")})
		<-conn.Context().Done()
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("given up after %v", took)
		}
		p.wantEnd()
	})
}

func TestConnCloses(t *testing.T) {
	onConn(t, "closes at an instant", func(t *testing.T, service *transport.Service) {
		begin := time.Now()
		conn, p := connect(t, service, transport.Link{})
		conn.CloseAt(begin.Add(time.Hour), transport.ReasonInitTimeout)
		conn.CloseAt(begin.Add(time.Second), transport.ReasonExpired)
		p.want("end: The token has expired")
		if took := time.Since(begin); took != time.Second {
			t.Errorf("closed after %v", took)
		}
		p.send("bye")
		p.wantEnd()
	})
	onConn(t, "doesn't close at an instant a thousand years away", func(t *testing.T, service *transport.Service) {
		conn, p := connect(t, service, transport.Link{})
		conn.CloseAt(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC), transport.ReasonExpired)
		p.want("beat", "beat")
		_ = p.conn.Close()
	})
	onConn(t, "doesn't close at an instant that was taken back", func(t *testing.T, service *transport.Service) {
		conn, p := connect(t, service, transport.Link{})
		conn.CloseAt(time.Now().Add(time.Second), transport.ReasonExpired)
		conn.CloseAt(time.Time{}, transport.ReasonDone)
		p.want("beat", "beat")
		_ = p.conn.Close()
	})
	onConn(t, "closes once, for the first reason", func(t *testing.T, service *transport.Service) {
		conn, p := connect(t, service, transport.Link{})
		conn.Close(transport.ReasonDrain)
		conn.Close(transport.ReasonInternal)
		p.want("end: " + transport.ReasonDrain.Text)
		p.send("bye")
		p.wantEnd()
	})
	onConn(t, "waits a while for the peer's farewell", func(t *testing.T, service *transport.Service) {
		conn, p := connect(t, service, transport.Link{})
		conn.Close(transport.ReasonDrain)
		begin := time.Now()
		p.want("end: " + transport.ReasonDrain.Text)
		p.wantEnd()
		if took := time.Since(begin); took != grace {
			t.Errorf("waited %v", took)
		}
	})
	onConn(t, "handles nothing after it began to close", func(t *testing.T, service *transport.Service) {
		conn, p := connect(t, service, transport.Link{})
		conn.Close(transport.ReasonDrain)
		p.want("end: " + transport.ReasonDrain.Text)
		p.send("1")
		p.send("bye")
		p.wantEnd()
	})
}

func TestConnFaults(t *testing.T) {
	onConn(t, "ends when it understands nothing any more", func(t *testing.T, service *transport.Service) {
		_, p := connect(t, service, transport.Link{})
		p.send("nonsense")
		p.want("end: " + transport.ReasonBadFrame.Text)
		p.send("bye")
		p.wantEnd()
	})
	onConn(t, "ends after a fault of ours", func(t *testing.T, service *transport.Service) {
		_, p := connect(t, service, transport.Link{})
		p.send("fault")
		p.want("end: " + transport.ReasonInternal.Text)
		_ = p.conn.Close()
	})
	onConn(t, "ends after a fault in a goroutine of its own", func(t *testing.T, service *transport.Service) {
		conn, p := connect(t, service, transport.Link{})
		conn.Go(func() { panic("a secret") })
		p.want("end: " + transport.ReasonInternal.Text)
		_ = p.conn.Close()
	})
}

func TestIdentify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		present := 0
		service := newService(transport.Options{
			Expires: func(context.Context) (time.Time, bool) { return begin.Add(time.Minute), true },
			Connected: func(context.Context) func() {
				present++
				return func() { present-- }
			},
		})
		conn, p := connect(t, service, transport.Link{})
		conn.Identify(conn.Context())
		if present != 1 {
			t.Errorf("%d present", present)
		}
		for line := ""; line != "end: The token has expired\n"; {
			line, _ = p.lines.ReadString('\n')
		}
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("expired after %v", took)
		}
		p.send("bye")
		service.Close()
		if present != 0 {
			t.Errorf("%d present", present)
		}
		_ = p.conn.Close()
	})
}

// stuck is an executor of operations that take as long as they may.
type stuck struct{ graphql.GraphExecutor }

func (stuck) CreateOperationContext(ctx context.Context, _ *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	<-ctx.Done()
	return nil, gqlerror.List{gqlerror.Errorf("given up")}
}

func (stuck) DispatchError(_ context.Context, errs gqlerror.List) *graphql.Response {
	return &graphql.Response{Errors: errs}
}

// drainStuck has a node drain whose one connection has an operation that takes as long as it may; drained waits for the end.
func drainStuck(t *testing.T, service *transport.Service) (conn *transport.Conn, p *peer, drained func()) {
	conn, p = connect(t, service, transport.Link{Executor: stuck{}})
	conn.Start("1", &graphql.RawParams{})
	var draining sync.WaitGroup
	draining.Go(func() { _ = service.Drain(t.Context(), 0) })
	synctest.Wait()
	return conn, p, draining.Wait
}

// TestDrainWaits: who says something while operations under way are waited for has as long for a farewell as others.
func TestDrainWaits(t *testing.T) {
	onConn(t, "for all", func(t *testing.T, service *transport.Service) {
		begin := time.Now()
		_, p, drained := drainStuck(t, service)
		p.send("1")
		p.want("end: " + transport.ReasonDrain.Text)
		if took := time.Since(begin); took != grace {
			t.Errorf("operations had %v", took)
		}
		time.Sleep(grace / 2)
		p.send("bye")
		p.wantEnd()
		drained()
	})
}

// TestDrainIsCutShort: who goes away, or may not be here any more, isn't served while operations are waited for.
func TestDrainIsCutShort(t *testing.T) {
	for name, end := range map[string]func(*transport.Conn, *peer){
		"its token is revoked": func(conn *transport.Conn, p *peer) {
			conn.Close(transport.ReasonRevoked)
			p.want("end: " + transport.ReasonDrain.Text)
			p.send("bye")
			p.wantEnd()
		},
		"its peer goes": func(_ *transport.Conn, p *peer) { _ = p.conn.Close() },
	} {
		onConn(t, name, func(t *testing.T, service *transport.Service) {
			begin := time.Now()
			conn, p, drained := drainStuck(t, service)
			end(conn, p)
			drained()
			if took := time.Since(begin); took != 0 {
				t.Errorf("ended after %v", took)
			}
		})
	}
}

func TestDrainSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := newService(transport.Options{})
		defer service.Close()
		const count, window = 50, time.Minute
		var mu sync.Mutex
		var ends []time.Duration
		var reading sync.WaitGroup
		begin := time.Now()
		for range count {
			_, p := connect(t, service, transport.Link{})
			reading.Go(func() {
				for line := ""; line != "end: "+transport.ReasonDrain.Text+"\n"; {
					line, _ = p.lines.ReadString('\n')
				}
				mu.Lock()
				ends = append(ends, time.Since(begin))
				mu.Unlock()
				p.send("bye")
				p.wantEnd()
			})
		}
		if err := service.Drain(t.Context(), window); err != nil {
			t.Error(err)
		}
		reading.Wait()
		slices.Sort(ends)
		for i, end := range ends {
			if share := window / count; end < time.Duration(i)*share || end > time.Duration(i+1)*share {
				t.Errorf("connection %d ended after %v", i, end)
			}
		}
		near, far := net.Pipe()
		if _, ok := service.Connect(transport.Link{Socket: near, Wire: lineWire{}, Context: t.Context()}); ok {
			t.Error("connected while draining")
		}
		_ = far.Close()
	})
}

package transporttest

import (
	"strings"
	"testing"
	"time"

	"parley/transport"
)

// cuts: whatever ends a connection, its client goes on from where it was, and the server is rid of it.
func (s suite) cuts(t *testing.T) {
	for name, cut := range map[string]func(*line, *reader){
		"the client hangs up": func(_ *line, r *reader) { r.stream.Close() },
		"the client takes its leave": func(_ *line, r *reader) {
			if polite, ok := r.stream.(Polite); ok {
				polite.Leave()
			}
			r.stream.Close()
		},
		"the network ends it": func(l *line, r *reader) { l.cut(); r.readToEnd() },
		"reset":               func(l *line, r *reader) { l.reset(); r.readToEnd() },
		"the client vanishes": func(l *line, r *reader) { l.abandon(); r.readToEnd() },
		"the network stands still": func(l *line, r *reader) {
			l.hold(true)
			r.stream.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			rig := s.rig(t, transport.Options{Heartbeat: time.Second, WriteTimeout: 2 * time.Second, CloseTimeout: 200 * time.Millisecond})
			l := newLine(t, rig)
			r, w := s.reader(t, rig, "ada", "a"), &writer{rig: rig, log: "a", padding: noise(fillSize)}
			w.write(2)
			r.connect()
			goOn := func(more int) {
				w.write(more)
				r.readTo(w.written)
			}
			goOn(3)
			cut(l, r)
			w.write(60) // more than a line holds
			Wait(t, "the server has noticed", func() bool { return rig.Service.Len() == 0 })
			l.hold(false)
			r.connect()
			goOn(2)
			r.stream.Close()
		})
	}
	t.Run("the server drains", func(t *testing.T) {
		rig := s.rig(t, transport.Options{})
		r, w := s.reader(t, rig, "ada", "a"), &writer{rig: rig, log: "a"}
		w.write(3)
		r.connect()
		r.readTo(2)
		ended := make(chan Item)
		go func() { ended <- r.readToEnd() }()
		if err := rig.Service.Drain(t.Context(), 0); err != nil {
			t.Error(err)
		}
		if got := <-ended; !got.Retry {
			t.Errorf("got %+v, want to be told to come back", got)
		}
		r.stream.Close()
		w.write(2)
		if refused := s.client.Subscribe(t, rig, "ada", ticks("a"), ""); refused.Next().Kind != End {
			t.Error("a stream of a server that stops")
		}
		r.rig = s.node(t, rig.Logs, transport.Options{}) // another node
		r.connect()
		w.write(2)
		r.readTo(w.written)
		r.stream.Close()
	})
}

// cutAnywhere: an answer that is cut behind any byte, within heads, frames and characters, is continued.
func (s suite) cutAnywhere(t *testing.T) {
	rig := s.rig(t, transport.Options{CloseTimeout: 200 * time.Millisecond})
	l := newLine(t, rig)
	w := &writer{rig: rig, log: "a", padding: strings.Repeat("äöü€😀", 20)}
	for first := range 3 { // differently divided
		r := s.reader(t, rig, "ada", "a")
		for bytes := 1 + 7*first; bytes < 3000; bytes += bytes/8 + 11 {
			w.write(10) // more than that
			l.limit(-1, bytes)
			r.connect()
			r.readToEnd()
			r.stream.Close()
		}
		l.limit(-1, -1)
		r.comeBack(w.written)
	}
}

// cutRequests: a request that is cut behind any byte leaves nothing, and another one is served.
func (s suite) cutRequests(t *testing.T) {
	rig := s.rig(t, transport.Options{CloseTimeout: 200 * time.Millisecond})
	l := newLine(t, rig)
	r, w := s.reader(t, rig, "ada", "a"), &writer{rig: rig, log: "a"}
	for bytes := 1; bytes < 1500; bytes += 23 {
		l.limit(bytes, -1)
		r.connect()
		w.write(1)
		if bytes%2 == 0 {
			l.cut()
		}
		r.stream.Close()
	}
	l.limit(-1, -1)
	r.comeBack(w.written)
}

// cutCatchingUp: a reader that has fallen behind is cut while it is served from the log, again and again.
func (s suite) cutCatchingUp(t *testing.T) {
	rig := s.rig(t, transport.Options{HighWater: 64 << 10, CloseTimeout: 200 * time.Millisecond})
	l := newLine(t, rig)
	r, w := s.reader(t, rig, "ada", "a"), &writer{rig: rig, log: "a", padding: noise(fillSize)}
	for n := range 6 {
		r.connect()
		r.goLive(w)
		l.hold(true)
		r.lag(w)
		l.hold(false)
		r.readTo(w.written - 40 + 6*n)
		if n%2 == 0 {
			l.cut()
		} else {
			l.reset()
		}
		r.readToEnd()
		r.stream.Close()
	}
	r.comeBack(w.written)
}

// cutOpening: a client that goes while its subscription is authorized leaves nothing.
func (s suite) cutOpening(t *testing.T) {
	rig := s.rig(t, transport.Options{CloseTimeout: 200 * time.Millisecond})
	l := newLine(t, rig)
	for _, cut := range []func(){l.cut, l.reset} {
		opened := make(chan Stream)
		go func() { opened <- s.client.Subscribe(t, rig, "ada", `subscription { ticks(log: "held") }`, "") }()
		<-rig.Began
		cut()
		stream := <-opened
		if item := stream.Next(); item.Kind != End {
			t.Errorf("got %+v", item)
		}
		stream.Close()
		rig.WaitUntilIdle(t)
	}
}

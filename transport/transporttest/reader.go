package transporttest

import (
	"fmt"
	"strings"
	"testing"
)

// reader is a client that comes back with its cursor. The n-th event of its log, from 0, begins with n and a space: it
// checks that it gets each once, in order.
type reader struct {
	t           testing.TB
	client      Client
	rig         *Rig
	viewer, log string

	stream    Stream
	operation string // of the subscription; "" for Subscribe's
	cursor    string
	seen      int // events
	// other takes items of other operations; nil for nobody.
	other func(Item)
}

// reader returns a client that has seen nothing of a log.
func (s suite) reader(t testing.TB, rig *Rig, viewer, log string) *reader {
	start := cursorAt(log, rig.Logs.start()).String()
	return &reader{t: t, client: s.client, rig: rig, viewer: viewer, log: log, cursor: start}
}

// connect goes on from what was seen last.
func (r *reader) connect() {
	r.t.Helper()
	r.stream = r.client.Subscribe(r.t, r.rig, r.viewer, ticks(r.log), r.cursor)
}

// read reads the next item of the subscription.
func (r *reader) read() Item {
	r.t.Helper()
	for {
		if item := r.readAny(); item.Operation == r.operation || item.Kind == End {
			return item
		}
	}
}

// readAny reads the next item of any operation.
func (r *reader) readAny() Item {
	r.t.Helper()
	item := r.stream.Next()
	if item.Operation == r.operation {
		r.note(item)
	} else if r.other != nil {
		r.other(item)
	}
	return item
}

func (r *reader) note(item Item) {
	r.t.Helper()
	if item.Kind == Event {
		if number, _, _ := strings.Cut(item.Value, " "); number != fmt.Sprint(r.seen) {
			r.t.Errorf("got the event %.20q, want %d", item.Value, r.seen)
		}
		r.seen++
	}
	if item.Cursor != "" {
		r.cursor = item.Cursor
	}
}

// unsubscribe ends the subscription, if there can be a connection without it; else it hangs up.
func (r *reader) unsubscribe() {
	if stream, ok := r.stream.(Multiplexed); ok {
		stream.Stop(r.operation)
	} else {
		r.stream.Close()
	}
}

// readTo reads on until so many events were seen.
func (r *reader) readTo(count int) {
	r.t.Helper()
	for r.seen < count && !r.t.Failed() {
		if item := r.read(); item.Kind != Event && item.Kind != Position {
			r.t.Fatalf("got %+v after %d events, want %d", item, r.seen, count)
		}
	}
}

// readToEnd reads on until the connection is over, and returns that with the last code told.
func (r *reader) readToEnd() Item {
	r.t.Helper()
	return endOf(r.read)
}

// comeBack connects until so many events were seen, whatever ends its connections.
func (r *reader) comeBack(count int) {
	r.t.Helper()
	for r.seen < count && !r.t.Failed() {
		r.connect()
		for r.seen < count {
			if item := r.read(); item.Kind != Event && item.Kind != Position {
				break
			}
		}
		r.stream.Close()
	}
}

// goLive writes until the reader, connected, is past its replay: only what is live is pushed, a replay waits for its reader.
func (r *reader) goLive(w *writer) {
	r.t.Helper()
	before := r.rig.Metric(r.t, "parley_deliveries_total")
	Wait(r.t, "live", func() bool {
		w.write(1)
		r.readTo(w.written)
		return r.rig.Metric(r.t, "parley_deliveries_total") > before
	})
}

// lag writes more than fits between the server and a reader whose way is held.
func (r *reader) lag(w *writer) {
	r.t.Helper()
	before := r.rig.Metric(r.t, "parley_lags_total")
	w.write(50)
	Wait(r.t, "it lags", func() bool { return r.rig.Metric(r.t, "parley_lags_total") > before })
}

// writer publishes what readers expect.
type writer struct {
	rig     *Rig
	log     string
	padding string // of each event
	written int
}

// write publishes so many events, and hidden entries between them.
func (w *writer) write(count int) {
	for range count {
		w.rig.Tick(w.log, fmt.Sprint(w.written, " ", w.padding))
		if w.written++; w.written%5 == 0 {
			w.rig.Logs.Publish(w.log, KindHidden, "")
		}
	}
}

// kick publishes one more, by which a viewer's access ends.
func (w *writer) kick(viewer string) {
	w.rig.kick(w.log, viewer, fmt.Sprint(w.written, " the last for ", viewer))
	w.written++
}

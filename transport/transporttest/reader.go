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

	stream Stream
	cursor string
	seen   int // events
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

// read reads one item.
func (r *reader) read() Item {
	r.t.Helper()
	item := r.stream.Next()
	if item.Operation == "" {
		r.note(item)
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
	code := ""
	for {
		item := r.read()
		if item.Code != "" {
			code = item.Code
		}
		if item.Kind == End {
			item.Code = code
			return item
		}
	}
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

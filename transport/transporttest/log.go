package transporttest

import (
	"context"
	"math/rand/v2"
	"sync"

	"parley/eventlog"
)

// Kinds of entries: subscriptions show ticks; the others move positions only.
const (
	KindTick   eventlog.Kind = 2
	KindHidden eventlog.Kind = 3
)

// Logs is an eventlog.Log in memory. Logs exist once something was published in them.
type Logs struct {
	mu       sync.Mutex
	logs     map[string][]eventlog.Publication
	watchers map[string]map[int]eventlog.Watcher
	next     int
}

func newLogs() *Logs {
	return &Logs{logs: map[string][]eventlog.Publication{}, watchers: map[string]map[int]eventlog.Watcher{}}
}

const epoch = 7

// Publish appends an entry and tells the watchers, in order.
func (l *Logs) Publish(log string, kind eventlog.Kind, payload any, access ...eventlog.AccessChange) eventlog.Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	tail := l.tail(log)
	p := eventlog.Publication{
		Position: eventlog.Position{Epoch: epoch, Offset: tail.Offset + 1, Check: rand.Uint32()},
		Prev:     tail.Check, Kind: kind, Seq: tail.Offset + 1, Access: access, Payload: payload,
	}
	l.logs[log] = append(l.logs[log], p)
	for _, w := range l.watchers[log] {
		w.Published([]eventlog.Publication{p})
	}
	return cursorAt(log, p.Position)
}

func cursorAt(log string, at eventlog.Position) eventlog.Cursor {
	return eventlog.Cursor{Kind: eventlog.CursorLog, Log: log, Position: at, Seq: at.Offset}
}

// start is the position before everything.
func (l *Logs) start() eventlog.Position { return eventlog.Position{Epoch: epoch} }

func (l *Logs) tail(log string) eventlog.Position {
	if entries := l.logs[log]; len(entries) > 0 {
		return entries[len(entries)-1].Position
	}
	return l.start()
}

// Tail is the cursor at the end of a log.
func (l *Logs) Tail(log string) eventlog.Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return cursorAt(log, l.tail(log))
}

// Read implements eventlog.Log.
func (l *Logs) Read(_ context.Context, log string, after eventlog.Position, limit int) (eventlog.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries, tail := l.logs[log], l.tail(log)
	known := after.Offset == 0 || after.Offset <= tail.Offset && entries[after.Offset-1].Position == after
	if !known {
		return eventlog.Page{}, &eventlog.GapError{Reason: eventlog.HistoryLost, Tail: tail, TailSeq: tail.Offset}
	}
	rest := entries[after.Offset:]
	return eventlog.Page{Publications: rest[:min(limit, len(rest))], Tail: tail, TailSeq: tail.Offset}, nil
}

// Watch implements eventlog.Log.
func (l *Logs) Watch(_ context.Context, log string, watcher eventlog.Watcher) (stop func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.watchers[log] == nil {
		l.watchers[log] = map[int]eventlog.Watcher{}
	}
	l.next++
	id := l.next
	l.watchers[log][id] = watcher
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watchers[log], id)
	}, nil
}

// Watched returns how many watchers there are, of all logs.
func (l *Logs) Watched() (count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, watchers := range l.watchers {
		count += len(watchers)
	}
	return count
}

// Fence implements eventlog.Log: nothing is ever lost here.
func (l *Logs) Fence(context.Context, string, eventlog.Position) error { return nil }

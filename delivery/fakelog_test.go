package delivery_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"parley/eventlog"
)

// Kinds of entries in these tests.
const (
	kindNote   eventlog.Kind = 2 // what every subscription shows
	kindSilent eventlog.Kind = 3 // what none shows
	kindAccess eventlog.Kind = 4
)

// entry is one entry of a log, and of a tree: after a loss two entries may have the same parent.
type entry struct {
	eventlog.Publication
	parent *entry // nil for the first
}

// fakeLog is an engine in memory whose hints and answers can be disturbed.
type fakeLog struct {
	mu      sync.Mutex
	logs    map[string]*history
	marks   uint32
	entries map[eventlog.Position]*entry // every one that ever was
	reads   int
	fences  int

	// down makes every call answer ErrUnavailable; broken makes reads fail for good.
	down   bool
	broken error
	// onRead is called after a page has been read and before it is returned, under no lock.
	onRead func(after eventlog.Position, page eventlog.Page)
	// onWatch is called before a watch is confirmed, under no lock.
	onWatch func(log string)
	// hint decides what becomes of the hint of each publication; nil hands it over.
	hint func(w eventlog.Watcher, p eventlog.Publication)
}

type history struct {
	epoch    uint32
	first    *entry   // parent of the oldest entry kept; nil if that is the first
	entries  []*entry // kept, contiguous
	watchers []*watching
}

type watching struct{ eventlog.Watcher }

func newFakeLog() *fakeLog {
	return &fakeLog{logs: map[string]*history{}, entries: map[eventlog.Position]*entry{}}
}

func (l *fakeLog) mark() uint32 {
	l.marks++
	return l.marks * 2654435761
}

// create makes an empty log and returns its start.
func (l *fakeLog) create(log string) eventlog.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := &history{epoch: l.mark()}
	if old := l.logs[log]; old != nil {
		h.watchers = old.watchers
	}
	l.logs[log] = h
	return eventlog.Position{Epoch: h.epoch}
}

// delete makes the log one that isn't there; watches stay.
func (l *fakeLog) delete(log string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.logs[log] = &history{watchers: l.logs[log].watchers}
}

func (h *history) last() *entry {
	if n := len(h.entries); n > 0 {
		return h.entries[n-1]
	}
	return h.first
}

func (h *history) tail() (eventlog.Position, uint64) {
	if last := h.last(); last != nil {
		return eventlog.Position{Epoch: h.epoch, Offset: last.Offset, Check: last.Check}, last.Seq
	}
	return eventlog.Position{Epoch: h.epoch}, 0
}

// tail is where a log stands, as a cursor.
func (l *fakeLog) tail(log string) eventlog.Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, seq := l.logs[log].tail()
	return eventlog.Cursor{Kind: eventlog.CursorLog, Log: log, Position: at, Seq: seq}
}

// append appends an entry and hands out its hint. The seq counts notes.
func (l *fakeLog) append(log string, kind eventlog.Kind, access ...eventlog.AccessChange) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.store(l.logs[log], kind, access...)
	l.publish(log, e)
	return e
}

func (l *fakeLog) store(h *history, kind eventlog.Kind, access ...eventlog.AccessChange) *entry {
	tail, seq := h.tail()
	if kind == kindNote {
		seq++
	}
	e := &entry{parent: h.last(), Publication: eventlog.Publication{
		Position: eventlog.Position{Epoch: h.epoch, Offset: tail.Offset + 1, Check: l.mark()},
		Prev:     tail.Check, Kind: kind, Seq: seq, Access: access,
	}}
	e.Payload = fmt.Sprintf("%d/%x", e.Offset, e.Check)
	if kind == eventlog.KindReset {
		e.Payload = eventlog.Reset{Log: "entry", Reason: eventlog.HistoryLost}
	}
	h.entries = append(h.entries, e)
	l.entries[e.Position] = e
	return e
}

func (l *fakeLog) publish(log string, e *entry) {
	for _, w := range slices.Clone(l.logs[log].watchers) {
		if l.hint != nil {
			l.hint(w.Watcher, e.Publication)
		} else {
			w.Published([]eventlog.Publication{e.Publication})
		}
	}
}

// notes appends n notes.
func (l *fakeLog) notes(log string, n int) (all []*entry) {
	for range n {
		all = append(all, l.append(log, kindNote))
	}
	return all
}

// silently makes changes of which no hint tells.
func (l *fakeLog) silently(f func()) {
	l.setHint(func(eventlog.Watcher, eventlog.Publication) {})
	f()
	l.setHint(nil)
}

func (l *fakeLog) setHint(hint func(eventlog.Watcher, eventlog.Publication)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hint = hint
}

// look tells every watch that hints may be missing.
func (l *fakeLog) look(log string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.logs[log].watchers {
		w.Look()
	}
}

// trim drops the oldest entries, up to and including an offset.
func (l *fakeLog) trim(log string, offset uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.logs[log]
	for len(h.entries) > 0 && h.entries[0].Offset <= offset {
		h.first = h.entries[0]
		h.entries = h.entries[1:]
	}
}

// truncate puts the log back to an older snapshot: the entries after offset are lost.
func (l *fakeLog) truncate(log string, offset uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.logs[log]
	for n := len(h.entries); n > 0 && h.entries[n-1].Offset > offset; n-- {
		h.entries = slices.Clone(h.entries[:n-1])
	}
	if last := h.last(); last != nil {
		h.epoch = last.Epoch
	}
}

func (l *fakeLog) set(change func(*fakeLog)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

func (l *fakeLog) count() (reads, fences int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads, l.fences
}

// fault is the answer to any call, nil for none. The caller holds mu.
func (l *fakeLog) fault(log string) error {
	switch h := l.logs[log]; {
	case l.down:
		return fmt.Errorf("fake: %w", eventlog.ErrUnavailable)
	case h == nil || h.epoch == 0:
		return eventlog.ErrNoLog
	}
	return nil
}

// Read implements eventlog.Log.
func (l *fakeLog) Read(ctx context.Context, log string, after eventlog.Position, limit int) (eventlog.Page, error) {
	page, err := l.read(ctx, log, after, limit)
	l.mu.Lock()
	onRead := l.onRead
	l.mu.Unlock()
	if onRead != nil && err == nil {
		onRead(after, page)
	}
	return page, err
}

func (l *fakeLog) read(ctx context.Context, log string, after eventlog.Position, limit int) (eventlog.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	if err := ctx.Err(); err != nil {
		return eventlog.Page{}, err
	}
	if err := l.fault(log); err != nil {
		return eventlog.Page{}, err
	}
	if l.broken != nil {
		return eventlog.Page{}, l.broken
	}
	h := l.logs[log]
	tail, seq := h.tail()
	if reason := h.verify(after); reason != 0 {
		return eventlog.Page{}, &eventlog.GapError{Reason: reason, Tail: tail, TailSeq: seq}
	}
	page := eventlog.Page{Tail: tail, TailSeq: seq}
	for _, e := range h.entries {
		if e.Offset > after.Offset && len(page.Publications) < limit {
			page.Publications = append(page.Publications, e.Publication)
		}
	}
	return page, nil
}

func (h *history) verify(at eventlog.Position) eventlog.ResetReason {
	tail, _ := h.tail()
	first := tail.Offset + 1
	if len(h.entries) > 0 {
		first = h.entries[0].Offset
	}
	switch {
	case at.Offset > 0 && at.Epoch != h.epoch, at.Offset > tail.Offset:
		return eventlog.HistoryLost
	case at.Offset+1 < first:
		return eventlog.Trimmed
	case at.Offset == 0:
		return 0
	case at.Offset < first && h.first.Check == at.Check, at.Offset >= first && h.entries[at.Offset-first].Check == at.Check:
		return 0
	}
	return eventlog.HistoryLost
}

// Watch implements eventlog.Log.
func (l *fakeLog) Watch(ctx context.Context, log string, watcher eventlog.Watcher) (stop func(), err error) {
	l.mu.Lock()
	onWatch := l.onWatch
	l.mu.Unlock()
	if onWatch != nil {
		onWatch(log)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := l.fault(log); err != nil {
		return nil, err
	}
	w := &watching{watcher}
	h := l.logs[log]
	h.watchers = append(h.watchers, w)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		h := l.logs[log]
		h.watchers = slices.DeleteFunc(slices.Clone(h.watchers), func(other *watching) bool { return other == w })
	}, nil
}

// watches is how many watches a log has.
func (l *fakeLog) watches(log string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.logs[log].watchers)
}

// Fence implements eventlog.Log.
func (l *fakeLog) Fence(ctx context.Context, log string, seen eventlog.Position) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.fault(log); err != nil {
		return err
	}
	h := l.logs[log]
	tail, _ := h.tail()
	if seen.Epoch != h.epoch || seen.Offset == 0 || seen.Offset <= tail.Offset && h.verify(seen) != eventlog.HistoryLost {
		return nil
	}
	l.fences++
	h.epoch = l.mark()
	l.publish(log, l.store(h, eventlog.KindReset))
	return nil
}

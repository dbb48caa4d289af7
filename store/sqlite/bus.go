package sqlite

import (
	"sync"

	"parley/eventlog"
)

// maxNews bounds the committed groups whose news wait for the bus; beyond it the writer waits too,
// and nothing is lost.
const maxNews = 64

// bus tells the watches of this process what was committed, from one goroutine of its own.
type bus struct {
	queue  chan news
	done   chan struct{}
	logs   registry[eventlog.Publication]
	topics registry[eventlog.Value]
}

func startBus() *bus {
	b := &bus{queue: make(chan news, maxNews), done: make(chan struct{})}
	go b.run()
	return b
}

func (b *bus) run() {
	defer close(b.done)
	for n := range b.queue {
		b.logs.tell(n.publications)
		b.topics.tell(n.values)
	}
}

// close hands out what was committed and ends the goroutine. The writer must have ended.
func (b *bus) close() {
	close(b.queue)
	<-b.done
}

// item is something that happened to a key.
type item[T any] struct {
	key  string
	what T
}

// registry knows who watches which key.
type registry[T any] struct {
	mu sync.Mutex
	// watches are replaced, never changed, so that they may be told without the mutex.
	watches map[string][]*watch[T]
}

// add begins a watch.
func (r *registry[T]) add(key string, tell func([]T)) *watch[T] {
	w := &watch[T]{tell: tell}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watches == nil {
		r.watches = map[string][]*watch[T]{}
	}
	old := r.watches[key]
	r.watches[key] = append(old[:len(old):len(old)], w)
	return w
}

// remove ends a watch, and returns when no call is under way any more.
func (r *registry[T]) remove(key string, w *watch[T]) {
	r.mu.Lock()
	var rest []*watch[T]
	for _, other := range r.watches[key] {
		if other != w {
			rest = append(rest, other)
		}
	}
	if rest == nil {
		delete(r.watches, key)
	} else {
		r.watches[key] = rest
	}
	r.mu.Unlock()
	w.stop()
}

func (r *registry[T]) of(key string) []*watch[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.watches[key]
}

// tell hands items to those who watch their keys: all items of a key at once, in order.
func (r *registry[T]) tell(items []item[T]) {
	for key, whats := range byKey(items) {
		for _, w := range r.of(key) {
			w.call(whats)
		}
	}
}

func byKey[T any](items []item[T]) map[string][]T {
	grouped := make(map[string][]T, 1)
	for _, i := range items {
		grouped[i.key] = append(grouped[i.key], i.what)
	}
	return grouped
}

// watch is one who wants to know.
type watch[T any] struct {
	mu      sync.Mutex
	stopped bool
	tell    func([]T)
}

// call tells the watch, one call at a time, and not after stop.
func (w *watch[T]) call(whats []T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.tell(whats)
	}
}

func (w *watch[T]) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
}

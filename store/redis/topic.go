package redis

import (
	"slices"
	"sync"
	"time"
)

// topic is what this node watches: a room's log, named by the room's id, or a state topic.
type topic struct {
	name    string
	bucket  *bucket
	channel string
	// state topics heal by reading the value again, logs by telling their watchers to look.
	state  bool
	decode func(payload string) (news any, err error)
	// own is for logs.
	own *own

	// The rest is guarded by topics.mu.

	// since is when it began to be watched.
	since time.Time
	// heard is the bucket's count at the last hint of this topic, or at what was read since.
	heard uint64
	// version is the highest of a state topic's values handed over, and shift what was added to the
	// store's own count for it; lost says that the store has lost data since. See settle.
	version, shift uint64
	lost           bool
	// owed is the number of the last finding that the topic is to be looked at, until that is done.
	owed uint64
	// watches is replaced as a whole, so that it may be gone through without the lock.
	watches []*watch
}

// watch is one watcher of a topic. Its functions are called one at a time.
type watch struct {
	mu      sync.Mutex
	stopped bool
	// news hands over what the topic's decode returned.
	news func(any)
	// look is for logs.
	look func()
}

func (w *watch) call(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		f()
	}
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
}

// topics are all that this node watches.
type topics struct {
	mu      sync.Mutex
	byName  map[string]*topic
	buckets map[*bucket]*watchedBucket
	found   uint64 // counts what tail checks find
}

func newTopics() *topics {
	return &topics{
		byName: map[string]*topic{}, buckets: map[*bucket]*watchedBucket{},
	}
}

// add adds a watch to the topic described. known is what the bucket was like before.
func (ts *topics) add(described topic, w *watch, known bucketState) *topic {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byName[described.name]
	if t == nil {
		t = &described
		t.heard, t.since = known.n, time.Now()
		ts.insert(t, known)
	}
	t.watches = append(slices.Clip(t.watches), w)
	return t
}

func (ts *topics) insert(t *topic, known bucketState) {
	ts.byName[t.name] = t
	b := ts.buckets[t.bucket]
	if b == nil {
		now := time.Now()
		b = &watchedBucket{
			bucketState: known, topics: map[string]*topic{}, suspects: map[string]uint64{}, confirmed: now, checked: now,
		}
		ts.buckets[t.bucket] = b
	}
	b.topics[t.name] = t
}

func (ts *topics) remove(t *topic, w *watch) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	left := make([]*watch, 0, len(t.watches))
	for _, other := range t.watches {
		if other != w {
			left = append(left, other)
		}
	}
	if t.watches = left; len(left) > 0 {
		return
	}
	ts.settleOwed(t, t.owed)
	delete(ts.byName, t.name)
	b := ts.buckets[t.bucket]
	delete(b.topics, t.name)
	if len(b.topics) == 0 {
		delete(ts.buckets, t.bucket)
	}
}

// hear notes that a hint has come, and returns the topic it is about, nil for one not watched.
func (ts *topics) hear(h hint) *topic {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byName[h.topic]
	if t != nil {
		t.heard = h.n
		ts.buckets[t.bucket].hear(h.n)
	}
	return t
}

// named returns the topic of a name, nil for one not watched.
func (ts *topics) named(name string) *topic {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.byName[name]
}

// listeners returns the topic's watches.
func (ts *topics) listeners(t *topic) []*watch {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return t.watches
}

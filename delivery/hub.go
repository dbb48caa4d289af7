package delivery

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley/eventlog"
	"parley/worker"
)

// Options are the hub's settings; the zero value is useful.
type Options struct {
	// PageSize is how many entries one read of a log asks for; 0 means 200.
	PageSize int
	// RenderTimeout bounds one rendering; 0 means 2 s.
	RenderTimeout time.Duration
	// Confirmed, if given, returns a moment for a log: whatever was stored in it by then, its watchers
	// have been told of, or told to look for. nil: that is always now, since nobody else writes.
	Confirmed func(log string) time.Time
	// Cutoff is how old that moment may be before the hub counts as cut off from the log's store and
	// believes nothing it is told (cutoff.go); 0 means 10 s.
	Cutoff time.Duration
	// MaxReads bounds the pages read from logs at a time; more wait their turn. 0 means 64.
	MaxReads int
	// MaxJudgings bounds the calls of Spec.Authorize at a time: a loss of history or a move of an
	// audience has thousands judged anew. More wait their turn. 0 means 64.
	MaxJudgings int
	// MaxPending bounds the publications of one topic that wait to be handled; beyond it they
	// are dropped and read from the log. 0 means 4,096.
	MaxPending int
	// MaxAudiences bounds the audiences of one topic, beside everyone: each has its renderings of
	// every event. A subscription with one more ends with ErrTooManyAudiences. 0 means 2,000.
	MaxAudiences int
	// Log takes what operators should know; nil means slog.Default().
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

func (o Options) withDefaults() Options {
	if o.PageSize == 0 {
		o.PageSize = 200
	}
	if o.RenderTimeout == 0 {
		o.RenderTimeout = 2 * time.Second
	}
	if o.Cutoff == 0 {
		o.Cutoff = 10 * time.Second
	}
	if o.MaxReads == 0 {
		o.MaxReads = 64
	}
	if o.MaxJudgings == 0 {
		o.MaxJudgings = 64
	}
	if o.MaxPending == 0 {
		o.MaxPending = 4096
	}
	if o.MaxAudiences == 0 {
		o.MaxAudiences = 2000
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// Hub routes publications of topics to the subscribers in this process.
type Hub struct {
	log     eventlog.Log
	options Options
	metrics *metrics
	warned  atomic.Int64 // when operators were last told that the store doesn't answer, in Unix ns
	replays *replays
	reading turns
	judging turns

	// ctx ends when the hub closes; goroutines are what Close joins.
	ctx    context.Context
	cancel context.CancelFunc

	mu         sync.Mutex
	closed     bool
	goroutines worker.Pool
	topics     map[string]*topic
	states     map[string]*stateTopic
}

// NewHub returns a hub over the logs of an engine.
func NewHub(log eventlog.Log, options Options) *Hub {
	ctx, cancel := context.WithCancel(context.Background())
	h := &Hub{
		log: log, options: options.withDefaults(), ctx: ctx, cancel: cancel,
		replays: newReplays(), topics: map[string]*topic{}, states: map[string]*stateTopic{},
	}
	h.reading, h.judging = make(turns, h.options.MaxReads), make(turns, h.options.MaxJudgings)
	h.metrics = newMetrics(options.Registerer, h)
	return h
}

// Close ends the hub: nothing is delivered after it returns, and nothing is told to subscribers.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	h.goroutines.Close()
	h.replays.close()
}

// closing reports whether the hub has begun to close.
func (h *Hub) closing() bool { return h.ctx.Err() != nil }

// spawn starts a goroutine that Close joins; false means that the hub is closing.
func (h *Hub) spawn(f func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.goroutines.Go(f)
	return true
}

// topicFor returns the topic of a log with one more user, opening it if need be; ErrClosed when the
// hub is closing.
func (h *Hub) topicFor(name string) (*topic, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	t, ok := h.topics[name]
	if !ok {
		t = newTopic(h, name)
		h.topics[name] = t
		h.goroutines.Go(t.open)
	}
	t.users++
	return t, nil
}

// release gives up one use of a topic; the last one stops its watch.
func (h *Hub) release(t *topic) {
	h.mu.Lock()
	t.users--
	last := t.users == 0
	if last {
		h.forget(t)
	}
	h.mu.Unlock()
	if last {
		t.cancel()
	}
}

// forget makes the next subscriber open the topic anew. The caller holds h.mu.
func (h *Hub) forget(t *topic) {
	if h.topics[t.name] == t {
		delete(h.topics, t.name)
	}
}

// stateTopicFor returns the topic a state subscription follows, with one more user, opening it if
// need be; ErrClosed when the hub is closing.
func (h *Hub) stateTopicFor(spec Spec) (*stateTopic, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	t, ok := h.states[spec.Topic]
	if !ok {
		t = newStateTopic(h, spec)
		h.states[t.name] = t
		h.goroutines.Go(t.open)
	}
	t.users++
	return t, nil
}

// releaseState gives up one use of a state topic; the last one stops its watch.
func (h *Hub) releaseState(t *stateTopic) {
	h.mu.Lock()
	t.users--
	last := t.users == 0
	if last {
		h.forgetState(t)
	}
	h.mu.Unlock()
	if last {
		t.cancel()
	}
}

// forgetState makes the next subscriber open the topic anew. The caller holds h.mu.
func (h *Hub) forgetState(t *stateTopic) {
	if h.states[t.name] == t {
		delete(h.states, t.name)
	}
}

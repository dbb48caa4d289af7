// Package redis is the engine for many nodes: rooms, logs, presence and typing in one Redis server
// that all nodes share. What is stored and what is published is decided in Lua scripts, one a verb,
// each of them one atomic step on one bucket; docs/redis.md describes every key.
package redis

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley/eventlog"
)

// callTimeout bounds a call from start to end, whatever its context allows.
const callTimeout = 5 * time.Second

// Options say how to open a store.
type Options struct {
	// URL names the servers: redis://user:password@host:port/db or unix:///path?db=0 for one,
	// redis+sentinel://user:password@host:port,…/master/db for one that Sentinels watch,
	// redis+cluster://user:password@host:port,… for a cluster; rediss for TLS. go-redis's options
	// may follow as query parameters.
	URL string
	// TLS is for URLs that begin with rediss.
	TLS TLS
	// Wait says how many replicas must have what is acknowledged.
	Wait Wait
	// Retention of the rooms' logs.
	Retention eventlog.Retention
	// Log is where the store says what no caller is told; nil for nowhere.
	Log *slog.Logger
	// Registerer takes the store's metrics; nil for none. Two stores need two.
	Registerer prometheus.Registerer
	// TailCheck is how often lost hints are looked for; 0 means each second.
	TailCheck time.Duration
	// Queue is how many calls may wait at a time for a slow server, for each in a cluster; more are
	// answered Unavailable at once. 0 means 1024.
	Queue int
}

// Store is all of Parley's storage on one Redis server, or a cluster of them. It implements chat.Store, eventlog.Log,
// eventlog.State, presence.Store and ratelimit.Store.
type Store struct {
	client    *servers
	publish   string
	wait      Wait
	keep      keepRecord
	tailCheck time.Duration
	log       *slog.Logger
	metrics   *metrics

	topics *topics
	buses  []*bus
	// unheard are the buckets whose hints may have been lost, looks the topics to be looked at, stale
	// the state topics whose values may have changed unheard.
	unheard *pending[*bucket]
	looks   *pending[*topic]
	stale   *pending[string]
	leases  leases

	limits *limits
	// Writes wait for replicas; reads don't, and so go apart.
	reads, writes *batcher
	contact       contact
	refusing      *refusing

	// wrongLayout is set while the server has data of another storage format.
	wrongLayout atomic.Pointer[layoutError]

	stop    context.CancelFunc
	running sync.WaitGroup
	closed  atomic.Bool
}

// Open connects to the server and checks that it can be used: that it answers, is 7.0 or later,
// doesn't evict, and holds nothing of another storage format. The error says what to do about it, and
// never the password.
func Open(ctx context.Context, o Options) (*Store, error) {
	client, err := dial(o.URL, o.TLS)
	if err != nil {
		return nil, err
	}
	s := &Store{
		client:    client,
		publish:   client.publish,
		wait:      o.Wait,
		keep:      keepOf(o.Retention),
		tailCheck: cmp.Or(o.TailCheck, time.Second),
		log:       cmp.Or(o.Log, slog.New(slog.DiscardHandler)),
		topics:    newTopics(),
		unheard:   newPending[*bucket](),
		looks:     newPending[*topic](),
		stale:     newPending[string](),
	}
	s.wait.Timeout = cmp.Or(s.wait.Timeout, defaultWait)
	s.limits = newLimits(client.poolSize(), o.Queue)
	s.client.onServer(s.limits.add)
	s.refusing = newRefusing(s.log)
	s.client.onServer(s.refusing.add)
	s.metrics = newMetrics(s.client, s.limits, s.refusing)
	s.reads = newBatcher(s.limits, Wait{}, s.metrics.batches.WithLabelValues("read"))
	s.writes = newBatcher(s.limits, s.wait, s.metrics.batches.WithLabelValues("write"))
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.client.Close())
	}
	if err := s.metrics.register(o.Registerer); err != nil {
		return nil, errors.Join(err, s.client.Close())
	}
	s.begin()
	return s, nil
}

// begin starts the goroutines that Close joins.
func (s *Store) begin() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.contact.checked.Store(new(time.Now()))
	s.buses = newBuses(s.client, s.receive, s.resubscribed, s.metrics.reconnects)
	for _, b := range s.buses {
		s.running.Go(func() { b.run(vital(ctx)) })
	}
	s.running.Go(func() { s.heal(ctx) })
	s.running.Go(func() { s.handOutLooks(ctx) })
	s.running.Go(func() { s.reread(ctx) })
}

// Close ends the store's goroutines and connections. Calls after it answer Unavailable.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.stop()
	s.running.Wait()
	s.metrics.unregister()
	return s.client.Close()
}

// Ready returns nil if the servers answer, and an error that wraps eventlog.ErrReadOnly while one of them
// takes no writes.
func (s *Store) Ready(ctx context.Context) error {
	if layout := s.wrongLayout.Load(); layout != nil {
		return fault(ctx, "ready", layout)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := s.client.Ping(vital(ctx)).Err(); err != nil {
		return fault(ctx, "ready", err)
	}
	return s.refusing.err()
}

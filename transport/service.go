// Package transport is the server's side of sockets and streams: the [Conn] that WebSockets, event
// streams and multipart responses share (outbox, flushing, heartbeat, operations, one close with one
// [Reason]), the running of operations, and the [Service] that counts and drains connections. The wire
// protocols themselves are the packages below this one, each a graphql.Transport.
package transport

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"parley/worker"
)

// Service is what all transports of a process share: settings, and the connections.
type Service struct {
	options Options
	metrics *metrics
	agenda  agenda
	watcher watcher

	mu          sync.Mutex
	draining    bool
	connections map[*Conn]struct{}
	open        sync.WaitGroup
	workers     worker.Pool
}

// NewService returns a service without connections.
func NewService(options Options) *Service {
	return &Service{
		options: options.withDefaults(), metrics: newMetrics(options.Registerer), connections: map[*Conn]struct{}{},
		agenda: agenda{began: time.Now()},
	}
}

// Options returns the settings, defaults filled in. They must not be changed.
func (s *Service) Options() *Options { return &s.options }

// Admit reports whether new connections are accepted; while the node stops it answers the request
// itself, 503, and reports false.
func (s *Service) Admit(w http.ResponseWriter) bool {
	stopping := s.stopping()
	if stopping {
		refuseDraining().Write(w)
	}
	return !stopping
}

func (s *Service) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// Len returns how many connections are open.
func (s *Service) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.connections)
}

func (s *Service) add(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.connections[c] = struct{}{}
	s.open.Add(1)
	s.metrics.opened(c.protocol)
	return true
}

func (s *Service) remove(c *Conn, reason Reason) {
	s.mu.Lock()
	delete(s.connections, c)
	s.mu.Unlock()
	s.metrics.closed(c.protocol, reason)
	s.open.Done()
}

// Drain accepts no new connections, closes each one at some moment of the window with the reason
// that makes stock clients come back, once queries and mutations under way are answered, and waits until all have ended.
// When ctx is done first, it closes the rest at once and returns ctx's error.
func (s *Service) Drain(ctx context.Context, window time.Duration) error {
	all := s.stop()
	begin := time.Now()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i, c := range all {
		share := (float64(i) + rand.Float64()) / float64(len(all))
		wait := time.NewTimer(time.Until(begin.Add(time.Duration(share * float64(window)))))
		select {
		case <-wait.C:
			c.drain()
		case <-ctx.Done():
			wait.Stop()
			c.Close(ReasonDrain)
		}
	}
	s.open.Wait() // bounded: each closing ends after twice CloseTimeout
	return ctx.Err()
}

// Close accepts no new connections, closes all at once and waits until they have ended.
func (s *Service) Close() {
	for _, c := range s.stop() {
		c.Close(ReasonDrain)
	}
	s.open.Wait()
	s.watcher.close()
	s.workers.Close()
}

// stop accepts no new connections and returns those there are.
func (s *Service) stop() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	all := make([]*Conn, 0, len(s.connections))
	for c := range s.connections {
		all = append(all, c)
	}
	return all
}

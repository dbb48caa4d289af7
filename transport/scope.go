package transport

import (
	"context"
	"sync"
	"time"
)

// scope is the context of a connection, which ends when that begins to shut down. It is the connection itself, and has a
// channel only if somebody waits for its end, as few do: those of package context would take as much as all else that is
// idle of a small connection.
type scope Conn

var _ context.Context = (*scope)(nil)

// scopeEnd is the end of a scope, and who waits for it. It has a lock of its own, under which nothing else is asked for: whoever
// looks at a context may hold any other.
type scopeEnd struct {
	mu    sync.Mutex
	come  bool
	waits *scopeWaits // nil while nobody waits
}

type scopeWaits struct {
	channel chan struct{}
	calls   map[*func()]struct{} // to be made
}

type connKey struct{}

// ConnFrom returns the connection that an operation runs on, nil if that isn't one that lasts.
func ConnFrom(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// Deadline implements context.Context.
func (*scope) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context.
func (s *scope) Value(key any) any {
	if key == (connKey{}) {
		return (*Conn)(s)
	}
	return s.base.Value(key)
}

// Done implements context.Context.
func (s *scope) Done() <-chan struct{} {
	s.ended.mu.Lock()
	defer s.ended.mu.Unlock()
	return s.ended.waited().channel
}

// waited returns what those wait by who do; called under mu.
func (e *scopeEnd) waited() *scopeWaits {
	if e.waits == nil {
		e.waits = &scopeWaits{channel: make(chan struct{}), calls: map[*func()]struct{}{}}
		if e.come {
			close(e.waits.channel)
		}
	}
	return e.waits
}

// Err implements context.Context.
func (s *scope) Err() error {
	s.ended.mu.Lock()
	defer s.ended.mu.Unlock()
	if s.ended.come {
		return context.Canceled
	}
	return nil
}

// AfterFunc is what package context looks for before it has a goroutine wait for the end, for each context made of this one.
func (s *scope) AfterFunc(f func()) (stop func() bool) {
	s.ended.mu.Lock()
	defer s.ended.mu.Unlock()
	if s.ended.come {
		go f()
		return func() bool { return false }
	}
	call := &f
	s.ended.waited().calls[call] = struct{}{}
	return func() bool {
		s.ended.mu.Lock()
		defer s.ended.mu.Unlock()
		_, waits := s.ended.waited().calls[call]
		delete(s.ended.waited().calls, call)
		return waits
	}
}

// endScope ends the connection's context.
func (c *Conn) endScope() {
	c.ended.mu.Lock()
	defer c.ended.mu.Unlock()
	c.ended.come = true
	if c.ended.waits == nil {
		return
	}
	close(c.ended.waits.channel)
	for call := range c.ended.waits.calls {
		go (*call)()
	}
	clear(c.ended.waits.calls)
}

package transport

import (
	"context"
	"time"
)

// scope is the context of a connection, which ends when that begins to shut down. It is the connection itself, and has a
// channel only if somebody waits for its end, as few do: those of package context would take as much as all else that is
// idle of a small connection.
type scope Conn

var _ context.Context = (*scope)(nil)

// scopeEnd is the end of a scope, and who waits for it; guarded by the connection's mu.
type scopeEnd struct {
	channel chan struct{}        // nil while nobody waits
	calls   map[*func()]struct{} // to be made
	come    bool
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.channel == nil {
		s.ended.channel = make(chan struct{})
		if s.ended.come {
			close(s.ended.channel)
		}
	}
	return s.ended.channel
}

// Err implements context.Context.
func (s *scope) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.come {
		return context.Canceled
	}
	return nil
}

// AfterFunc is what package context looks for before it has a goroutine wait for the end, for each context made of this one.
func (s *scope) AfterFunc(f func()) (stop func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.come {
		go f()
		return func() bool { return false }
	}
	if s.ended.calls == nil {
		s.ended.calls = map[*func()]struct{}{}
	}
	call := &f
	s.ended.calls[call] = struct{}{}
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, waits := s.ended.calls[call]
		delete(s.ended.calls, call)
		if len(s.ended.calls) == 0 {
			s.ended.calls = nil
		}
		return waits
	}
}

// endScope ends the connection's context.
func (c *Conn) endScope() {
	c.mu.Lock()
	calls := c.ended.calls
	c.ended.come, c.ended.calls = true, nil
	if c.ended.channel != nil {
		close(c.ended.channel)
	}
	c.mu.Unlock()
	for call := range calls {
		go (*call)()
	}
}

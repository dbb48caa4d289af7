package ratelimit

import (
	"sync"
	"time"
)

// maxKeys bounds the rates that one limiter remembers: about 10 MiB at the worst.
const maxKeys = 100_000

// Limiter judges one limit for many keys, for this node alone. It is safe for concurrent use, and a
// nil one allows everything.
type Limiter struct {
	name     string
	limit    Limit
	refusals *Refusals

	mu    sync.Mutex
	table *Table
}

// NewLimiter returns a limiter by the name that its refusals are counted under; nil, which allows
// everything, if the limit bounds nothing.
func NewLimiter(name string, limit Limit, refusals *Refusals) *Limiter {
	if limit.Unlimited() {
		return nil
	}
	return &Limiter{name: name, limit: limit, refusals: refusals, table: NewTable(maxKeys)}
}

// Take charges one doing of a key's, or returns an *[Exceeded].
func (l *Limiter) Take(key string) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	err := l.table.Take(time.Now(), l.cost(key))
	l.mu.Unlock()
	return l.refusals.Count(err)
}

// Refund gives back what one doing was charged that didn't come about. A rate is never better than unused.
func (l *Limiter) Refund(key string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.table.Refund(time.Now(), l.cost(key))
}

// Check returns an *[Exceeded] if one doing of a key's wouldn't be covered now, and charges nothing.
func (l *Limiter) Check(key string) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	err := l.table.Check(time.Now(), l.cost(key))
	l.mu.Unlock()
	return l.refusals.Count(err)
}

func (l *Limiter) cost(key string) Cost { return Cost{Name: l.name, Key: key, Limit: l.limit} }

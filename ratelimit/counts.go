package ratelimit

import "sync"

// Counts is how many of something each key has at a time. What it holds is bounded by what is
// counted. It is safe for concurrent use.
type Counts[K comparable] struct {
	max int

	mu   sync.Mutex
	held map[K]int
}

// NewCounts returns counts that may reach max; 0 bounds nothing.
func NewCounts[K comparable](max int) *Counts[K] {
	return &Counts[K]{max: max, held: map[K]int{}}
}

// Enter counts one more, whatever the bound, and reports whether it is within it. Each Enter has its
// Leave.
func (c *Counts[K]) Enter(key K) (within bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[key]++
	return c.max == 0 || c.held[key] <= c.max
}

// Leave counts one less.
func (c *Counts[K]) Leave(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[key]--; c.held[key] <= 0 {
		delete(c.held, key)
	}
}

// Full reports whether one more would be beyond the bound.
func (c *Counts[K]) Full(key K) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.max > 0 && c.held[key] >= c.max
}

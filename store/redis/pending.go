package redis

import (
	"maps"
	"slices"
	"sync"
)

// pending is a set of what there is to do, bounded by what is watched.
type pending[T comparable] struct {
	mu    sync.Mutex
	items map[T]bool
	wake  chan struct{} // holds one: something was added
}

func newPending[T comparable]() *pending[T] {
	return &pending[T]{items: map[T]bool{}, wake: make(chan struct{}, 1)}
}

func (p *pending[T]) add(items ...T) {
	if len(items) == 0 {
		return
	}
	p.keep(items)
	poke(p.wake)
}

// keep puts back what couldn't be done now; that wakes nobody.
func (p *pending[T]) keep(items []T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, item := range items {
		p.items[item] = true
	}
}

// take takes at most n.
func (p *pending[T]) take(n int) []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := make([]T, 0, min(n, len(p.items)))
	for item := range p.items {
		if len(taken) == n {
			break
		}
		taken = append(taken, item)
		delete(p.items, item)
	}
	return taken
}

// takeAll takes all there are.
func (p *pending[T]) takeAll() []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := slices.Collect(maps.Keys(p.items))
	clear(p.items)
	return taken
}

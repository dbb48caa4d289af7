// Package worker has goroutines that are used again. A new goroutine begins on a small stack, and running an
// operation or a rendering makes it grow several times; one that has done so before has the room.
package worker

import (
	"slices"
	"sync"
	"time"
)

const (
	// maxIdle bounds the goroutines that wait for work.
	maxIdle = 64
	// idleFor is how long one waits in vain, or up to twice that, before it ends.
	idleFor = time.Second
)

// Pool is goroutines that work. Any number work at a time; a few stay when there is nothing to do. The zero
// Pool is ready.
type Pool struct {
	mu     sync.Mutex
	closed bool
	idle   []chan func() // the one that worked last is the last
	spare  int           // how many have been idle at the least since the last look
	look   *time.Timer   // runs while some are idle; nil while none are
	all    sync.WaitGroup
}

// Go runs f in a goroutine of the pool, a new one if none is idle.
func (p *Pool) Go(f func()) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		next := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.spare = min(p.spare, n-1)
		p.mu.Unlock()
		next <- f
		return
	}
	p.mu.Unlock()
	p.all.Go(func() { p.work(f) })
}

func (p *Pool) work(f func()) {
	next := make(chan func(), 1)
	for {
		f()
		if !p.rest(next) {
			return
		}
		f = <-next
		if f == nil {
			return
		}
	}
}

// rest has a goroutine wait for work, which comes by a channel; false means that it isn't needed.
func (p *Pool) rest(next chan func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) == maxIdle {
		return false
	}
	p.idle = append(p.idle, next)
	if p.look == nil {
		p.spare = 0
		p.look = time.AfterFunc(idleFor, p.dismiss)
	}
	return true
}

// dismiss ends those who weren't needed since the last look.
func (p *Pool) dismiss() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, next := range p.idle[:p.spare] {
		next <- nil
	}
	p.idle = slices.Delete(p.idle, 0, p.spare)
	if p.spare = len(p.idle); p.spare > 0 {
		p.look.Reset(idleFor)
	} else {
		p.look = nil
	}
}

// Close waits until all work is done and all goroutines have ended. Go may still be called while it waits, by
// what works.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	for _, next := range p.idle {
		next <- nil
	}
	p.idle, p.spare = nil, 0
	if p.look != nil {
		p.look.Stop()
	}
	p.mu.Unlock()
	p.all.Wait()
}

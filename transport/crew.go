package transport

import (
	"sync"

	"parley/worker"
)

// crew is the goroutines of a connection, whose end can be waited for. The zero value is ready.
type crew struct {
	mu    sync.Mutex
	over  bool
	count sync.WaitGroup
}

func (c *crew) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.count.Add(1)
	}
	return !c.over
}

// Go runs f in a goroutine; false means that the crew is over and f doesn't run.
func (c *crew) Go(f func()) bool {
	if !c.enter() {
		return false
	}
	go func() {
		defer c.count.Done()
		f()
	}()
	return true
}

// Work is Go for what doesn't take long, and needs room on its stack.
func (c *crew) Work(workers *worker.Pool, f func()) bool {
	if !c.enter() {
		return false
	}
	workers.Go(func() {
		defer c.count.Done()
		f()
	})
	return true
}

// Do runs f in the calling goroutine, as part of the crew.
func (c *crew) Do(f func()) {
	if c.enter() {
		defer c.count.Done()
		f()
	}
}

// Wait ends the crew: nobody joins it any more, and all have gone when it returns.
func (c *crew) Wait() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.count.Wait()
}

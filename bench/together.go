package main

import (
	"sync"
	"sync/atomic"
)

// together calls do for 0 up to n, so many at a time, until one fails.
func together(workers, n int, do func(i int) error) error {
	var next atomic.Int64
	var once sync.Once
	var failed error
	var working sync.WaitGroup
	for range min(workers, n) {
		working.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					once.Do(func() { failed = err })
					next.Store(int64(n))
					return
				}
			}
		})
	}
	working.Wait()
	return failed
}

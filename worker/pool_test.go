package worker_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"parley/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPool: all work runs at once, however much, and is joined.
func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p worker.Pool
		for round := range 3 {
			const many = 1000
			gate := make(chan struct{})
			var begun, done sync.WaitGroup
			begun.Add(many)
			for range many {
				done.Add(1)
				p.Go(func() {
					defer done.Done()
					begun.Done()
					<-gate
				})
			}
			begun.Wait() // else the round would hang
			close(gate)
			done.Wait()
			t.Log("round", round)
		}
		after := false
		p.Go(func() { p.Go(func() { after = true }) })
		p.Close()
		if !after {
			t.Error("work of work wasn't waited for")
		}
	})
}

func deep(n int) byte {
	var room [512]byte
	room[n%512] = byte(n)
	if n > 0 {
		room[0] += deep(n - 1)
	}
	return room[0]
}

func BenchmarkGo(b *testing.B) {
	var p worker.Pool
	defer p.Close()
	for name, run := range map[string]func(func()){"new": func(f func()) { go f() }, "again": p.Go} {
		b.Run(name, func(b *testing.B) {
			done := make(chan struct{})
			for b.Loop() {
				run(func() {
					deep(40)
					done <- struct{}{}
				})
				<-done
			}
		})
	}
}

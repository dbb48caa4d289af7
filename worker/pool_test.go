package worker_test

import (
	"bytes"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

// TestIdleWorkersLeave: those that aren't needed for a while, and no others.
func TestIdleWorkersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p worker.Pool
		defer p.Close()
		workers := func() int {
			stacks := make([]byte, 1<<20)
			return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("worker.(*Pool).work("))
		}
		work := func(n int) {
			for range n {
				p.Go(func() { time.Sleep(time.Millisecond) })
			}
			time.Sleep(100 * time.Millisecond)
		}
		work(10)
		for range 50 { // five seconds in which three are needed
			work(3)
		}
		if n := workers(); n != 3 {
			t.Errorf("%d are left of ten, want the three that are needed", n)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := workers(); n != 0 {
			t.Errorf("%d are left that aren't needed", n)
		}
		work(5)
		if n := workers(); n != 5 {
			t.Errorf("%d work again, want five", n)
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

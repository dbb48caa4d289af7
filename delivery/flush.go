package delivery

import (
	"runtime"
	"sync"
	"sync/atomic"

	"parley/worker"
)

// partition is how many connections one goroutine flushes at a time, where there are more.
const partition = 128

// flushing has connections flushed, by as many goroutines as there are cores where they are many. All have
// been when it returns: so the next events find the order kept. It belongs to one mailbox.
type flushing struct {
	lanes []*Lane
	next  atomic.Int64 // of lanes
	more  sync.WaitGroup
	work  func() // take, kept
}

// flush flushes all lanes and forgets them.
func (f *flushing) flush(workers *worker.Pool) {
	f.next.Store(0)
	for range min(runtime.GOMAXPROCS(0), len(f.lanes)/partition) - 1 {
		if f.work == nil {
			f.work = func() {
				defer f.more.Done()
				f.take()
			}
		}
		f.more.Add(1)
		workers.Go(f.work)
	}
	f.take()
	f.more.Wait()
	clear(f.lanes) // they may have gone by the next time
	f.lanes = f.lanes[:0]
}

// take flushes one partition after another.
func (f *flushing) take() {
	for {
		end := int(f.next.Add(partition))
		begin := end - partition
		if begin >= len(f.lanes) {
			return
		}
		for _, lane := range f.lanes[begin:min(end, len(f.lanes))] {
			lane.Flush()
		}
	}
}

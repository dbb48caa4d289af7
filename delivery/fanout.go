package delivery

import (
	"runtime"
	"sync"
	"sync/atomic"

	"parley/worker"
)

// partition is how many receivers one goroutine serves at a time, where there are more: few enough for
// their connections to be still in the core's cache when what was put is written.
const partition = 128

// fanOut gives events to receivers and has their connections flushed, by several goroutines where they are
// many. All have been when it returns: so the next events find the order kept. It belongs to one mailbox.
type fanOut struct {
	receivers []*Subscriber
	events    []*Event
	next      atomic.Int64 // of receivers
	more      sync.WaitGroup
	work      func() // take, kept
}

// give gives events to all receivers.
func (f *fanOut) give(receivers []*Subscriber, events []*Event, workers *worker.Pool) {
	f.receivers, f.events = receivers, events
	f.next.Store(0)
	for range min(cores(), len(receivers)/partition) - 1 {
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
	f.receivers, f.events = nil, nil
}

// cores is how many of them a group may use at a time: half. The others are for the rest of the node, and
// for the kernel's part in what has been written, without which the same writes cost more (ADR 0014).
func cores() int { return (runtime.GOMAXPROCS(0) + 1) / 2 }

// take serves one partition after another: events go into the lanes first, so that a connection with
// several of them is flushed once.
func (f *fanOut) take() {
	var idle [partition]*Lane
	for {
		end := int(f.next.Add(partition))
		begin := end - partition
		if begin >= len(f.receivers) {
			return
		}
		n := 0
		for _, s := range f.receivers[begin:min(end, len(f.receivers))] {
			if s.lane.Put(f.events...) {
				idle[n] = s.lane
				n++
			}
		}
		for _, lane := range idle[:n] {
			lane.Flush()
		}
	}
}

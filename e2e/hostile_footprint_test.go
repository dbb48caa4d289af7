package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"parley/e2e/parleytest"
)

// footprint is what a server holds.
type footprint struct {
	goroutines, descriptors, connections float64
	// heap is what is reachable, stacks what goroutines stand on, resident what the process occupies, all in bytes.
	heap, stacks, resident float64
}

// String is a footprint for people.
func (f footprint) String() string {
	return fmt.Sprintf("%.0f goroutines, %.0f descriptors, %.0f connections, heap %.1f MiB, resident %.1f MiB",
		f.goroutines, f.descriptors, f.connections, f.heap/(1<<20), f.resident/(1<<20))
}

// measure collects the server's garbage and reads its metrics.
func measure(t testing.TB, node *parleytest.Node) footprint {
	t.Helper()
	response, err := http.Get(node.Admin + "/debug/pprof/heap?gc=1")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return footprint{
		goroutines: node.Metric(t, "go_goroutines"), descriptors: node.Metric(t, "process_open_fds"),
		connections: node.Metric(t, "parley_connections"),
		heap:        node.Metric(t, "go_memstats_heap_alloc_bytes"), stacks: node.Metric(t, "go_memstats_stack_inuse_bytes"),
		resident: node.Metric(t, "process_resident_memory_bytes"),
	}
}

// settled waits until no client is left, and measures.
func settled(t testing.TB, node *parleytest.Node) footprint {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	parleytest.Eventually(t, "the connections are gone", func() bool { return node.Metric(t, "parley_connections") == 0 })
	return measure(t, node)
}

const (
	// A few more may be there for work that comes and goes: a store's readers, timers, caches.
	strayGoroutines, strayDescriptors = 8, 8
	strayHeap                         = 8 << 20
)

// nothingLeft checks that the server is back where it was.
func nothingLeft(t testing.TB, node *parleytest.Node, before footprint) {
	t.Helper()
	var after footprint
	for late := parleytest.Deadline(); ; {
		after = settled(t, node)
		left := after.goroutines > before.goroutines+strayGoroutines || after.descriptors > before.descriptors+strayDescriptors ||
			after.heap > before.heap+strayHeap
		if !left {
			break
		}
		if late() {
			t.Errorf("something is left: %v", after)
			break
		}
		time.Sleep(linger) // measuring collects garbage: not all the time
	}
	t.Logf("before: %v\nafter:  %v", before, after)
}

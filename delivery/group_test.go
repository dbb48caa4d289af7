package delivery_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"parley/delivery"
)

// TestWaitingLeavesTogether: what comes one by one while a group is busy is written at once when it goes on.
func TestWaitingLeavesTogether(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		hold := make(chan struct{})
		sub := forOne("ada")
		sub.Renderer = &renderer{instead: func(context.Context, delivery.Source) ([]byte, error) {
			<-hold
			return nil, nil
		}}
		writes := 0
		conn := &connection{}
		conn.outbox = newOutbox(roomy, func() { writes++; conn.drain() }, func() { t.Error("overflow") })
		ada := w.subscribeOn(conn, sub)
		w.settle()
		var all []*entry
		for range 5 {
			all = append(all, w.log.append(room, kindNote))
			w.settle()
		}
		close(hold)
		ada.saw(names(all...)...)
		w.same("writes", writes, 2)
	})
}

// TestBusyGroupGathers: a large group in which one publication follows the other waits a moment for more; one
// that comes alone waits for nobody.
func TestBusyGroupGathers(t *testing.T) {
	const members, write, run = 200, 50 * time.Microsecond, 10 * time.Millisecond
	inWorld(t, delivery.Options{}, func(w world) {
		writes, last := 0, time.Time{}
		var clients []*client
		for range members {
			conn := &connection{}
			conn.outbox = newOutbox(roomy, func() {
				time.Sleep(write)
				conn.drain()
				writes, last = writes+1, time.Now()
			}, func() { t.Error("overflow") })
			clients = append(clients, w.subscribeOn(conn, forOne("ada")))
		}
		time.Sleep(time.Minute)
		w.settle()
		writes = 0
		began := time.Now()
		var all []*entry
		for _, at := range []time.Duration{0, 1, 11} { // the second while the first is written, the third right after
			time.Sleep(time.Until(began.Add(at * time.Millisecond)))
			all = append(all, w.log.append(room, kindNote))
		}
		time.Sleep(time.Minute)
		w.settle()
		w.same("writes of three", writes, 2*members)

		began = time.Now()
		all = append(all, w.log.append(room, kindNote))
		time.Sleep(time.Minute)
		w.settle()
		w.same("how long one alone took", last.Sub(began), run)
		for _, c := range clients {
			c.saw(names(all...)...)
		}
	})
}

// TestManyAreFlushedBySeveralCores: by several goroutines at once, and in order all the same.
func TestManyAreFlushedBySeveralCores(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 4 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	}
	inWorld(t, delivery.Options{}, func(w world) {
		var atOnce atomic.Int64
		var several atomic.Bool
		flush := func(conn *connection) {
			if atOnce.Add(1) > 1 {
				several.Store(true)
			}
			time.Sleep(time.Millisecond) // a slow write
			conn.drain()
			atOnce.Add(-1)
		}
		var clients []*client
		for range 600 {
			conn := &connection{}
			conn.outbox = newOutbox(roomy, func() { flush(conn) }, func() { t.Error("overflow") })
			clients = append(clients, w.subscribeOn(conn, forOne("ada")))
		}
		w.settle()
		var all []*entry
		for range 20 {
			all = append(all, w.log.append(room, kindNote))
		}
		time.Sleep(time.Minute)
		for _, c := range clients {
			c.saw(names(all...)...)
		}
		if !several.Load() {
			t.Error("one by one")
		}
	})
}

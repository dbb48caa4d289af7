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
		conn.outbox = delivery.NewOutbox(roomy, func() { writes++; conn.drain() }, func() { t.Error("overflow") })
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

// TestManyAreFlushedByAllCores: by several goroutines at once, and in order all the same.
func TestManyAreFlushedByAllCores(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
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
			conn.outbox = delivery.NewOutbox(roomy, func() { flush(conn) }, func() { t.Error("overflow") })
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

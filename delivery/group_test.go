package delivery_test

import (
	"context"
	"testing"

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

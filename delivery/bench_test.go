package delivery_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"parley/delivery"
)

// crowd is many live subscriptions of one group, each on a connection that reads at once.
type crowd struct {
	log      *fakeLog
	hub      *delivery.Hub
	renderer renderer
	size     int64
	taken    atomic.Int64
	all      chan struct{} // a signal when everybody has taken an event
}

// newCrowd returns n live subscriptions, each changed by edits. The caller closes the hub.
func newCrowd(b *testing.B, n int, edits ...func(delivery.Subscription) delivery.Subscription) *crowd {
	c := &crowd{log: newFakeLog(), size: int64(n), all: make(chan struct{}, 1)}
	c.log.create(room)
	c.hub = delivery.NewHub(c.log, delivery.Options{})
	for range n {
		sub := forOne("ada")
		sub.Renderer, sub.Lane = &c.renderer, c.connect()
		sub.Spec.Start = c.log.tail(room)
		sub.Done = func(err error) { b.Errorf("ended: %v", err) }
		for _, edit := range edits {
			sub = edit(sub)
		}
		if _, err := c.hub.Subscribe(sub); err != nil {
			b.Fatal(err)
		}
	}
	for rendered := int64(0); rendered != 1; { // more while some of them replay
		before := c.renderer.renders.Load()
		c.send()
		rendered = c.renderer.renders.Load() - before
	}
	return c
}

func (c *crowd) connect() *delivery.Lane {
	var o *delivery.Outbox
	buf := make([]byte, 0, 512)
	o = newOutbox(roomy, func() {
		for {
			if _, more := o.Take(buf, 256); !more {
				return
			}
			if c.taken.Add(1) == c.size {
				c.all <- struct{}{}
			}
		}
	}, func() {})
	return o.NewLane(plain{}, []byte(`"id":"1"}`))
}

// send sends one event and waits until everybody has taken it.
func (c *crowd) send() {
	c.taken.Store(0)
	c.log.append(room, kindNote)
	<-c.all
}

// BenchmarkFanOut is one event to the subscriptions of a group.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint("to ", n), func(b *testing.B) {
			c := newCrowd(b, n)
			defer c.hub.Close()
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				c.send()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
		})
	}
}

// BenchmarkAudienceMoves is an event at which the audience of 1,000 subscriptions has moved to another.
func BenchmarkAudienceMoves(b *testing.B) {
	var setting atomic.Int64
	move := func(sub delivery.Subscription) delivery.Subscription {
		render := sub.Renderer.Render
		sub.Share = func(delivery.Access) delivery.Sharing {
			name := fmt.Sprint(setting.Load())
			return delivery.Sharing{Group: name, Audience: name, Renderer: &renderer{instead: func(ctx context.Context, source delivery.Source) ([]byte, error) {
				if name != fmt.Sprint(setting.Load()) {
					return nil, delivery.ErrAudienceMoved
				}
				return render(ctx, source)
			}}}
		}
		sub.Sharing = sub.Share(sub.Spec.Access)
		return sub
	}
	c := newCrowd(b, 1000, move)
	defer c.hub.Close()
	before := c.renderer.renders.Load()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		setting.Add(1)
		c.send()
	}
	b.ReportMetric(float64(c.renderer.renders.Load()-before)/float64(b.N), "renders/move")
}

// BenchmarkHint is an entry that no subscription shows, through the mailboxes of topic and group:
// in bursts of 100, as they come.
func BenchmarkHint(b *testing.B) {
	c := newCrowd(b, 1)
	defer c.hub.Close()
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		if n%100 == 99 {
			c.send()
		} else {
			c.log.append(room, kindSilent)
		}
	}
}

// BenchmarkOutbox is a put, flushed and taken at once.
func BenchmarkOutbox(b *testing.B) {
	var o *delivery.Outbox
	buf := make([]byte, 0, 512)
	o = newOutbox(roomy, func() {
		for more := true; more; {
			_, more = o.Take(buf, 256)
		}
	}, func() {})
	l := o.NewLane(plain{}, []byte(`"id":"1"}`))
	e := event(1, `{"data":{"messageAdded":{"content":"hello"}}}`)
	b.ReportAllocs()
	for b.Loop() {
		if l.Put(e) {
			l.Flush()
		}
	}
}

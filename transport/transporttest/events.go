package transporttest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"parley/transport"
)

func (s suite) order(t *testing.T) {
	rig := s.rig(t, transport.Options{})
	const readers, events = 5, 400
	start := rig.Logs.Tail("a").String()
	var published sync.WaitGroup
	published.Go(func() {
		for n := range events {
			rig.Tick("a", fmt.Sprint(n))
			if n%10 == 0 {
				rig.Logs.Publish("a", KindHidden, "hidden")
			}
		}
	})
	for range readers {
		stream := s.client.Subscribe(t, rig, "", ticks("a"), start)
		for n := range events {
			if got := event(t, stream); got.Value != fmt.Sprint(n) {
				t.Fatalf("got %+v, want %d", got, n)
			}
		}
		stream.Close()
	}
	published.Wait()
}

func (s suite) positions(t *testing.T) {
	rig := s.rig(t, transport.Options{Heartbeat: 400 * time.Millisecond})
	rig.Tick("a", "before")
	start := rig.Logs.Tail("a").String()
	stream := s.client.Subscribe(t, rig, "", ticks("a"), "")
	if got := stream.Next(); got.Kind != Position || got.Cursor != start {
		t.Fatalf("got %+v at the start, want the position %s", got, start)
	}
	want := rig.Tick("a", "x")
	if got := stream.Next(); got.Kind != Event || got.Cursor != want {
		t.Fatalf("got %+v, want the event with cursor %s and no position before it", got, want)
	}
	hidden := rig.Logs.Publish("a", KindHidden, "y").String()
	if got := stream.Next(); got.Kind != Position || got.Cursor != hidden {
		t.Fatalf("got %+v, want the position %s", got, hidden)
	}
	rig.Tick("a", "z")
	if got := stream.Next(); got.Kind != Event || got.Value != "z" {
		t.Fatalf("got %+v, want z: a position is told once", got)
	}
	stream.Close()
}

func (s suite) resume(t *testing.T) {
	rig := s.rig(t, transport.Options{})
	cursor := rig.Logs.Tail("a").String()
	published, seen := 0, 0
	for range 10 {
		for range 4 {
			rig.Tick("a", fmt.Sprint(published))
			published++
		}
		stream := s.client.Subscribe(t, rig, "", ticks("a"), cursor)
		for range 3 + seen%2 {
			item := event(t, stream)
			if item.Value != fmt.Sprint(seen) {
				t.Fatalf("got %+v, want %d", item, seen)
			}
			cursor = item.Cursor
			seen++
		}
		stream.Close()
	}
}

func (s suite) state(t *testing.T) {
	rig := s.rig(t, transport.Options{Heartbeat: 400 * time.Millisecond})
	rig.SetState("k", "present")
	stream := s.client.Subscribe(t, rig, "", `subscription { state(key: "k") }`, "")
	if got := stream.Next(); got.Kind != Event || got.Value != "present" || got.Cursor != "" {
		t.Fatalf("got %+v, want the present value, and no position", got)
	}
	rig.SetState("k", "new")
	if got := stream.Next(); got.Value != "new" || got.Cursor != "" {
		t.Fatalf("got %+v", got)
	}
	stream.Close()
}

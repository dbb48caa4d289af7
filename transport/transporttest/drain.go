package transporttest

import (
	"context"
	"sync"
	"testing"
	"time"

	"parley/transport"
)

func (s suite) drain(t *testing.T) {
	rig := s.rig(t, transport.Options{})
	var streams []Stream
	for range 20 {
		stream := s.client.Subscribe(t, rig, "", ticks("a"), "")
		stream.Next()
		streams = append(streams, stream)
	}
	var reading sync.WaitGroup
	for _, stream := range streams {
		reading.Go(func() {
			// A subscription that seems complete wouldn't be taken up again elsewhere.
			if got := stream.Next(); got.Kind != End || !got.Retry {
				t.Errorf("got %+v, want the end, and to be told to come back", got)
			}
			stream.Close()
		})
	}
	if err := rig.Service.Drain(t.Context(), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if rig.Service.Len() != 0 {
		t.Fatal("drained, but there are connections")
	}
	reading.Wait()
}

func (s suite) drainOutOfTime(t *testing.T) {
	rig := s.rig(t, transport.Options{CloseTimeout: 100 * time.Millisecond})
	for range 3 {
		s.client.Subscribe(t, rig, "", ticks("a"), "").Next()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := rig.Service.Drain(ctx, time.Hour); err == nil {
		t.Fatal("in time?")
	}
	if rig.Service.Len() != 0 {
		t.Fatal("drained, but there are connections")
	}
}

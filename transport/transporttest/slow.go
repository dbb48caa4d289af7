package transporttest

import (
	"fmt"
	"testing"
	"time"

	"parley/transport"
)

// More than sockets (see narrow) and the outbox hold, in events of a size.
const (
	fillEvents = 120
	fillSize   = 16 << 10
)

// fill publishes more than a reader who stands still can have waiting.
func fill(rig *Rig, log string) {
	text := noise(fillSize)
	for range fillEvents {
		rig.Tick(log, text)
	}
}

// goLive publishes until all streams are past their replay: only what is live is pushed, a replay
// waits for its reader.
func goLive(t testing.TB, rig *Rig, log string, streams ...Stream) {
	t.Helper()
	for _, stream := range streams {
		if got := stream.Next(); got.Kind != Position {
			t.Fatalf("got %+v at the start, want the position", got)
		}
	}
	Wait(t, "live", func() bool {
		before := rig.Metric(t, "parley_deliveries_total")
		rig.Tick(log, "live?")
		for _, stream := range streams {
			event(t, stream)
		}
		return rig.Metric(t, "parley_deliveries_total") == before+float64(len(streams))
	})
}

func (s suite) slowReader(t *testing.T) {
	rig := s.rig(t, transport.Options{HighWater: 256 << 10})
	slow := s.client.Subscribe(t, rig, "", ticks("a"), "")
	quick := s.client.Subscribe(t, rig, "", ticks("a"), "")
	goLive(t, rig, "a", slow, quick)
	text := noise(fillSize)
	for n := range fillEvents {
		rig.Tick("a", fmt.Sprint(n, text))
		event(t, quick)
	}
	if rig.Metric(t, "parley_lags_total") == 0 {
		t.Error("nobody fell behind")
	}
	for n := range fillEvents {
		if got := event(t, slow); got.Value != fmt.Sprint(n, text) {
			t.Fatalf("got %.50v, want event %d", got, n)
		}
	}
	rig.Tick("a", "done")
	for _, stream := range []Stream{slow, quick} {
		if got := event(t, stream); got.Value != "done" {
			t.Fatalf("got %.50v", got)
		}
	}
	slow.Close()
	quick.Close()
}

func (s suite) neverReads(t *testing.T) {
	rig := s.rig(t, transport.Options{CloseTimeout: 200 * time.Millisecond, WriteTimeout: time.Second, HighWater: 256 << 10})
	slow := s.client.Subscribe(t, rig, "", ticks("a"), "")
	goLive(t, rig, "a", slow)
	fill(rig, "a")
	rig.WaitUntilIdle(t)
	slow.Close()
}

// deadlines: one write's deadline must not end the connection long after it.
func (s suite) deadlines(t *testing.T) {
	const deadline = time.Second
	rig := s.rig(t, transport.Options{WriteTimeout: deadline})
	stream := s.client.Subscribe(t, rig, "", ticks("a"), "")
	stream.Next()
	time.Sleep(deadline * 5 / 4) // nobody tells that it has passed
	rig.Tick("a", "x")
	if got := event(t, stream); got.Value != "x" {
		t.Fatalf("got %+v", got)
	}
	stream.Close()
}

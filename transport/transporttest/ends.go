package transporttest

import (
	"testing"
	"time"

	"parley/eventlog"
	"parley/transport"
)

func (s suite) ends(t *testing.T) {
	rig := s.rig(t, transport.Options{})
	access := func(log string, change eventlog.Change) {
		rig.Tick(log, "last but one")
		rig.Logs.Publish(log, KindTick, "last", eventlog.AccessChange{Principal: "ada", Change: change})
		rig.Tick(log, "hers no more")
	}
	for name, test := range map[string]struct {
		change eventlog.Change
		end    Item
	}{
		"left":    {eventlog.AccessLeft, Item{Kind: Complete}},
		"revoked": {eventlog.AccessRevoked, Item{Kind: Errors, Code: "FORBIDDEN"}},
	} {
		t.Run(name, func(t *testing.T) {
			stream := s.client.Subscribe(t, rig, "ada", ticks(name), "")
			Wait(t, "watched", func() bool { return rig.Logs.Watched() == 1 })
			access(name, test.change)
			for _, want := range []string{"last but one", "last"} {
				if got := event(t, stream); got.Value != want {
					t.Fatalf("got %+v, want %s", got, want)
				}
			}
			if got := stream.Next(); got != test.end {
				t.Fatalf("got %+v, want %+v", got, test.end)
			}
			Wait(t, "unwatched", func() bool { return rig.Logs.Watched() == 0 })
			stream.Close()
		})
	}
	t.Run("history lost", func(t *testing.T) {
		lost := eventlog.Cursor{Kind: eventlog.CursorLog, Log: "lost", Position: eventlog.Position{Epoch: 1, Offset: 9}, Seq: 9}
		stream := s.client.Subscribe(t, rig, "", ticks("lost"), lost.String())
		stream.Next()
		if got := stream.Next(); got.Kind != Errors || got.Code != "HISTORY_LOST" {
			t.Fatalf("got %+v", got)
		}
		stream.Close()
	})
}

func (s suite) refusals(t *testing.T) {
	rig := s.rig(t, transport.Options{})
	for query, code := range map[string]string{
		`subscription { ticks`:                           "BAD_INPUT",
		`subscription { nothing }`:                       "BAD_INPUT",
		`subscription { ticks(log: "missing") }`:         "NOT_FOUND",
		`subscription { ticks(log: "a", after: "junk")}`: "BAD_INPUT",
		`subscription { panic }`:                         "INTERNAL",
	} {
		t.Run(query, func(t *testing.T) {
			stream := s.client.Subscribe(t, rig, "", query, "")
			if got := stream.Next(); got.Kind != Errors || got.Code != code {
				t.Fatalf("got %+v, want %s", got, code)
			}
			stream.Close()
		})
	}
	t.Run("resume isn't a cursor", func(t *testing.T) {
		stream := s.client.Subscribe(t, rig, "", ticks("a"), "junk")
		if got := stream.Next(); got.Kind != Errors || got.Code != "BAD_INPUT" {
			t.Fatalf("got %+v", got)
		}
		stream.Close()
	})
}

// endBehindEvents: what waits for a reader who takes its time is not lost by the subscription's end.
func (s suite) endBehindEvents(t *testing.T) {
	rig := s.rig(t, transport.Options{HighWater: 64 << 20, CloseTimeout: 200 * time.Millisecond})
	stream := s.client.Subscribe(t, rig, "ada", ticks("a"), "")
	goLive(t, rig, "a", stream)
	fill(rig, "a")
	rig.Logs.Publish("a", KindTick, "last", eventlog.AccessChange{Principal: "ada", Change: eventlog.AccessLeft})
	Wait(t, "unwatched", func() bool { return rig.Logs.Watched() == 0 })
	for range fillEvents {
		event(t, stream)
	}
	if got := event(t, stream); got.Value != "last" {
		t.Fatalf("got %.50v", got)
	}
	if got := stream.Next(); got.Kind != Complete {
		t.Fatalf("got %+v", got)
	}
	stream.Close()
}

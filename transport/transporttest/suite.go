package transporttest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"parley/eventlog"
	"parley/transport"
)

// Client subscribes over one transport.
type Client interface {
	// Construct makes the transport.
	Construct(*transport.Service) graphql.Transport
	// Subscribe opens a connection as the viewer with one subscription on it, resuming from a
	// cursor if that isn't "".
	Subscribe(t testing.TB, rig *Rig, viewer, query, resume string) Stream
}

// Stream is a subscription as its client sees it.
type Stream interface {
	// Next reads what comes next; it fails the test when nothing does.
	Next() Item
	// Close hangs up.
	Close()
}

// Item is what comes by a stream.
type Item struct {
	Kind Kind
	// Value is an event's first field.
	Value string
	// Cursor is an event's, or the position told.
	Cursor string
	// Code is the first error's.
	Code string
	// Retry says, at the end, whether the client was told to come back.
	Retry bool
}

// Kind is what an item is.
type Kind string

// The kinds of items. After Complete and Errors the subscription is over, after End the connection.
const (
	Event    Kind = "event"
	Position Kind = "position"
	Complete Kind = "complete"
	Errors   Kind = "errors"
	End      Kind = "end"
)

// Run runs the scenarios that every transport for subscriptions must pass.
func Run(t *testing.T, client Client) {
	s := suite{client}
	for name, scenario := range map[string]func(*testing.T){
		"events in order once":              s.order,
		"positions":                         s.positions,
		"resume":                            s.resume,
		"state":                             s.state,
		"ends":                              s.ends,
		"refusals":                          s.refusals,
		"clients that hang up":              s.hangUp,
		"slow reader":                       s.slowReader,
		"slow reader that never reads":      s.neverReads,
		"drain":                             s.drain,
		"drain out of time":                 s.drainOutOfTime,
		"expiry":                            s.expiry,
		"storm":                             s.storm,
		"write deadlines are taken back":    s.deadlines,
		"ends behind what is still to read": s.endBehindEvents,
	} {
		t.Run(name, scenario)
	}
}

type suite struct{ client Client }

func (s suite) rig(t *testing.T, options transport.Options) *Rig {
	t.Helper()
	if server, ok := s.client.(Server); ok {
		return NewRigOver(t, server.Serve, options, s.client.Construct)
	}
	return NewRig(t, options, s.client.Construct)
}

func ticks(log string) string { return fmt.Sprintf(`subscription { ticks(log: %q) }`, log) }

// event reads on to the next event.
func event(t testing.TB, stream Stream) Item {
	t.Helper()
	for {
		switch item := stream.Next(); item.Kind {
		case Event:
			return item
		case Position:
		default:
			t.Fatalf("got %+v, want an event", item)
		}
	}
}

// end reads on until the connection is over, and returns that with the last code told.
func end(t testing.TB, stream Stream) Item {
	t.Helper()
	code := ""
	for {
		item := stream.Next()
		if item.Code != "" {
			code = item.Code
		}
		if item.Kind == End {
			item.Code = code
			return item
		}
	}
}

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

func (s suite) hangUp(t *testing.T) {
	rig := s.rig(t, transport.Options{})
	stay := s.client.Subscribe(t, rig, "", ticks("a"), "")
	stay.Next()
	for range 20 {
		stream := s.client.Subscribe(t, rig, "", ticks("a"), "")
		stream.Next()
		stream.Close()
	}
	Wait(t, "one is left", func() bool { return rig.Service.Len() == 1 && rig.Present.Load() == 1 })
	rig.Tick("a", "x")
	if got := event(t, stay); got.Value != "x" {
		t.Fatalf("got %+v", got)
	}
	stay.Close()
	rig.WaitUntilIdle(t)
}

// More than sockets and the outbox hold, in events of a size.
const (
	fillEvents = 500
	fillSize   = 16 << 10
)

// fill publishes more than a reader who stands still can have waiting.
func fill(rig *Rig, log string) {
	text := strings.Repeat("x", fillSize)
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
	text := strings.Repeat("x", fillSize)
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

func (s suite) expiry(t *testing.T) {
	rig := s.rig(t, transport.Options{Expires: func(ctx context.Context) (time.Time, bool) {
		return time.Now().Add(50 * time.Millisecond), ViewerFrom(ctx) == "ada"
	}})
	stream := s.client.Subscribe(t, rig, "ada", ticks("a"), "")
	if got := end(t, stream); got.Code != "UNAUTHENTICATED" {
		t.Fatalf("got %+v", got)
	}
	stream.Close()
	rig.WaitUntilIdle(t)
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

// storm opens, publishes, closes and ends all at once; what is left is nothing.
func (s suite) storm(t *testing.T) {
	rig := s.rig(t, transport.Options{Heartbeat: 500 * time.Millisecond, HighWater: 32 << 10, CloseTimeout: 50 * time.Millisecond})
	var readers, publisher sync.WaitGroup
	over := make(chan struct{})
	publisher.Go(func() { stormPublish(rig, over) })
	deadline := time.Now().Add(time.Second)
	for n := range 8 {
		log := fmt.Sprint("log", n%3)
		readers.Go(func() {
			for time.Now().Before(deadline) {
				stream := s.client.Subscribe(t, rig, "ada", ticks(log), "")
				for range n {
					if item := stream.Next(); item.Kind != Event && item.Kind != Position {
						break
					}
				}
				stream.Close()
			}
		})
	}
	readers.Wait()
	close(over)
	publisher.Wait()
	rig.WaitUntilIdle(t)
}

func stormPublish(rig *Rig, over <-chan struct{}) {
	pace := time.NewTicker(100 * time.Microsecond)
	defer pace.Stop()
	for n := 0; ; n++ {
		select {
		case <-over:
			return
		case <-pace.C:
		}
		log := fmt.Sprint("log", n%3)
		rig.Tick(log, strings.Repeat("x", n%5000))
		if n%97 == 0 {
			rig.Logs.Publish(log, KindHidden, "", eventlog.AccessChange{Principal: "ada", Change: eventlog.AccessRevoked})
		}
	}
}

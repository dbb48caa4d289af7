package e2e

import (
	"fmt"
	"sync"
	"testing"

	"parley/e2e/parleytest"
)

// TestRenderedOnceForAll: many subscribers of one document in one room cost one rendering per
// event, whoever they are and over whichever transport, and all see the same.
func TestRenderedOnceForAll(t *testing.T) {
	node := parleytest.Start(t, nil)
	n, events := parleytest.Scale(200, 1000), 20
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.Must(t, `mutation { createRoom(input: {name: "Hall", type: CHANNEL, visibility: PUBLIC}) { room { id } } }`, nil).
		Text("createRoom", "room", "id")

	streams := make([]*parleytest.Stream, n)
	var opening sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range streams {
		opening.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			c := parleytest.SignIn(t, node, fmt.Sprintf("user-%d", i%50))
			if _, err := c.Do(t.Context(), parleytest.Operation{Query: `mutation($r: ID!) { joinRoom(input: {roomId: $r}) { room { id } } }`, Variables: map[string]any{"r": room}}); err != nil {
				t.Error(err)
				return
			}
			subscribe := parleytest.OverWS
			if i%2 == 1 {
				subscribe = parleytest.OverSSE
			}
			s, err := subscribe(t.Context(), c, follow(messageAdded, room, ""))
			if err != nil {
				t.Error(err)
				return
			}
			streams[i] = s
		})
	}
	opening.Wait()
	if t.Failed() {
		return
	}
	for _, s := range streams {
		s.Position(t)
	}
	before := node.Metric(t, "parley_renders_total")
	for i := range events {
		ada.MustSend(t, room, fmt.Sprint(i))
	}
	for i, s := range streams {
		for e := range events {
			f := s.Next(t)
			if got := f.Result.Text("messageAdded", "content"); got != fmt.Sprint(e) {
				t.Fatalf("subscriber %d: %q instead of event %d (%+v)", i, got, e, f)
			}
		}
		s.Close()
	}
	renders := node.Metric(t, "parley_renders_total") - before
	if renders != float64(events) {
		t.Errorf("%d events for %d subscribers cost %.0f renderings", events, n, renders)
	}
	t.Logf("%d subscribers, %d events, %.0f renderings", n, events, renders)
}

// TestNothingIsLeftBehind: connections that come and go leave no goroutine and no descriptor.
func TestNothingIsLeftBehind(t *testing.T) {
	node := parleytest.Start(t, nil)
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.CreateRoom(t, "Doorway")
	round := func() {
		for _, subscribe := range transports {
			for range 20 {
				s := parleytest.MustSubscribe(t, subscribe, ada, follow(messageAdded, room, ""))
				s.Position(t)
				s.Close()
			}
		}
	}
	settled := func() (goroutines, descriptors float64) {
		parleytest.Eventually(t, "connections are gone", func() bool { return node.Metric(t, "parley_connections") == 0 })
		return node.Metric(t, "go_goroutines"), node.Metric(t, "process_open_fds")
	}
	round()
	goroutines, descriptors := settled()
	for range 5 {
		round()
	}
	parleytest.Eventually(t, "goroutines and descriptors are back where they were", func() bool {
		g, d := settled()
		return g <= goroutines+3 && d <= descriptors+3
	})
}

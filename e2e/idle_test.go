package e2e

import (
	"sync"
	"testing"

	"parley/e2e/parleytest"
)

// TestIdle: a subscribed connection to whom nothing is sent has no goroutine on the server, by whichever transport it came; on
// HTTP/2 it has that of its request's handler, which stays. What it holds in memory is told.
func TestIdle(t *testing.T) {
	t.Parallel()
	count := parleytest.Scale(100, 2000)
	certificate := parleytest.NewCertificate(t)
	for name, kind := range map[string]struct {
		subscribe      parleytest.Subscriber
		secured, http2 bool
		each           int // goroutines
	}{
		"WebSocket":          {parleytest.OverWS, false, false, 0},
		"SSE":                {parleytest.OverSSE, false, false, 0},
		"multipart":          {parleytest.OverMultipart, false, false, 0},
		"WebSocket over TLS": {parleytest.OverWS, true, false, 0},
		"SSE over TLS":       {parleytest.OverSSE, true, false, 0},
		"SSE over HTTP/2":    {parleytest.OverSSE, true, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			settings := map[string]string{"PARLEY_RATE_LIMITS": "off"}
			node := (*parleytest.Node)(nil)
			if kind.secured {
				node = parleytest.StartTLS(t, certificate, settings)
			} else {
				node = parleytest.Start(t, settings)
			}
			client := parleytest.SignIn(t, node, "ada")
			if kind.secured {
				client.HTTP = certificate.HTTP(kind.http2)
			}
			room := client.CreateRoom(t, "Quiet")
			before := measure(t, node)
			var streams []*parleytest.Stream
			var opening sync.WaitGroup
			var mu sync.Mutex
			for range 10 {
				opening.Go(func() {
					for range count / 10 {
						stream := parleytest.MustSubscribe(t, kind.subscribe, client, follow(messageAdded, room, ""))
						mu.Lock()
						streams = append(streams, stream)
						mu.Unlock()
					}
				})
			}
			opening.Wait()
			for _, stream := range streams {
				stream.Position(t)
			}
			var idle footprint
			parleytest.Eventually(t, "what opened them has ended", func() bool {
				idle = measure(t, node)
				return idle.goroutines <= before.goroutines+1.1*float64(kind.each*count)+strayGoroutines // HTTP/2 has some for each 100 streams
			})
			if idle.connections != float64(count) {
				t.Errorf("%.0f connections", idle.connections)
			}
			each := func(before, after float64) float64 { return (after - before) / float64(count) / 1024 }
			t.Logf("%d connections: %.1f KiB each of heap, %.1f of stacks, %.1f resident, %.0f goroutines more", count,
				each(before.heap, idle.heap), each(before.stacks, idle.stacks), each(before.resident, idle.resident), idle.goroutines-before.goroutines)
			for _, stream := range streams {
				stream.Close()
			}
			if kind.secured {
				client.HTTP.CloseIdleConnections()
			}
			nothingLeft(t, node, before)
		})
	}
}

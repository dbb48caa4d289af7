package transporttest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/eventlog"
	"parley/transport"
)

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

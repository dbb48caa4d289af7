package transporttest

import (
	"testing"

	"parley/transport"
)

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

package transporttest

import (
	"fmt"
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

// leaving: of three that share a rendering, in whatever order they leave, those that stay get everything; after the last,
// nothing is left, and who comes later gets everything.
func (s suite) leaving(t *testing.T) {
	for _, leave := range []struct {
		how string
		do  func(*reader)
	}{
		{"hanging up", func(r *reader) { r.stream.Close() }},
		{"unsubscribing", func(r *reader) { r.unsubscribe() }},
	} {
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			t.Run(fmt.Sprint(leave.how, order), func(t *testing.T) {
				rig := s.rig(t, transport.Options{})
				w := &writer{rig: rig, log: "a"}
				stay := map[int]*reader{}
				for n := range order {
					r := s.reader(t, rig, fmt.Sprint("viewer", n), "a")
					r.connect()
					r.goLive(w)
					stay[n] = r
				}
				if groups := rig.Metric(t, "parley_groups"); groups != 1 {
					t.Fatalf("%v groups, want one", groups)
				}
				left := map[int]*reader{}
				for _, n := range order {
					leave.do(stay[n])
					left[n] = stay[n]
					delete(stay, n)
					w.write(2)
					for _, r := range stay {
						r.readTo(w.written)
					}
				}
				Wait(t, "no topic is left", func() bool { return rig.Metric(t, "parley_topics") == 0 && rig.Logs.Watched() == 0 })
				w.write(2)
				for _, r := range left { // the last first, or not: as maps have it
					r.stream.Close()
					r.connect()
					w.write(1)
					r.readTo(w.written)
					r.stream.Close()
				}
			})
		}
	}
}

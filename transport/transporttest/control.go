package transporttest

import (
	"fmt"
	"testing"

	"parley/eventlog"
	"parley/transport"
)

// control: while more events wait for a reader than may, what else the connection has to say isn't dropped with them:
// answers, and the ends of other subscriptions, each once. The events come all the same.
func (s suite) control(t *testing.T) {
	const queries = 20
	rig := s.rig(t, transport.Options{HighWater: 64 << 10})
	r, w := s.reader(t, rig, "ada", "a"), &writer{rig: rig, log: "a"}
	r.connect()
	stream, ok := r.stream.(Multiplexed)
	if !ok {
		r.stream.Close()
		return // there is nothing else on such connections; their ends are tried by others
	}
	stream.Start("left", ticks("left"), "")
	stream.Start("revoked", ticks("revoked"), "")
	Wait(t, "all are watched", func() bool { return rig.Logs.Watched() == 3 })
	others := map[string][]Item{}
	r.other = func(item Item) {
		if item.Kind != Position {
			item.Cursor = ""
			others[item.Operation] = append(others[item.Operation], item)
		}
	}
	r.goLive(w)
	w.padding = noise(fillSize)
	for rig.Metric(t, "parley_lags_total") == 0 {
		w.write(10)
	}
	for n := range queries {
		stream.Start(fmt.Sprint("query", n), fmt.Sprintf(`{ hello(name: "%d") }`, n), "")
	}
	w.write(10)
	rig.Logs.Publish("left", KindTick, "last", eventlog.AccessChange{Principal: "ada", Change: eventlog.AccessLeft})
	rig.Logs.Publish("revoked", KindTick, "last", eventlog.AccessChange{Principal: "ada", Change: eventlog.AccessRevoked})
	Wait(t, "one is watched", func() bool { return rig.Logs.Watched() == 1 })
	w.write(10)
	r.readTo(w.written)
	for len(others) < queries+2 || len(others["left"]) < 2 || len(others["revoked"]) < 2 {
		r.readAny()
	}
	w.write(1)
	r.readTo(w.written)
	r.stream.Close()

	want := map[string]string{
		"left":    "[{event left last   false} {complete left    false}]",
		"revoked": "[{event revoked last   false} {errors revoked   FORBIDDEN false}]",
	}
	for n := range queries {
		want[fmt.Sprint("query", n)] = fmt.Sprintf("[{event query%d hello %[1]d   false} {complete query%[1]d    false}]", n)
	}
	for operation, want := range want {
		if got := fmt.Sprint(others[operation]); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

package delivery_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"parley/delivery"
)

// TestMetrics: what is counted, and that gauges come back to nothing.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	inWorld(t, delivery.Options{Registerer: registry}, func(w world) {
		w.log.notes(room, 2)
		replays := w.subscribe(forOne("ada"))
		w.settle()
		shows := withResets("bob")
		shows.Group = "another"
		both := []*client{replays, w.subscribe(startingAt(shows, w.log.tail(room))), w.subscribe(ofState(newSource(value("a", 1)), room))}
		w.settle()
		w.log.notes(room, 3)
		w.settle()
		silentNotes(w, 1, true)
		w.settle()
		w.same("while live", gathered(w, registry), map[string]float64{
			"parley_topics/log": 1, "parley_topics/state": 1, "parley_store_silence_seconds": 0,
			"parley_groups":        4, // two of the log, one of state, and that of the guards
			"parley_renders_total": 2 + 2*4 + 1, "parley_replayed_total": 2, "parley_deliveries_total": 2*4 + 1,
			"parley_heals_total": 1, "parley_lagging": 0, "parley_lags_total": 0, "parley_resets_total": 0, "parley_regroups_total": 0,
		})
		w.log.truncate(room, 2)
		w.log.look(room)
		w.settle()
		for _, c := range both {
			c.sub.Close()
		}
		w.settle()
		got := gathered(w, registry)
		for name, want := range map[string]float64{
			"parley_topics/log": 0, "parley_topics/state": 0, "parley_store_silence_seconds": 0, "parley_groups": 0, "parley_resets_total": 3,
		} {
			w.same(name, got[name], want)
		}
	})
}

// gathered are the counters and gauges, by name and label.
func gathered(w world, registry *prometheus.Registry) map[string]float64 {
	w.Helper()
	families, err := registry.Gather()
	if err != nil {
		w.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += "/" + label.GetValue()
			}
			switch {
			case m.GetCounter() != nil:
				values[name] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				values[name] = m.GetGauge().GetValue()
			}
		}
	}
	return values
}

package sqlite

import "github.com/prometheus/client_golang/prometheus"

// registerMetrics tells what waits for the store. The names are those of the other engine.
func registerMetrics(r prometheus.Registerer, s *Store) {
	if r == nil {
		return
	}
	r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "parley_store_waiting",
			Help: "Calls that wait their turn at the store.",
		}, func() float64 { return float64(len(s.writer.queue)) + float64(s.readers.waiting.Load()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "parley_store_shed_total",
			Help: "Calls answered UNAVAILABLE at once, because too many waited for the store.",
		}, func() float64 { return float64(s.writer.shed.Load() + s.readers.shed.Load()) }),
	)
}

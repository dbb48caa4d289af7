package presence

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the tracker's counters; its gauges read the ledger when scraped.
type metrics struct {
	leasesLost  prometheus.Counter
	sweeps      prometheus.Counter
	sweepErrors prometheus.Counter
	storeErrors *prometheus.CounterVec // by call
}

func newMetrics() *metrics {
	return &metrics{
		leasesLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_presence_lease_lost_total",
			Help: "Leases of this node that lapsed or vanished from the store; its devices were told anew.",
		}),
		sweeps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_presence_sweeps_total",
			Help: "Portions swept in the store, or tried to.",
		}),
		sweepErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_presence_sweep_errors_total",
			Help: "Sweeps that failed.",
		}),
		storeErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_presence_store_errors_total",
			Help: "Calls of presence to the store, sweeps apart, that failed.",
		}, []string{"call"}),
	}
}

// register hands the metrics to a registerer, if there is one.
func (m *metrics) register(to prometheus.Registerer, devices *ledger) error {
	if to == nil {
		return nil
	}
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value()) })
	}
	for _, c := range []prometheus.Collector{
		m.leasesLost, m.sweeps, m.sweepErrors, m.storeErrors,
		gauge("parley_presence_devices", "Devices connected to this node.",
			func() int { n, _ := devices.counts(); return n }),
		gauge("parley_presence_pending_devices", "Devices that came or went and that the store isn't known to have heard of.",
			func() int { _, n := devices.counts(); return n }),
	} {
		if err := to.Register(c); err != nil {
			return fmt.Errorf("presence: registering metrics: %w", err)
		}
	}
	return nil
}

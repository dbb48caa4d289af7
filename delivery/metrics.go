package delivery

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley/eventlog"
)

type metrics struct {
	renders   prometheus.Counter
	delivered prometheus.Counter
	replayed  prometheus.Counter
	heals     prometheus.Counter
	resets    prometheus.Counter
	regroups  prometheus.Counter
	lags      prometheus.Counter
	lagging   prometheus.Gauge
	latency   prometheus.Histogram
	groups    prometheus.Gauge
}

func newMetrics(r prometheus.Registerer, h *Hub) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "parley", Name: name, Help: help})
	}
	m := &metrics{
		renders:   counter("renders_total", "Events rendered: once per event and group."),
		delivered: counter("deliveries_total", "Events put into the outboxes of live subscriptions."),
		replayed:  counter("replayed_total", "Events rendered from the log for one subscription."),
		heals:     counter("heals_total", "Reads of a log because hints were, or may have been, missing."),
		resets:    counter("resets_total", "Live subscriptions taken out of a history that was lost."),
		regroups:  counter("regroups_total", "Live subscriptions judged anew because their audience may read something else now."),
		lags:      counter("lags_total", "Live subscriptions whose reader fell behind, and that were then served from the log."),
		lagging: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "parley", Name: "lagging", Help: "Subscriptions being served from the log because their reader fell behind.",
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "parley", Name: "message_latency_seconds",
			Help:    "From an entry's writing, by the store's clock, to the outboxes of a group's connections.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		groups: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "parley", Name: "groups", Help: "Groups of live subscriptions that share one rendering.",
		}),
	}
	if r != nil {
		r.MustRegister(m.renders, m.delivered, m.replayed, m.heals, m.resets, m.regroups, m.lags, m.lagging, m.latency, m.groups, hubCollector{h})
	}
	return m
}

func (m *metrics) observeLatency(pubs []eventlog.Publication) {
	now := time.Now()
	for i := range pubs {
		if !pubs[i].At.IsZero() {
			m.latency.Observe(max(0, now.Sub(pubs[i].At).Seconds()))
		}
	}
}

// hubCollector counts topics at scrape time.
type hubCollector struct{ hub *Hub }

var (
	topicsDesc  = prometheus.NewDesc("parley_topics", "Topics followed by this node.", []string{"kind"}, nil)
	silenceDesc = prometheus.NewDesc("parley_store_silence_seconds",
		"For how long the store hasn't confirmed what it told; beyond PARLEY_CUTOFF this node is cut off.", nil, nil)
)

func (c hubCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- topicsDesc
	ch <- silenceDesc
}

func (c hubCollector) Collect(ch chan<- prometheus.Metric) {
	c.hub.mu.Lock()
	logs, states := len(c.hub.topics), len(c.hub.states)
	c.hub.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(topicsDesc, prometheus.GaugeValue, float64(logs), "log")
	ch <- prometheus.MustNewConstMetric(topicsDesc, prometheus.GaugeValue, float64(states), "state")
	ch <- prometheus.MustNewConstMetric(silenceDesc, prometheus.GaugeValue, c.hub.silence("").Seconds())
}

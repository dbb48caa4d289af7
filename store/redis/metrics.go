package redis

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the store's own. They work unregistered too.
type metrics struct {
	scripts    *prometheus.HistogramVec
	batches    *prometheus.HistogramVec
	reconnects prometheus.Counter
	looks      prometheus.Counter
	// unreplicated counts what too few replicas had in time.
	unreplicated prometheus.Counter
	pool         poolCollector
	waiting      prometheus.Collector
	shed         prometheus.Collector
	refusing     prometheus.Collector

	registerer prometheus.Registerer
	registered []prometheus.Collector
}

func newMetrics(client *servers, l *limits, r *refusing) *metrics {
	return &metrics{
		scripts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "parley_redis_script_seconds",
			Help:    "Time of a script's round trip to Redis, by script.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 11),
		}, []string{"script"}),
		batches: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "parley_redis_batch_size",
			Help:    "Scripts that shared a round trip to Redis, by what they do: read or write.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 8),
		}, []string{"kind"}),
		reconnects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_redis_pubsub_reconnects_total",
			Help: "How often the pub/sub connection had to be opened again.",
		}),
		looks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_redis_tail_check_looks_total",
			Help: "Topics that a tail check found ahead of their hints.",
		}),
		unreplicated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_redis_wait_unsatisfied_total",
			Help: "Writes answered UNAVAILABLE because too few replicas had them in time.",
		}),
		pool: poolCollector{client: client},
		waiting: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "parley_store_waiting",
			Help: "Calls that wait their turn at the store.",
		}, func() float64 { return float64(l.waiting.Load()) }),
		shed: prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "parley_store_shed_total",
			Help: "Calls answered UNAVAILABLE at once, because too many waited for the store.",
		}, func() float64 { return float64(l.shed.Load()) }),
		refusing: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "parley_redis_refusing_servers",
			Help: "Redis servers with keys of ours that take no writes now.",
		}, func() float64 { return float64(len(r.servers())) }),
	}
}

func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	m.registerer = r
	for _, c := range []prometheus.Collector{
		m.scripts, m.batches, m.reconnects, m.looks, m.unreplicated, m.pool, m.waiting, m.shed, m.refusing,
	} {
		if err := r.Register(c); err != nil {
			m.unregister()
			return fmt.Errorf("redis: metrics: %w", err)
		}
		m.registered = append(m.registered, c)
	}
	return nil
}

func (m *metrics) unregister() {
	for _, c := range m.registered {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) observe(sc *script, took time.Duration) {
	m.scripts.WithLabelValues(sc.name).Observe(took.Seconds())
}

var (
	poolConnections = prometheus.NewDesc("parley_redis_pool_connections",
		"Connections of the pool, by state.", []string{"state"}, nil)
	poolRequests = prometheus.NewDesc("parley_redis_pool_requests_total",
		"Requests for a connection, by result: hit (one was free), miss (one was opened), timeout.",
		[]string{"result"}, nil)
	poolStale = prometheus.NewDesc("parley_redis_pool_stale_total",
		"Connections dropped because they were broken or too old.", nil, nil)
)

// poolCollector reads the connection pool's own counts at each scrape.
type poolCollector struct{ client *servers }

// Describe implements [prometheus.Collector].
func (c poolCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- poolConnections
	descs <- poolRequests
	descs <- poolStale
}

// Collect implements [prometheus.Collector].
func (c poolCollector) Collect(found chan<- prometheus.Metric) {
	stats := c.client.PoolStats()
	gauge := func(value uint32, state string) {
		found <- prometheus.MustNewConstMetric(poolConnections, prometheus.GaugeValue, float64(value), state)
	}
	gauge(stats.IdleConns, "idle")
	gauge(stats.TotalConns-min(stats.IdleConns, stats.TotalConns), "busy")
	count := func(value uint32, result string) {
		found <- prometheus.MustNewConstMetric(poolRequests, prometheus.CounterValue, float64(value), result)
	}
	count(stats.Hits, "hit")
	count(stats.Misses, "miss")
	count(stats.Timeouts, "timeout")
	found <- prometheus.MustNewConstMetric(poolStale, prometheus.CounterValue, float64(stats.StaleConns))
}

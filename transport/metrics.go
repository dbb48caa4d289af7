package transport

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	connections *prometheus.GaugeVec
	closes      *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "parley", Name: "connections", Help: "Open WebSockets and streams over HTTP.",
		}, []string{"transport"}),
		closes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "parley", Name: "connection_closes_total", Help: "Connections that ended, by close code.",
		}, []string{"transport", "code"}),
	}
	if r != nil {
		r.MustRegister(m.connections, m.closes)
	}
	return m
}

func (m *metrics) opened(protocol string) { m.connections.WithLabelValues(protocol).Inc() }

func (m *metrics) closed(protocol string, reason Reason) {
	m.connections.WithLabelValues(protocol).Dec()
	m.closes.WithLabelValues(protocol, closeLabel(reason.Code)).Inc()
}

// closeLabel keeps a peer from inventing labels: the codes it may choose itself become one.
func closeLabel(code int) string {
	for _, known := range []Reason{
		ReasonDone, ReasonGone, ReasonSilent, ReasonDrain, ReasonOverload, ReasonBadFrame, ReasonNotText, ReasonNotUTF8,
		ReasonTooBig, ReasonBadMessage, ReasonUnacknowledged, ReasonForbidden, ReasonNoSubprotocol, ReasonInitTimeout,
		ReasonDuplicate, ReasonTooManyInits, ReasonInternal,
	} {
		if code == known.Code {
			return strconv.Itoa(code)
		}
	}
	return "other"
}

package chat

import "github.com/prometheus/client_golang/prometheus"

// newSent counts messages at their sending; a repeated request isn't another message.
func newSent() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "parley", Name: "messages_total", Help: "Messages sent through this node.",
	})
}

// Collectors returns the service's metrics.
func (s *Service) Collectors() []prometheus.Collector { return []prometheus.Collector{s.sent} }

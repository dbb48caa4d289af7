package ratelimit

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Refusals counts what limits refused, by the limits' names. A nil one counts nothing.
type Refusals struct{ *prometheus.CounterVec }

// NewRefusals registers the metric; a nil registerer takes none.
func NewRefusals(r prometheus.Registerer) *Refusals {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "parley", Name: "limit_refusals_total", Help: "What rates and counts refused, by limit.",
	}, []string{"limit"})
	if r != nil {
		r.MustRegister(total)
	}
	return &Refusals{total}
}

// Count counts an error that is an [Exceeded], and returns the error.
func (r *Refusals) Count(err error) error {
	if r == nil || err == nil {
		return err
	}
	if e, ok := errors.AsType[*Exceeded](err); ok {
		r.WithLabelValues(e.Name).Inc()
	}
	return err
}

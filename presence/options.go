package presence

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// MinTTL is the shortest lease: below it, one slow answer of the store would end leases.
const MinTTL = 3 * time.Second

const (
	defaultTTL        = time.Minute
	defaultTypingTTL  = 5 * time.Second
	defaultSweepEvery = 500 * time.Millisecond
	minSweepEvery     = 10 * time.Millisecond

	// renewalsPerTTL: five renewals may fail before the lease is in danger.
	renewalsPerTTL = 6
	// longestCall bounds a call to the store under long leases.
	longestCall = 2 * time.Second
)

// Options are the timings of a [Tracker] and where it reports. The zero value is useful; its
// Grace is none.
type Options struct {
	// TTL is how long the node's lease, and with it the node's devices, outlives the node.
	// 0 means 60s; at least MinTTL. The lease is renewed each TTL/6.
	TTL time.Duration
	// Grace is how long a user stays ONLINE after their last device went. 0 is at once.
	Grace time.Duration
	// TypingTTL is how long a user types without saying so again. 0 means 5s; at least two
	// sweeps.
	TypingTTL time.Duration
	// SweepEvery is the mean time between sweeps of the store, each a quarter shorter or longer
	// by chance. 0 means 500ms; from 10ms to TTL/6.
	SweepEvery time.Duration
	// Log is told of outages and lost leases, never of each connection but at debug level. Nil
	// discards.
	Log *slog.Logger
	// Registerer takes the metrics. Nil registers none.
	Registerer prometheus.Registerer
}

func (o Options) withDefaults() Options {
	if o.TTL == 0 {
		o.TTL = defaultTTL
	}
	if o.TypingTTL == 0 {
		o.TypingTTL = defaultTypingTTL
	}
	if o.SweepEvery == 0 {
		o.SweepEvery = defaultSweepEvery
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// validate checks each timing and the relations between them.
func (o Options) validate() error {
	switch {
	case o.TTL < MinTTL:
		return fmt.Errorf("presence: a TTL of %v is below %v", o.TTL, MinTTL)
	case o.Grace < 0:
		return fmt.Errorf("presence: a grace of %v is negative", o.Grace)
	case o.SweepEvery < minSweepEvery:
		return fmt.Errorf("presence: a sweep every %v is more often than every %v", o.SweepEvery, minSweepEvery)
	case o.SweepEvery > o.TTL/renewalsPerTTL:
		return fmt.Errorf("presence: a sweep every %v would notice a lapsed lease late: at most TTL/%d, %v",
			o.SweepEvery, renewalsPerTTL, o.TTL/renewalsPerTTL)
	case o.TypingTTL < 2*o.SweepEvery:
		return fmt.Errorf("presence: a typing TTL of %v is shorter than two sweeps, %v", o.TypingTTL, 2*o.SweepEvery)
	}
	return nil
}

// renewEvery is the time from one renewal of the lease to the next.
func (o Options) renewEvery() time.Duration { return o.TTL / renewalsPerTTL }

// patience bounds one call to the store, and one batch of them. A renewal, a batch and an audit
// in a row thus take less than what is left of a lease when its renewal is due.
func (o Options) patience() time.Duration { return min(longestCall, o.renewEvery()) }

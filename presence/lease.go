package presence

import "time"

// lease is what a node knows of its lease in the store: arithmetic on times it is given.
type lease struct {
	instance string
	ttl      time.Duration
	// heldUntil counts from before the call that took or renewed the lease, so that by the store's
	// clock it ends no earlier. Zero: never held.
	heldUntil time.Time
	// renewAt is when to ask next.
	renewAt time.Time
	// failures counts renewals in a row that had no answer.
	failures int
	// trusted says that the store's last answer was good: devices may be written.
	trusted bool
}

func newLease(instance string, ttl time.Duration, now time.Time) lease {
	return lease{instance: instance, ttl: ttl, renewAt: now}
}

// held reports whether the store ever granted the lease.
func (l *lease) held() bool { return !l.heldUntil.IsZero() }

// lapsed reports whether a lease that was held may have ended in the store.
func (l *lease) lapsed(now time.Time) bool { return l.held() && !now.Before(l.heldUntil) }

// due reports whether it is time to renew.
func (l *lease) due(now time.Time) bool { return !now.Before(l.renewAt) }

// renewed takes the store's answer to a renewal, and returns false if the lease is lost. An
// answer that comes after the lease's end proves nothing: others may have swept the lease
// meanwhile, and the store have taken the id for a new one.
func (l *lease) renewed(asked, now time.Time, held bool) bool {
	if !held || l.lapsed(now) {
		l.trusted = false
		return false
	}
	l.heldUntil = asked.Add(l.ttl)
	l.renewAt = asked.Add(l.ttl / renewalsPerTTL)
	l.failures, l.trusted = 0, true
	return true
}

// failed says that a renewal had no answer.
func (l *lease) failed(now time.Time, chance float64) {
	l.failures++
	l.trusted = false
	l.renewAt = now.Add(backoff(l.failures, l.longestBackoff(), chance))
}

// doubt says that some other call failed: the lease is renewed before anything else is written.
func (l *lease) doubt(now time.Time) {
	l.trusted = false
	l.renewAt = now
}

// longestBackoff keeps several attempts within the life of a short lease.
func (l *lease) longestBackoff() time.Duration { return min(longestCall, l.ttl/renewalsPerTTL) }

package presence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// keeper keeps the lease and makes the store agree with the ledger. One goroutine does both, so
// that no call for a device is under way while the instance changes.
type keeper struct {
	*Tracker
	lease   lease
	asked   bool      // the store may hold the lease
	paceAt  time.Time // no batch before
	retryAt time.Time // no retry of failed calls before
	auditAt time.Time // no audit before
	barren  int       // batches in a row of which no call succeeded
}

func newKeeper(t *Tracker) *keeper {
	k := &keeper{Tracker: t}
	k.begin()
	return k
}

// begin takes a new instance id, under which nothing is known.
func (k *keeper) begin() {
	k.lease = newLease(uuid.Must(uuid.NewV7()).String(), k.options.TTL, time.Now())
	k.asked = false
	k.devices.restart(k.lease.instance)
}

func (k *keeper) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return k.end(ctx)
		case <-k.wake:
		case <-timer.C:
		}
		k.step(ctx)
		timer.Reset(time.Until(k.next()))
	}
}

// step does what is due. Each part is bounded in time.
func (k *keeper) step(ctx context.Context) {
	if k.lease.lapsed(time.Now()) {
		k.startOver("not renewed in time")
	}
	if k.lease.due(time.Now()) && k.renew(ctx) {
		k.audit(ctx)
	}
	if k.lease.trusted && !time.Now().Before(k.paceAt) {
		k.reconcile(ctx)
	}
}

// next is when step has something to do, unless a device comes or goes before.
func (k *keeper) next() time.Time {
	at := k.lease.renewAt
	if k.lease.held() {
		at = earlier(at, k.lease.heldUntil)
	}
	if !k.lease.trusted {
		return at
	}
	ready, failed := k.devices.backlog()
	if ready > 0 {
		at = earlier(at, k.paceAt)
	}
	if failed > 0 {
		at = earlier(at, later(k.paceAt, k.retryAt))
	}
	return at
}

// renew asks the store for the lease, and reports whether this node holds it.
func (k *keeper) renew(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, k.options.patience())
	defer cancel()
	asked, failures := time.Now(), k.lease.failures
	k.asked = true
	held, err := k.store.Renew(ctx, k.lease.instance, k.options.TTL)
	now := time.Now()
	if err != nil {
		if k.countError(ctx, "renew") && failures == 0 {
			k.log.Warn("presence lease can't be renewed", "error", err)
		}
		k.lease.failed(now, rand.Float64())
		return false
	}
	if !k.lease.renewed(asked, now, held) {
		k.startOver("lapsed in the store")
		return false
	}
	if failures > 0 {
		k.log.Info("presence lease renewed again", "failures", failures)
	}
	return true
}

// startOver gives the lease up for a new one. The old one, if the store still has it, isn't
// released: it lapses after its devices were told anew, so that nobody goes OFFLINE between.
func (k *keeper) startOver(why string) {
	old := k.lease
	k.begin()
	k.lease.failures = old.failures
	if !old.held() {
		// A store that refuses ids it never saw must not be asked in a tight loop.
		k.lease.failed(time.Now(), rand.Float64())
		return
	}
	k.metrics.leasesLost.Inc()
	devices, _ := k.devices.counts()
	k.log.Warn("presence lease lost", "why", why, "instance", old.instance, "new", k.lease.instance, "devices", devices)
}

// end releases the lease, though ctx has ended. Devices released later cost nothing.
func (k *keeper) end(ctx context.Context) error {
	defer k.devices.restart("")
	if !k.asked {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.options.patience())
	defer cancel()
	if err := k.store.Release(ctx, k.lease.instance); err != nil {
		k.countError(ctx, "release")
		return fmt.Errorf("presence: releasing the lease: %w", err)
	}
	return nil
}

// countError counts a failed call, and reports true, unless it failed because we are stopping.
func (k *keeper) countError(ctx context.Context, call string) bool {
	if errors.Is(ctx.Err(), context.Canceled) {
		return false
	}
	k.metrics.storeErrors.WithLabelValues(call).Inc()
	return true
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

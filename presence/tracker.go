package presence

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
)

// Tracker is a node's side of presence: it holds the node's lease, tells the store of the devices
// connected here, and sweeps.
//
// Devices are a wish, not a call: [Tracker.Device] notes what is wanted, and Run makes the store
// agree, a bounded number of calls at a time, for as long as it takes. While the store doesn't
// answer, nothing is sent but a renewal of the lease, with backoff; devices that come and go
// meanwhile are reconciled afterwards.
//
// A lease that lapsed, or may have by this node's clock, isn't taken up again: the node takes a
// new instance id and tells of all its devices anew. A store can also lose a lease and its
// devices without a word (FLUSHALL, an older snapshot), and then takes the next renewal for the
// first. So after each renewal a few devices, in rotation, are looked at: if the store has a user
// of theirs OFFLINE, it has lost them, and the node starts over as after a lapse; if not, these
// devices are told again, which changes nothing unless the user is online by another node's
// device only. The cost is the same however many devices there are.
type Tracker struct {
	store   Store
	options Options
	log     *slog.Logger
	metrics *metrics
	devices ledger
	wake    chan struct{} // of one: something to tell the store
	running atomic.Bool
}

// NewTracker checks the options and registers the metrics. Nothing is asked of the store before
// Run.
func NewTracker(store Store, options Options) (*Tracker, error) {
	options = options.withDefaults()
	if err := options.validate(); err != nil {
		return nil, err
	}
	t := &Tracker{
		store:   store,
		options: options,
		log:     options.Log,
		metrics: newMetrics(),
		wake:    make(chan struct{}, 1),
	}
	if err := t.metrics.register(options.Registerer, &t.devices); err != nil {
		return nil, err
	}
	return t, nil
}

// Device adds a device of a user: an authenticated stream that has just opened. It never waits;
// the store is told by Run, now or once it can. release says that the stream is gone, and may be
// called more than once, also after Run has returned. The end of ctx, which is for the log only,
// releases nothing.
//
// How many devices there are is bounded by whoever bounds the node's connections.
func (t *Tracker) Device(ctx context.Context, user User) (release func()) {
	d := t.devices.add(user)
	t.log.DebugContext(ctx, "device connected", "user", user.ID)
	t.nudge()
	return func() {
		t.devices.drop(d)
		t.nudge()
	}
}

func (t *Tracker) nudge() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Run keeps the lease, tells the store of devices, and sweeps, until ctx ends; then it releases
// the lease, within two seconds, and returns nil, or why that failed: the lease then lapses by
// itself. An unavailable store never ends it. A tracker runs once at a time.
func (t *Tracker) Run(ctx context.Context) error {
	if !t.running.CompareAndSwap(false, true) {
		return errors.New("presence: the tracker runs already")
	}
	defer t.running.Store(false)

	var sweeping sync.WaitGroup
	sweeping.Go(func() { t.sweep(ctx) })
	defer sweeping.Wait()
	return newKeeper(t).run(ctx)
}

package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"parley/eventlog"
	"parley/ratelimit"
)

const (
	// maxGroup bounds the steps that share a commit.
	maxGroup = 256
	// idleAfter is how long the writer must have had nothing to do before it tidies up.
	idleAfter = time.Second
	// choresEvery is how often there are chores.
	choresEvery = time.Minute
	// probeEvery is how often it is tried, while commits fail and nobody has any, whether they still do.
	probeEvery = 5 * time.Second
)

// step is one atomic change waiting for the writer, and the caller who waits for its answer.
type step struct {
	run    func(*tx) error
	answer chan error
}

// writer owns the connection that writes, and its goroutine.
type writer struct {
	db        *conn
	bus       *bus
	files     *files
	retention eventlog.Retention
	now       func() time.Time
	log       *slog.Logger

	queue chan *step
	quit  chan struct{}
	done  chan struct{}

	// The rest is the goroutine's own.
	cache    *cache
	rates    *ratelimit.Table
	overfull *overfull
	chores   []chore
	unsaved  bool      // the write-ahead log holds something that a checkpoint would move
	ownedAt  time.Time // when the files were last seen to be ours

	failing atomic.Bool  // the last commit failed
	shed    atomic.Int64 // steps refused because too many waited
}

func startWriter(db *conn, b *bus, files *files, queue int, r eventlog.Retention, now func() time.Time, log *slog.Logger) *writer {
	w := &writer{
		db: db, bus: b, files: files, retention: r, now: now, log: log,
		queue:    make(chan *step, queue),
		quit:     make(chan struct{}),
		done:     make(chan struct{}),
		cache:    newCache(),
		rates:    ratelimit.NewTable(maxRates),
		unsaved:  true, // perhaps, by an earlier process
		overfull: newOverfull(),
	}
	w.chores = w.allChores()
	go w.run()
	return w
}

// write runs one atomic change on the writer and returns what it returned, once it is committed.
// Where ctx ends first, the change may still happen.
func write[T any](ctx context.Context, s *Store, do func(context.Context, *tx) (T, error)) (T, error) {
	var none, result T
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := s.writer.do(ctx, func(t *tx) (err error) {
		if ctx.Err() != nil {
			return unavailable(ctx.Err())
		}
		// An interrupted statement would take the others of the group with it.
		result, err = do(context.WithoutCancel(ctx), t)
		return err
	})
	if err != nil {
		return none, err
	}
	return result, nil
}

func (w *writer) do(ctx context.Context, run func(*tx) error) error {
	s := &step{run: run, answer: make(chan error, 1)}
	select {
	case <-w.quit:
		return errClosed
	default:
	}
	select {
	case w.queue <- s:
	case <-w.quit:
		return errClosed
	default:
		w.shed.Add(1)
		return errBusy
	}
	select {
	case err := <-s.answer:
		return err
	case <-ctx.Done():
		return unavailable(ctx.Err())
	case <-w.done:
		select {
		case err := <-s.answer:
			return err
		default:
			return errClosed
		}
	}
}

// stop ends the goroutine after the group under way. The connection stays open.
func (w *writer) stop() {
	close(w.quit)
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	idle, tick := time.NewTimer(idleAfter), time.NewTicker(choresEvery)
	defer idle.Stop()
	defer tick.Stop()
	for {
		select {
		case <-w.quit:
			w.finish()
			return
		case first := <-w.queue:
			w.commit(w.group(first))
			w.tidyUp()
			idle.Reset(idleAfter)
		case <-tick.C:
			w.chores = w.allChores()
			w.curb()
			idle.Reset(0)
		case <-idle.C:
			if w.tidyUp() {
				idle.Reset(0)
				continue
			}
			w.checkpoint()
			if w.failing.Load() {
				w.probe()
				idle.Reset(probeEvery)
			}
		}
	}
}

// finish answers those who came too late, and leaves the write-ahead log empty.
func (w *writer) finish() {
	for len(w.queue) > 0 {
		(<-w.queue).answer <- errClosed
	}
	w.checkpoint()
}

// group takes the steps that wait, first being the first of them.
func (w *writer) group(first *step) []*step {
	// Those who were just answered may have their next step ready: let them bring it.
	runtime.Gosched()
	steps := []*step{first}
	for len(steps) < maxGroup {
		select {
		case s := <-w.queue:
			steps = append(steps, s)
		default:
			return steps
		}
	}
	return steps
}

// commit runs the steps in one transaction, and after its COMMIT publishes and answers.
func (w *writer) commit(steps []*step) {
	t := w.newTx()
	results := make([]error, len(steps))
	err := w.transact(t, func() error {
		for i, s := range steps {
			var fatal error
			if results[i], fatal = t.attempt(s.run); fatal != nil {
				return fatal
			}
		}
		return nil
	})
	if fault := cmp.Or(err, faultIn(results)); fault != nil || t.changed {
		w.report(fault)
	}
	if err != nil {
		for i := range results {
			results[i] = unavailable(err)
		}
	} else {
		w.committed(t)
	}
	for i, s := range steps {
		s.answer <- results[i]
	}
}

// faultIn returns the first error of the database's own, nil for none.
func faultIn(results []error) error {
	for _, err := range results {
		if errors.Is(err, eventlog.ErrUnavailable) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return nil
}

// transact runs body in a transaction, unless the files are somebody else's by now.
func (w *writer) transact(t *tx, body func() error) error {
	if now := time.Now(); now.Sub(w.ownedAt) >= ownedFor {
		if err := w.files.owned(); err != nil {
			return err
		}
		w.ownedAt = now
	}
	return t.transact(body)
}

// report tells the log when commits begin to fail, and when they work again.
func (w *writer) report(err error) {
	switch {
	case err != nil && !w.failing.Load():
		w.log.Error("sqlite: commits fail", "error", err)
	case err == nil && w.failing.Load():
		w.log.Info("sqlite: commits work again")
	}
	w.failing.Store(err != nil)
}

// probe writes a page, to see whether commits work again. There may be room for one and no more: then
// the next step says so.
func (w *writer) probe() {
	t := w.newTx()
	w.report(w.transact(t, func() error {
		return t.script(context.Background(), fmt.Sprint("PRAGMA user_version = ", len(migrations)))
	}))
}

// committed hands on what a committed transaction leaves to do.
func (w *writer) committed(t *tx) {
	w.unsaved = w.unsaved || t.changed
	w.overfull.add(t.grown)
	if !t.news.empty() {
		w.bus.queue <- t.news
	}
}

// alone runs a change of the writer's own in a transaction.
func (w *writer) alone(change func(context.Context, *tx) error) error {
	t := w.newTx()
	err := w.transact(t, func() error { return change(context.Background(), t) })
	if err != nil {
		return err
	}
	w.committed(t)
	return nil
}

// maxLog is the size, in bytes, beyond which the write-ahead log is truncated under load too.
const maxLog = 64 << 20

// curb truncates a write-ahead log that readers, one always following the other, have kept from
// starting over.
func (w *writer) curb() {
	if info, err := os.Stat(w.files.database + "-wal"); err == nil && info.Size() > maxLog {
		w.checkpoint()
	}
}

// checkpointLimit bounds the time a checkpoint may hold up the writer.
const checkpointLimit = 500 * time.Millisecond

// checkpoint moves the write-ahead log into the database file and truncates it. One that doesn't
// get through, for a reader or for time, is made up for later.
func (w *writer) checkpoint() {
	if !w.unsaved {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkpointLimit)
	defer cancel()
	var busy, frames, moved int
	_, err := w.db.get(ctx, into(&busy, &frames, &moved), `PRAGMA wal_checkpoint(TRUNCATE)`)
	switch {
	case ctx.Err() != nil:
	case err != nil && w.failing.Load(): // as was told
	case err != nil:
		w.log.Error("sqlite: checkpoint failed", "error", err)
	default:
		w.unsaved = busy != 0
	}
}

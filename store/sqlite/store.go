package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley/chat"
	"parley/eventlog"
	"parley/presence"
	"parley/ratelimit"
)

var (
	_ chat.Store      = (*Store)(nil)
	_ eventlog.Log    = (*Store)(nil)
	_ eventlog.State  = (*Store)(nil)
	_ presence.Store  = (*Store)(nil)
	_ ratelimit.Store = (*Store)(nil)
)

// Options say where and how to keep the data.
type Options struct {
	// Dir is the data folder; it is made if it isn't there.
	Dir string
	// Synchronous is how far a commit is driven before it is acknowledged: "NORMAL" (also "")
	// survives the death of the process, "FULL" also a loss of power.
	Synchronous string
	// Retention of the logs' entries; messages stay.
	Retention eventlog.Retention
	// Log is told what nobody else hears of; nil means slog.Default().
	Log *slog.Logger
	// Queue is how many calls may wait at a time for the writer, and as many for a reader; more are
	// answered Unavailable at once. 0 means 1024.
	Queue int
	// Registerer takes the store's metrics; nil means none.
	Registerer prometheus.Registerer
	// Now is the store's clock; nil means time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() (Options, error) {
	if o.Synchronous == "" {
		o.Synchronous = "NORMAL"
	}
	if o.Synchronous != "NORMAL" && o.Synchronous != "FULL" {
		return o, fmt.Errorf("sqlite: synchronous is NORMAL or FULL, not %q", o.Synchronous)
	}
	o.Queue = cmp.Or(o.Queue, 1024)
	o.Log = cmp.Or(o.Log, slog.Default())
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Retention = o.Retention.WithDefaults()
	return o, nil
}

const (
	databaseName = "parley.db"
	lockName     = "parley.lock"
)

// Store is the engine. All methods may be called at the same time, and answer Unavailable after
// Close.
type Store struct {
	now     func() time.Time
	lock    *folderLock
	db      *conn
	writer  *writer
	readers *readers
	bus     *bus

	closing  sync.Once
	closeErr error
}

// Open opens the store in the data folder, bringing an older file up to date. The folder belongs
// to this process until Close: a second one is refused with a *[InUseError]. A file written by a
// newer version of Parley is refused too.
func Open(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("sqlite: data folder: %w", err)
	}
	lock, err := lockFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{now: clock(o.Now), lock: lock}
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: %s: %w", filepath.Join(o.Dir, databaseName), err), lock.release())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, o Options) error {
	path, err := filepath.Abs(filepath.Join(o.Dir, databaseName))
	if err != nil {
		return err
	}
	if err := makeFile(path); err != nil {
		return err
	}
	if s.db, err = openDatabase(ctx, path, o.Synchronous); err != nil {
		return err
	}
	if err := prepareFile(ctx, s.db, s.now()); err != nil {
		return errors.Join(err, s.db.close())
	}
	if s.readers, err = openReaders(ctx, path, o.Queue); err != nil {
		return errors.Join(err, s.db.close())
	}
	files, err := filesOf(path, s.lock)
	if err != nil {
		return errors.Join(err, s.readers.close(), s.db.close())
	}
	s.bus = startBus()
	s.writer = startWriter(s.db, s.bus, files, o.Queue, o.Retention, s.now, o.Log)
	registerMetrics(o.Registerer, s)
	return nil
}

// makeFile makes the file if it isn't there, readable by nobody else; what the database puts beside
// it takes after it.
func makeFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// prepareFile brings the file up to date and lays to rest what an earlier process left behind: the
// folder being ours, no earlier instance is alive.
func prepareFile(ctx context.Context, db *conn, now time.Time) error {
	if err := migrate(ctx, db); err != nil {
		return err
	}
	return lapseLeases(ctx, db, now)
}

// Close ends the store: steps under way are finished, those waiting are answered Unavailable, the
// publications committed are still handed out, and every goroutine is joined. It may be called
// more than once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.writer.stop()
		s.bus.close()
		// The connection that writes goes last: it removes the write-ahead log.
		s.closeErr = errors.Join(s.readers.close(), s.db.close(), s.lock.release())
	})
	return s.closeErr
}

// Confirmed returns a moment up to which watchers have been told of everything: now, for nobody else
// writes.
func (s *Store) Confirmed(string) time.Time { return time.Now() }

// Ready reports whether the store can answer: nil when a read and a step of the writer work now, an
// error that wraps eventlog.ErrReadOnly when only reading does, and otherwise one that wraps
// eventlog.ErrUnavailable.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.writer.files.owned(); err != nil {
		return unavailable(err)
	}
	_, err := read(ctx, s, func(ctx context.Context, c *conn) (int, error) { return userVersion(ctx, c) })
	if err != nil {
		return err
	}
	if s.writer.failing.Load() {
		return fmt.Errorf("%w: sqlite: the last commit failed", eventlog.ErrReadOnly)
	}
	if _, err = write(ctx, s, func(context.Context, *tx) (struct{}, error) { return struct{}{}, nil }); err != nil {
		return fmt.Errorf("%w: %w", eventlog.ErrReadOnly, err)
	}
	return nil
}

// clock returns now in UTC and whole milliseconds, which is what the store keeps.
func clock(now func() time.Time) func() time.Time {
	return func() time.Time { return fromMillis(now().UnixMilli()) }
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

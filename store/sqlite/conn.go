package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// busyTimeout is how long a statement waits for a lock. Nobody of ours makes it wait; a tool that
// looks into the file may.
const busyTimeout = "5000"

// conn is one connection to the database with the statements prepared on it so far. One goroutine
// uses it at a time. Its errors wrap eventlog.ErrUnavailable.
type conn struct {
	db    *sql.DB
	sql   *sql.Conn
	stmts map[string]*sql.Stmt
}

// row is a row of a result, to be read once.
type row interface{ Scan(dest ...any) error }

// openDatabase opens the connection that writes, making the file if there is none.
func openDatabase(ctx context.Context, path, synchronous string) (*conn, error) {
	return openConn(ctx, path, url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {synchronous},
		"_txlock":       {"immediate"},
		// A cache of KiB, and checkpoints of so many pages that they are rarely waited for.
		"_pragma": {"cache_size(-16000)", "wal_autocheckpoint(4000)"},
	})
}

// openReader opens a connection that can only read.
func openReader(ctx context.Context, path string) (*conn, error) {
	return openConn(ctx, path, url.Values{"mode": {"ro"}, "_query_only": {"true"}})
}

func openConn(ctx context.Context, path string, settings url.Values) (*conn, error) {
	settings.Set("_busy_timeout", busyTimeout)
	settings.Set("_defensive", "true")
	settings.Set("_dqs", "false")
	settings.Set("_error_rc", "true")
	uri := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: settings.Encode()}
	if !strings.HasPrefix(uri.Path, "/") {
		uri.Path = "/" + uri.Path // a drive letter
	}
	db, err := sql.Open("sqlite", uri.String())
	if err != nil {
		return nil, unavailable(err)
	}
	db.SetMaxOpenConns(1)
	held, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(unavailable(err), db.Close())
	}
	return &conn{db: db, sql: held, stmts: map[string]*sql.Stmt{}}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.sql.Close(), c.db.Close())...)
}

// prepared returns the statement for a query. The queries are constants of this package, so there
// is a bounded number of them.
func (c *conn) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.sql.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = s
	return s, nil
}

// exec runs a statement and returns how many rows it changed.
func (c *conn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := c.prepared(ctx, query)
	if err != nil {
		return 0, unavailable(err)
	}
	result, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, unavailable(err)
	}
	changed, err := result.RowsAffected()
	return changed, unavailable(err)
}

// get reads the first row of a result into scan, and reports whether there was one.
func (c *conn) get(ctx context.Context, scan func(row) error, query string, args ...any) (bool, error) {
	s, err := c.prepared(ctx, query)
	if err != nil {
		return false, unavailable(err)
	}
	err = scan(s.QueryRowContext(ctx, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, unavailable(err)
}

// each hands every row of a result to scan.
func (c *conn) each(ctx context.Context, scan func(row) error, query string, args ...any) error {
	s, err := c.prepared(ctx, query)
	if err != nil {
		return unavailable(err)
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return unavailable(err)
	}
	for rows.Next() {
		if err := scan(rows); err != nil {
			return errors.Join(unavailable(err), rows.Close())
		}
	}
	return unavailable(errors.Join(rows.Err(), rows.Close()))
}

// into returns a scan that reads a row into dest.
func into(dest ...any) func(row) error {
	return func(r row) error { return r.Scan(dest...) }
}

// millis is a time as it is stored, nil as NULL.
func millis(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixMilli()
}

// moment reads a stored time that may be NULL.
func moment(ms sql.NullInt64) *time.Time {
	if !ms.Valid {
		return nil
	}
	t := fromMillis(ms.Int64)
	return &t
}

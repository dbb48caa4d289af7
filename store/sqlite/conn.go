package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	modernc "modernc.org/sqlite"
)

// busyTimeout is how long a statement waits for a lock. Nobody of ours makes it wait; a tool that
// looks into the file may.
const busyTimeout = "5000"

// conn is one connection to the database with the statements prepared on it so far. It uses the
// driver without database/sql, whose pool would have nothing to do and costs a fifth of a read. One
// goroutine uses it at a time. Its errors wrap eventlog.ErrUnavailable.
type conn struct {
	driver driver.Conn
	stmts  map[string]statement
	args   []driver.NamedValue // of the call under way
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

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
	connector, err := modernc.NewConnector(uri.String())
	if err != nil {
		return nil, unavailable(err)
	}
	c, err := connector.Connect(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	return &conn{driver: c, stmts: map[string]statement{}}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.driver.Close())...)
}

// prepare returns the statement for a query, with its arguments in c.args. The queries are constants
// of this package, so there is a bounded number of them.
func (c *conn) prepare(ctx context.Context, query string, args []any) (statement, error) {
	c.args = c.args[:0]
	for i, arg := range args {
		v, err := stored(arg)
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.driver.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = s.(statement)
	return c.stmts[query], nil
}

// exec runs a statement and returns how many rows it changed.
func (c *conn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := c.prepare(ctx, query, args)
	if err != nil {
		return 0, unavailable(err)
	}
	result, err := s.ExecContext(ctx, c.args)
	if err != nil {
		return 0, unavailable(err)
	}
	changed, err := result.RowsAffected()
	return changed, unavailable(err)
}

// script runs statements that have no arguments.
func (c *conn) script(ctx context.Context, statements string) error {
	_, err := c.driver.(driver.ExecerContext).ExecContext(ctx, statements, nil)
	return unavailable(err)
}

// get reads the first row of a result into scan, and reports whether there was one.
func (c *conn) get(ctx context.Context, scan func(row) error, query string, args ...any) (found bool, err error) {
	err = c.rows(ctx, query, args, func(r row) (more bool, err error) {
		found = true
		return false, scan(r)
	})
	return found && err == nil, err
}

// each hands every row of a result to scan.
func (c *conn) each(ctx context.Context, scan func(row) error, query string, args ...any) error {
	return c.rows(ctx, query, args, func(r row) (more bool, err error) { return true, scan(r) })
}

// rows hands the rows of a result to scan, as long as it wants more.
func (c *conn) rows(ctx context.Context, query string, args []any, scan func(row) (more bool, err error)) error {
	s, err := c.prepare(ctx, query, args)
	if err != nil {
		return unavailable(err)
	}
	result, err := s.QueryContext(ctx, c.args)
	if err != nil {
		return unavailable(err)
	}
	r := make(row, len(result.Columns()))
	for more := true; more && err == nil; {
		if err = ctx.Err(); err != nil {
			break
		}
		if err = result.Next(r); err == nil {
			more, err = scan(r)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return unavailable(errors.Join(err, result.Close()))
}

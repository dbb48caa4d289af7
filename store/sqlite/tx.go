package sqlite

import (
	"context"
	"fmt"
	"time"

	"parley/eventlog"
	"parley/ratelimit"
)

// tx is the writer's transaction: the connection, and what is to be told once it is committed.
type tx struct {
	*conn
	// at is the time of everything written in the transaction.
	at   time.Time
	news news
	// grown are the logs that passed a bound of retention.
	grown     []growth
	retention eventlog.Retention
	cache     *cache
	rates     *ratelimit.Table
	// rooms are those that the transaction may have changed, step those that the step under way
	// may have.
	rooms []*cachedRoom
	step  []touched
	// changed says that rows were changed.
	changed bool
}

// news is what a transaction has for the bus, each in the order of its log or topic.
type news struct {
	publications []item[eventlog.Publication]
	values       []item[eventlog.Value]
}

func (n news) empty() bool { return len(n.publications) == 0 && len(n.values) == 0 }

func (w *writer) newTx() *tx {
	w.cache.shrink()
	return &tx{conn: w.db, at: w.now(), retention: w.retention, cache: w.cache, rates: w.rates}
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	n, err := t.conn.exec(ctx, query, args...)
	t.changed = t.changed || n > 0
	return n, err
}

// publish has a publication told to those who watch the log.
func (t *tx) publish(log string, p eventlog.Publication) {
	t.news.publications = append(t.news.publications, item[eventlog.Publication]{log, p})
}

// publishValue has a value told to those who watch the topic.
func (t *tx) publishValue(topic string, v eventlog.Value) {
	t.news.values = append(t.news.values, item[eventlog.Value]{topic, v})
}

// transact runs body in a transaction: all of it is committed, or none.
func (t *tx) transact(body func() error) error {
	ctx := context.Background()
	if _, err := t.conn.exec(ctx, `BEGIN IMMEDIATE`); err != nil {
		t.rollback(ctx)
		return err
	}
	err := body()
	if err == nil {
		err = t.saveLogs(ctx)
	}
	if err == nil {
		_, err = t.conn.exec(ctx, `COMMIT`)
	}
	if err != nil {
		t.rollback(ctx)
	}
	return err
}

// rollback makes sure that no transaction is open. It says nothing of its own error: the one that
// led here is told, and mostly the database has rolled back itself by then.
func (t *tx) rollback(ctx context.Context) {
	_, _ = t.conn.exec(ctx, `ROLLBACK`)
	for _, room := range t.rooms {
		t.cache.forget(room)
	}
}

// attempt runs one step of the transaction under a savepoint: one that fails leaves no trace, and
// result is its error. A fatal error is one that the transaction doesn't survive.
func (t *tx) attempt(run func(*tx) error) (result, fatal error) {
	ctx := context.Background()
	if _, err := t.conn.exec(ctx, `SAVEPOINT step`); err != nil {
		return nil, err
	}
	t.step = t.step[:0]
	before := *t
	if result = run(t); result != nil {
		t.undo()
		// A full disk may end the whole transaction, savepoint included: then this fails.
		if _, err := t.conn.exec(ctx, `ROLLBACK TO step`); err != nil {
			return nil, fmt.Errorf("%w, after: %v", err, result)
		}
		*t = before
	}
	_, fatal = t.conn.exec(ctx, `RELEASE step`)
	return result, fatal
}

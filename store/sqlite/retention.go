package sqlite

import (
	"context"
	"database/sql"
	"math"
	"time"

	"parley/eventlog"
)

// extent is how much of a log is kept.
type extent struct {
	// first is the offset of the oldest entry kept, the tail's plus one if none is.
	first uint64
	// firstAt is its time in milliseconds.
	firstAt sql.NullInt64
	bytes   int64
}

// growth is a log that passed a bound of retention.
type growth struct {
	room int64
	// young says that its oldest entry may not be trimmed yet.
	young bool
}

// grown reports whether a log is to be trimmed: when it passed a bound by so much that there is a
// chunk to drop. Entries may be too young to go.
func (x extent) grown(tail uint64, r eventlog.Retention, at time.Time) (over, young bool) {
	age := time.Duration(at.UnixMilli()-x.firstAt.Int64) * time.Millisecond
	heavy := x.bytes > r.MaxBytes
	over = heavy || age > r.MaxAge+r.MaxAge/10 || x.entries(tail) > r.MaxEntries+r.MaxEntries/10
	return over, !heavy && age < r.MinAge
}

func (x extent) entries(tail uint64) int { return int(tail + 1 - x.first) }

// kept is what trimming must know of an entry.
type kept struct {
	pos      uint64
	at, size int64
}

// crop returns how many of a log's oldest entries are to go.
func crop(oldest []kept, entries int, bytes int64, r eventlog.Retention, at time.Time) int {
	heavy := bytes > r.MaxBytes
	for i, e := range oldest {
		age := time.Duration(at.UnixMilli()-e.at) * time.Millisecond
		tooHeavy := heavy && bytes > r.MaxBytes/10*9
		tooMany := age >= r.MinAge && (entries > r.MaxEntries || age > r.MaxAge)
		if !tooHeavy && !tooMany {
			return i
		}
		entries--
		bytes -= e.size
	}
	return len(oldest)
}

// trim drops a portion of a log's oldest entries and returns how many. Messages stay.
func (t *tx) trim(ctx context.Context, room int64, r eventlog.Retention) (dropped int, err error) {
	var x extent
	var tail uint64
	_, err = t.get(ctx, into(&x.first, &x.bytes, &tail), `SELECT first, bytes, tail FROM log WHERE room = ?`, room)
	if err != nil {
		return 0, err
	}
	oldest, err := t.oldest(ctx, room)
	if err != nil {
		return 0, err
	}
	dropped = crop(oldest[:min(len(oldest), portionSize)], x.entries(tail), x.bytes, r, t.at)
	if dropped == 0 {
		return 0, nil
	}
	for _, e := range oldest[:dropped] {
		x.bytes -= e.size
	}
	x.first = tail + 1
	if dropped < len(oldest) {
		x.first, x.firstAt = oldest[dropped].pos, sql.NullInt64{Int64: oldest[dropped].at, Valid: true}
	}
	if _, err := t.exec(ctx, `DELETE FROM entry WHERE room = ? AND pos < ?`, room, x.first); err != nil {
		return 0, err
	}
	_, err = t.exec(ctx, `UPDATE log SET first = ?, first_at = ?, bytes = ? WHERE room = ?`, x.first, x.firstAt, x.bytes, room)
	return dropped, err
}

// oldest reads one entry more than a portion: the one that will be the first.
func (t *tx) oldest(ctx context.Context, room int64) (oldest []kept, err error) {
	err = t.each(ctx, func(r row) error {
		var e kept
		defer func() { oldest = append(oldest, e) }()
		return r.Scan(&e.pos, &e.at, &e.size)
	}, `SELECT pos, at, size FROM entry WHERE room = ? ORDER BY pos LIMIT ?`, room, portionSize+1)
	return oldest, err
}

// ageLogs is the chore that drops entries for their age.
func ageLogs(ctx context.Context, t *tx) (more bool, err error) {
	r := t.retention
	r.MaxEntries, r.MaxBytes = math.MaxInt, math.MaxInt64
	var room int64
	found, err := t.get(ctx, into(&room), `SELECT room FROM log WHERE first_at < ? ORDER BY first_at LIMIT 1`,
		t.at.Add(-max(r.MaxAge, r.MinAge)).UnixMilli())
	if err != nil || !found {
		return false, err
	}
	dropped, err := t.trim(ctx, room, r)
	return dropped > 0, err
}

// overfull are the logs that passed a bound and wait to be trimmed.
type overfull struct {
	ready []int64
	// young are those whose oldest entries may not go yet.
	young map[int64]bool
}

func newOverfull() *overfull { return &overfull{young: map[int64]bool{}} }

func (o *overfull) any() bool { return len(o.ready) > 0 }

func (o *overfull) add(grown []growth) {
	for _, g := range grown {
		if g.young {
			o.young[g.room] = true
		} else {
			o.ready = append(o.ready, g.room)
		}
	}
}

// lookAgain takes up those that were too young.
func (o *overfull) lookAgain() {
	for room := range o.young {
		o.ready = append(o.ready, room)
	}
	clear(o.young)
}

// trim trims a portion of one log. One that isn't down to its bounds stays for the next time.
func (o *overfull) trim(ctx context.Context, t *tx) error {
	last := len(o.ready) - 1
	room := o.ready[last]
	o.ready = o.ready[:last]
	dropped, err := t.trim(ctx, room, t.retention)
	if err != nil {
		o.young[room] = true
		return err
	}
	if dropped == portionSize {
		o.ready = append(o.ready, room)
	}
	return nil
}

package sqlite

import (
	"context"
	"database/sql"
	"maps"
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
	room string
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
func (t *tx) trim(ctx context.Context, id string, limits eventlog.Retention) (dropped int, err error) {
	r, err := t.room(ctx, id)
	if err != nil {
		return 0, err
	}
	oldest, err := t.oldest(ctx, r)
	if err != nil {
		return 0, err
	}
	dropped = crop(oldest[:min(len(oldest), portionSize)], r.entries(r.Tail.Offset), r.bytes, limits, t.at)
	if dropped == 0 {
		return 0, nil
	}
	for _, e := range oldest[:dropped] {
		r.bytes -= e.size
	}
	r.first, r.firstAt = r.Tail.Offset+1, sql.NullInt64{}
	if dropped < len(oldest) {
		r.first, r.firstAt = oldest[dropped].pos, sql.NullInt64{Int64: oldest[dropped].at, Valid: true}
	}
	if _, err := t.exec(ctx, `DELETE FROM entry WHERE room = ? AND pos < ?`, r.no, r.first); err != nil {
		return 0, err
	}
	_, err = t.exec(ctx, `UPDATE log SET first = ?, first_at = ?, bytes = ? WHERE room = ?`,
		r.first, r.firstAt, r.bytes, r.no)
	return dropped, err
}

// oldest reads one entry more than a portion: the one that will be the first.
func (t *tx) oldest(ctx context.Context, of *room) (oldest []kept, err error) {
	err = t.each(ctx, func(r row) error {
		var e kept
		defer func() { oldest = append(oldest, e) }()
		return r.Scan(&e.pos, &e.at, &e.size)
	}, `SELECT pos, at, size FROM entry WHERE room = ? ORDER BY pos LIMIT ?`, of.no, portionSize+1)
	return oldest, err
}

// ageLogs is the chore that drops entries for their age.
func ageLogs(ctx context.Context, t *tx) (more bool, err error) {
	r := t.retention
	r.MaxEntries, r.MaxBytes = math.MaxInt, math.MaxInt64
	var room string
	found, err := t.get(ctx, into(&room),
		`SELECT room.id FROM log JOIN room ON room.no = log.room WHERE first_at < ? ORDER BY first_at LIMIT 1`,
		t.at.Add(-max(r.MaxAge, r.MinAge)).UnixMilli())
	if err != nil || !found {
		return false, err
	}
	dropped, err := t.trim(ctx, room, r)
	return dropped > 0, err
}

// overfull are the logs that passed a bound and wait to be trimmed.
type overfull struct {
	ready map[string]bool
	// young are those whose oldest entries may not go yet.
	young map[string]bool
}

func newOverfull() *overfull {
	return &overfull{ready: map[string]bool{}, young: map[string]bool{}}
}

func (o *overfull) any() bool { return len(o.ready) > 0 }

func (o *overfull) add(grown []growth) {
	for _, g := range grown {
		if g.young {
			o.young[g.room] = true
		} else {
			o.ready[g.room] = true
		}
	}
}

// lookAgain takes up those that were too young.
func (o *overfull) lookAgain() {
	maps.Copy(o.ready, o.young)
	clear(o.young)
}

// putOff leaves them all for the next time: whatever went wrong may do so for a while.
func (o *overfull) putOff() {
	maps.Copy(o.young, o.ready)
	clear(o.ready)
}

// trim trims a portion of one log. One that isn't down to its bounds stays for the next time.
func (o *overfull) trim(ctx context.Context, t *tx) error {
	for room := range o.ready {
		dropped, err := t.trim(ctx, room, t.retention)
		if err == nil && dropped < portionSize {
			delete(o.ready, room)
		}
		return err
	}
	return nil
}

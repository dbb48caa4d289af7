package redis

import (
	"context"
	"sync/atomic"
	"time"
)

// contact is what the tail checks say of the way to Redis.
type contact struct {
	// checked is when the last complete check began.
	checked atomic.Pointer[time.Time]
	// lost says that operators were told that checks fail; the healing goroutine's own.
	lost bool
}

// Confirmed returns a moment for a log: whoever watches it has been told of all that was stored in it
// by then, or told to look. For "" it holds for everything that is watched. Safe for concurrent use,
// and cheap enough to be asked at each hint.
func (s *Store) Confirmed(log string) time.Time {
	if log != "" {
		if at, watched := s.topics.confirmed(bucketOf(log)); watched {
			return at
		}
	}
	return *s.contact.checked.Load()
}

// reportCheck takes note of how a check ended that began at a moment.
func (s *Store) reportCheck(ctx context.Context, began time.Time, err error) {
	switch {
	case err == nil:
		s.contact.checked.Store(&began)
		if s.contact.lost {
			s.log.Info("Redis answers again")
		}
		s.contact.lost = false
	case ctx.Err() == nil && !s.contact.lost:
		s.log.Warn("Redis can't be read: what it tells is believed for a while only", "error", err)
		s.contact.lost = true
	}
}

// confirm takes note of a check of a bucket: it confirms all that was stored before it began; what is only
// suspected of being missed, the next check will; and nothing while topics that an earlier check found have still to be told.
func (ts *topics) confirm(b *bucket, began time.Time) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	watched := ts.buckets[b]
	switch {
	case watched == nil:
		return
	case watched.owed > 0 && !watched.settled:
	case watched.owed > 0:
		// What was suspected by the check before the last was heard or found since, and told.
		if watched.before.After(watched.confirmed) {
			watched.confirmed = watched.before
		}
	case len(watched.suspects) > 0:
		watched.confirmed = watched.checked
	default:
		watched.confirmed = began
	}
	watched.before, watched.checked = watched.checked, began
}

// owed is the number of the finding for which a topic's watchers are to be told to look.
func (ts *topics) owed(t *topic) uint64 {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return t.owed
}

// looked notes that they have been told, unless there has been another finding since.
func (ts *topics) looked(t *topic, owed uint64) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.settleOwed(t, owed)
}

func (ts *topics) settleOwed(t *topic, owed uint64) {
	if owed != 0 && t.owed == owed {
		t.owed = 0
		ts.buckets[t.bucket].owed--
	}
}

// confirmed is the last such moment of a bucket, if any of its topics is watched.
func (ts *topics) confirmed(b *bucket) (at time.Time, watched bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if bucket := ts.buckets[b]; bucket != nil {
		return bucket.confirmed, true
	}
	return time.Time{}, false
}

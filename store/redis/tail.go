package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"parley/eventlog"
)

const (
	// tailTimeout bounds a tail check: a server that takes longer is asked again at the next.
	tailTimeout = 2 * time.Second
	// Looks are handed out in batches with a pause between, so that a bucket in which everything must
	// be looked at doesn't hold up what is live.
	lookBatch = 100
	lookPause = 20 * time.Millisecond
)

// bucketState is what a bucket says of its changes.
type bucketState struct {
	// n counts the changes of the bucket's topics, mark tells one life of the bucket from the
	// next; 0 and "" before the first change.
	n    uint64
	mark string
	// evicted is the count of the latest change that `recent` no longer knows.
	evicted uint64
}

func decodeBucketState(values []any) bucketState {
	a := answer(values)
	return bucketState{n: a.number(0), mark: a.text(1), evicted: a.number(2)}
}

// lostTo reports whether the bucket now is not what the one of an earlier look has become: a
// flush, an older snapshot, a failover.
func (b bucketState) lostTo(now bucketState) bool {
	return b.mark != "" && (now.mark != b.mark || now.n < b.n)
}

// watchedBucket is a bucket with topics that this node watches; guarded by topics.mu.
type watchedBucket struct {
	bucketState
	// lineage is the replication id of the server that had the bucket at the last check, "" before
	// the first. Each restart and each promotion begins another.
	lineage string
	topics  map[string]*topic
	// suspects are topics that were ahead of what was heard of them at the last check, with the
	// count they were at. Their hints may still have been on the way.
	suspects map[string]uint64
	// heard is the count at the last hint. Counts come in order over the one connection, so that one
	// not above the last is of another life of the bucket: rewound.
	heard   uint64
	rewound bool
	// confirmed: whatever was stored in the bucket by then, watchers have been told of, or to look for.
	// checked and before are when the last two checks began, owed how many of its topics have still to
	// be told to look, settled that there was none when the present check began.
	confirmed, checked, before time.Time
	owed                       int
	settled                    bool
}

func (b *watchedBucket) hear(n uint64) {
	b.rewound = b.rewound || n <= b.heard
	b.heard = n
}

// bucketTail is what a tail check reads of a bucket.
type bucketTail struct {
	bucketState
	lineage string
	// recent are the topics changed since the last check, with the count at their last change.
	recent map[string]uint64
}

// bucketMark is where a watched bucket is when a tail check begins: its count at the last check, and
// what was heard since.
type bucketMark struct{ n, heard uint64 }

// missing is what a tail check finds in a bucket.
type missing struct {
	topics []*topic
	// deaf says that hints don't come, or may not: the connection is open to a server that isn't
	// the bucket's any more.
	deaf bool
}

// compare takes note of a bucket's tail and returns the topics that have missed something. After a time
// without a connection, that is all that are ahead of what was heard; else those that stay ahead for
// longer than one check, since hints may be on their way.
//
// A server that has just been promoted may have lost changes and, by the time of the check, counted
// other ones in their place: everything is looked at. And the connection may be to the one before it. So
// may a server that was reached again before the first check, which is the first to tell which one it is.
func (b *watchedBucket) compare(began bucketMark, tail bucketTail, unheard bool) (m missing) {
	before, lineage := b.bucketState, b.lineage
	b.bucketState, b.lineage = tail.bucketState, tail.lineage
	lost := b.rewound || before.lostTo(tail.bucketState) || tail.n < began.heard
	promoted := lineage != "" && lineage != tail.lineage
	unknown := lineage == "" && tail.lineage != "" && unheard
	if lost || promoted || unknown || before.n < tail.evicted {
		return missing{topics: b.all(lost), deaf: promoted}
	}
	for name, n := range b.suspects {
		if t := b.topics[name]; t != nil && t.heard < n {
			t.heard = n
			m.topics = append(m.topics, t)
			m.deaf = m.deaf || time.Since(t.since) > tailTimeout
		}
	}
	clear(b.suspects)
	for name, n := range tail.recent {
		t := b.topics[name]
		if t == nil || t.heard >= n {
			continue
		}
		if unheard {
			t.heard = n
			m.topics = append(m.topics, t)
		} else {
			b.suspects[name] = n
		}
	}
	return m
}

// all returns all topics of a bucket whose tail says nothing of what was missed, or that has lost its
// data.
func (b *watchedBucket) all(lost bool) []*topic {
	b.rewound, b.heard = false, min(b.heard, b.n)
	clear(b.suspects)
	for _, t := range b.topics {
		t.heard, t.lost = b.n, t.lost || lost
	}
	return slices.Collect(maps.Values(b.topics))
}

// marks returns where the watched buckets are.
func (ts *topics) marks() map[*bucket]bucketMark {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	marks := make(map[*bucket]bucketMark, len(ts.buckets))
	for b, watched := range ts.buckets {
		marks[b] = bucketMark{n: watched.n, heard: watched.heard}
	}
	return marks
}

// compare is watchedBucket.compare for one that may not be watched any more.
func (ts *topics) compare(b *bucket, began bucketMark, tail bucketTail, unheard bool) missing {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	watched := ts.buckets[b]
	if watched == nil {
		return missing{}
	}
	watched.settled = watched.owed == 0
	m := watched.compare(began, tail, unheard)
	for _, t := range m.topics {
		if t.owed == 0 {
			watched.owed++
		}
		ts.found++
		t.owed = ts.found
	}
	return m
}

// heal checks the tails at each tick, and those of buckets whose hints may have been lost at once.
func (s *Store) heal(ctx context.Context) {
	ticker := time.NewTicker(s.tailCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.check(vital(ctx))
		case <-s.unheard.wake:
			_ = s.checkTails(vital(ctx), true) // the next tick's will say
		}
	}
}

// check looks at everything that is watched, and says whether Redis is in sight.
func (s *Store) check(ctx context.Context) {
	began := time.Now()
	err := s.checkTails(ctx, false)
	if err == nil {
		err = s.guardRecord(ctx)
	}
	s.reportCheck(ctx, began, err)
	s.askRefusing(ctx)
}

// resubscribed notes that hints may have been lost of a bucket, nil for all; the buses call it.
func (s *Store) resubscribed(b *bucket) {
	if b != nil {
		s.unheard.add(b)
		return
	}
	s.unheard.add(allBuckets()...)
}

// checkTails finds the topics whose hints were lost, in all buckets or only in those that were unheard.
// Of a server that can't be reached it finds nothing, and returns an error; the next check that reaches it
// finds everything since.
func (s *Store) checkTails(ctx context.Context, onlyUnheard bool) error {
	unheard := map[*bucket]bool{}
	for _, b := range s.unheard.takeAll() {
		unheard[b] = true
	}
	now, began := time.Now(), s.topics.marks()
	if onlyUnheard {
		maps.DeleteFunc(began, func(b *bucket, _ bucketMark) bool { return !unheard[b] })
	}
	tails := s.readTails(ctx, began)
	for b := range began {
		tail, read := tails[b]
		if !read {
			if unheard[b] {
				s.unheard.keep([]*bucket{b})
			}
			continue
		}
		m := s.topics.compare(b, began[b], tail, unheard[b])
		s.metrics.looks.Add(float64(len(m.topics)))
		s.looks.add(m.topics...)
		s.topics.confirm(b, now)
		if m.deaf {
			s.busOf(b).reopen()
		}
	}
	if out := len(began) - len(tails); out > 0 {
		return fmt.Errorf("%w: redis: the tails of %d buckets can't be read", eventlog.ErrUnavailable, out)
	}
	return nil
}

// readTails reads the tails of buckets, each from where it was at the last check, in one round trip to
// each server. Those are left out for which no server answers.
func (s *Store) readTails(ctx context.Context, from map[*bucket]bucketMark) map[*bucket]bucketTail {
	ctx, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	homes := map[*goredis.Client][]*bucket{}
	for b := range from {
		if home, err := s.client.home(ctx, b.prefix); err == nil {
			homes[home] = append(homes[home], b)
		}
	}
	var mu sync.Mutex
	all := make(map[*bucket]bucketTail, len(from))
	var reading sync.WaitGroup
	for home, buckets := range homes {
		reading.Go(func() {
			tails, err := s.readTailsAt(ctx, home, buckets, from)
			if err != nil {
				s.client.reload(ctx)
			}
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(all, tails)
		})
	}
	reading.Wait()
	return all
}

// readTailsAt reads the tails of the buckets that a server has. With an error, those are left out that it
// doesn't answer for. A slot on the move has some keys here and some elsewhere, and is the server's until
// all have gone.
func (s *Store) readTailsAt(
	ctx context.Context, home *goredis.Client, buckets []*bucket, from map[*bucket]bucketMark,
) (map[*bucket]bucketTail, error) {
	pipe := home.Pipeline()
	info := pipe.Info(ctx, "replication")
	readings := make([]tailReading, len(buckets))
	for i, b := range buckets {
		readings[i] = readTail(ctx, pipe, b, from[b])
	}
	_, err := pipe.Exec(ctx)
	if info.Err() != nil {
		return nil, info.Err()
	}
	lineage := parseInfo(info.Val())["master_replid"]
	tails := make(map[*bucket]bucketTail, len(buckets))
	for i, b := range buckets {
		if failed := readings[i].err(); failed != nil && goredis.HasErrorPrefix(failed, "ASK") {
			readings[i] = readTail(ctx, s.client, b, from[b])
		}
		if readings[i].err() == nil {
			tails[b] = readings[i].tail(lineage)
		}
	}
	return tails, err
}

// tailReading are the commands that read a bucket's tail. The state comes first, so that what is recent
// holds all that the state counts.
type tailReading struct {
	state  *goredis.SliceCmd
	recent *goredis.ZSliceCmd
}

func readTail(ctx context.Context, c goredis.Cmdable, b *bucket, from bucketMark) tailReading {
	return tailReading{
		state: c.HMGet(ctx, b.key("bucket"), "n", "mark", "evicted"),
		recent: c.ZRangeByScoreWithScores(ctx, b.key("recent"), &goredis.ZRangeBy{
			Min: "(" + strconv.FormatUint(from.n, 10), Max: "+inf",
		}),
	}
}

func (r tailReading) err() error { return cmp.Or(r.state.Err(), r.recent.Err()) }

func (r tailReading) tail(lineage string) bucketTail {
	tail := bucketTail{
		bucketState: decodeBucketState(r.state.Val()), lineage: lineage, recent: map[string]uint64{},
	}
	for _, z := range r.recent.Val() {
		if name, ok := z.Member.(string); ok {
			tail.recent[name] = uint64(z.Score)
		}
	}
	return tail
}

// handOutLooks tells watchers, batch by batch, that they may have missed something.
func (s *Store) handOutLooks(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.looks.wake:
		}
		for batch := s.looks.take(lookBatch); len(batch) > 0; batch = s.looks.take(lookBatch) {
			for _, t := range batch {
				owed := s.topics.owed(t)
				s.look(t)
				s.topics.looked(t, owed)
			}
			if len(batch) < lookBatch {
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(lookPause):
			}
		}
	}
}

// look tells a topic's watchers that they may have missed something.
func (s *Store) look(t *topic) {
	if t.state {
		s.stale.add(t.name)
		return
	}
	for _, w := range s.topics.listeners(t) {
		w.call(w.look)
	}
}

// guardRecord writes the record of the storage format again where the server was emptied, and stops
// being ready where it was replaced by one of another format.
func (s *Store) guardRecord(ctx context.Context) error {
	written, err := s.checkRecord(ctx)
	if written {
		s.log.Warn("the Redis server was emptied; beginning anew")
	}
	var layout *layoutError
	if errors.As(err, &layout) {
		s.wrongLayout.Store(layout)
		return nil // Redis answers
	}
	if err == nil {
		s.wrongLayout.Store(nil)
	}
	return err
}

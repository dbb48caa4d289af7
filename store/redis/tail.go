package redis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
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
	topics map[string]*topic
	// suspects are topics that were ahead of what was heard of them at the last check, with the
	// count they were at. Their hints may still have been on the way.
	suspects map[string]uint64
	// heard is the count at the last hint. Counts come in order over the one connection, so that one
	// not above the last is of another life of the bucket: rewound.
	heard   uint64
	rewound bool
	// confirmed: whatever was stored in the bucket by then, watchers have been told of, or to look for.
	// checked is when the last check began.
	confirmed, checked time.Time
}

func (b *watchedBucket) hear(n uint64) {
	b.rewound = b.rewound || n <= b.heard
	b.heard = n
}

// bucketTail is what a tail check reads of a bucket.
type bucketTail struct {
	bucketState
	// recent are the topics changed since the last check, with the count at their last change.
	recent map[string]uint64
}

// bucketMark is where a watched bucket is when a tail check begins: its count at the last check, and
// what was heard since.
type bucketMark struct{ n, heard uint64 }

// compare takes note of a bucket's tail and returns the topics that have missed something.
func (b *watchedBucket) compare(began bucketMark, tail bucketTail) []*topic {
	before := b.bucketState
	b.bucketState = tail.bucketState
	lost := b.rewound || before.lostTo(tail.bucketState) || tail.n < began.heard
	if lost || before.n < tail.evicted {
		return b.all(lost)
	}
	var missed []*topic
	for name, n := range b.suspects {
		if t := b.topics[name]; t != nil && t.heard < n {
			t.heard = n
			missed = append(missed, t)
		}
	}
	clear(b.suspects)
	for name, n := range tail.recent {
		if t := b.topics[name]; t != nil && t.heard < n {
			b.suspects[name] = n
		}
	}
	return missed
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

// compare is watchedBucket.compare for all buckets read.
func (ts *topics) compare(began map[*bucket]bucketMark, tails map[*bucket]bucketTail) []*topic {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	var missed []*topic
	for b, tail := range tails {
		if watched := ts.buckets[b]; watched != nil {
			missed = append(missed, watched.compare(began[b], tail)...)
		}
	}
	return missed
}

// heal checks the tails at each tick, and reads the states again that may have changed unheard.
func (s *Store) heal(ctx context.Context) {
	ticker := time.NewTicker(s.tailCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.checkTails(ctx)
		case <-s.stale.wake:
		}
		s.rereadStates(ctx)
	}
}

// checkTails finds the topics whose hints were lost. While Redis can't be reached it does nothing:
// when it can again, pub/sub has been reopened and everything is looked at anyway.
func (s *Store) checkTails(ctx context.Context) {
	began, from := time.Now(), s.topics.marks()
	tails, err := s.readTails(vital(ctx), from)
	for _, t := range s.topics.compare(from, tails) {
		s.metrics.looks.Inc()
		s.look(t)
	}
	s.topics.confirm(tails, began)
	if err == nil {
		err = s.guardRecord(vital(ctx))
	}
	s.reportCheck(ctx, began, err)
}

// readTails reads the tails of buckets, each from where it was at the last check. Those that could be
// read come with an error too.
func (s *Store) readTails(ctx context.Context, from map[*bucket]bucketMark) (map[*bucket]bucketTail, error) {
	if len(from) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	pipe := s.client.Pipeline()
	states := make(map[*bucket]*goredis.SliceCmd, len(from))
	recent := make(map[*bucket]*goredis.ZSliceCmd, len(from))
	for b, mark := range from {
		states[b] = pipe.HMGet(ctx, b.key("bucket"), "n", "mark", "evicted")
		recent[b] = pipe.ZRangeByScoreWithScores(ctx, b.key("recent"), &goredis.ZRangeBy{
			Min: "(" + strconv.FormatUint(mark.n, 10), Max: "+inf",
		})
	}
	_, err := pipe.Exec(ctx)
	if err != nil {
		err = fault(ctx, "tail check", err)
	}
	tails := make(map[*bucket]bucketTail, len(from))
	for b := range from {
		if len(states[b].Val()) == 0 || recent[b].Err() != nil {
			continue // not every command of a failed pipeline is given the error
		}
		tail := bucketTail{bucketState: decodeBucketState(states[b].Val()), recent: map[string]uint64{}}
		for _, z := range recent[b].Val() {
			if name, ok := z.Member.(string); ok {
				tail.recent[name] = uint64(z.Score)
			}
		}
		tails[b] = tail
	}
	return tails, err
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

package redis

import (
	"context"
	"slices"
	"time"

	"parley/ratelimit"
)

// costRecord is a cost as lua/lib/rate.lua takes it: spacing, depth, times.
type costRecord [3]int64

func costsOf(costs []ratelimit.Cost) []costRecord {
	records := make([]costRecord, len(costs))
	for i, c := range costs {
		records[i] = costRecord{c.Limit.Spacing(), c.Limit.Depth(), int64(c.Times())}
	}
	return records
}

// bounded leaves out the costs of limits that bound nothing.
func bounded(costs []ratelimit.Cost) []ratelimit.Cost {
	return slices.DeleteFunc(slices.Clone(costs), func(c ratelimit.Cost) bool { return c.Limit.Unlimited() })
}

// rates returns the keys of the rates that costs are charged to, in the bucket.
func (b *bucket) rates(costs []ratelimit.Cost) []string {
	keys := make([]string, len(costs))
	for i, c := range costs {
		keys[i] = b.of(c.Key).own("rate")
	}
	return keys
}

// exceeded reads the answer {'limited', which, microseconds}.
func exceeded(costs []ratelimit.Cost, got answer) error {
	which, wait := got.number(1), time.Duration(got.number(2))*time.Microsecond
	if which < 1 || which > uint64(len(costs)) {
		return badAnswer("rates", got)
	}
	return &ratelimit.Exceeded{Name: costs[which-1].Name, RetryAfter: wait}
}

// Take implements [ratelimit.Store]. The rate is kept in its key's own bucket.
func (s *Store) Take(ctx context.Context, cost ratelimit.Cost) error {
	if cost.Limit.Unlimited() {
		return nil
	}
	costs := []ratelimit.Cost{cost}
	c := costsOf(costs)[0]
	got, err := s.run(ctx, takeScript, bucketOf(cost.Key).rates(costs), c[0], c[1], c[2])
	switch {
	case err != nil:
		return err
	case got.word() == "limited":
		return exceeded(costs, got)
	case got.word() != "ok":
		return badAnswer("take", got)
	}
	return nil
}

package redis

import "context"

// LoseHints makes all that the store publishes from now on go where nobody listens.
func (s *Store) LoseHints() { s.publish = "SPUBLISH" }

// TakeTurns takes all turns of calls that there are.
func (s *Store) TakeTurns(ctx context.Context) (giveBack func(), err error) {
	for range cap(s.limit.turns) {
		if _, err := s.limit.take(ctx); err != nil {
			return nil, err
		}
	}
	return func() {
		for range cap(s.limit.turns) {
			s.limit.end()
		}
	}, nil
}

// Waiting is how many calls wait for a turn.
func (s *Store) Waiting() int64 { return s.limit.waiting.Load() }

// Prefixes returns what the keys of each bucket begin with.
func Prefixes() []string {
	var prefixes []string
	for _, b := range allBuckets() {
		prefixes = append(prefixes, b.prefix)
	}
	return prefixes
}

// PrefixOf returns what the keys of a room's bucket begin with.
func PrefixOf(room string) string { return bucketOf(room).prefix }

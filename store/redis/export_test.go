package redis

// LoseHints makes all that the store publishes from now on go where nobody listens.
func (s *Store) LoseHints() { s.publish = "SPUBLISH" }

// Prefixes returns what the keys of each bucket begin with.
func Prefixes() []string {
	var prefixes []string
	for _, b := range allBuckets() {
		prefixes = append(prefixes, b.prefix)
	}
	return prefixes
}

package sqlite

import (
	"context"

	"parley/ratelimit"
)

// Rates are kept in memory, by the writer: this process is the only one that uses the file, and what
// a restart forgets is a burst. So no message costs a row more, and no file another format.

// maxRates bounds the rates remembered at a time: about 10 MiB at the worst.
const maxRates = 100_000

// Take implements ratelimit.Store.
func (s *Store) Take(ctx context.Context, cost ratelimit.Cost) error {
	_, err := write(ctx, s, func(_ context.Context, t *tx) (struct{}, error) {
		return struct{}{}, t.rates.Take(t.at, cost)
	})
	return err
}

// pay charges what the entry costs. It is the last that a step may be refused for.
func (p *appending) pay(context.Context) error { return p.rates.Take(p.at, p.Costs...) }

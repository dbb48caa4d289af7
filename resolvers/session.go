package resolvers

import (
	"context"
	"time"

	"parley/graph"
)

func (m mutation) RefreshSession(ctx context.Context, input graph.RefreshSessionInput) (*graph.RefreshSessionPayload, error) {
	if _, err := viewer(ctx); err != nil {
		return nil, err
	}
	expires, err := m.Resolver.RefreshSession(ctx, input.Token)
	if err != nil {
		return nil, err
	}
	return &graph.RefreshSessionPayload{ExpiresAt: expires.UTC().Truncate(time.Millisecond)}, nil
}

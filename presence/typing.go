package presence

import (
	"context"
	"fmt"
	"time"
)

// SetTyping says that a user types in a room, or has stopped. It returns when that expires unless
// said again, by this node's clock; nil for stopped. It needs neither Run nor a device. Errors
// are the store's.
func (t *Tracker) SetTyping(ctx context.Context, room string, user User, typing bool) (expiresAt *time.Time, err error) {
	var ttl time.Duration
	if typing {
		ttl = t.options.TypingTTL
		at := time.Now().Add(ttl)
		expiresAt = &at
	}
	if err := t.store.SetTyping(ctx, room, user, ttl); err != nil {
		t.metrics.storeErrors.WithLabelValues("typing").Inc()
		return nil, fmt.Errorf("presence: setting typing: %w", err)
	}
	return expiresAt, nil
}

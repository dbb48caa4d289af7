package auth

import (
	"context"
	"maps"
	"time"
)

// revocationPage is how many revocations are read at a time.
const revocationPage = 1000

func (r *Revocations) look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run keeps the list current until ctx ends: it is read when the store tells of news, and each
// [RevocationOptions.Poll], for telling may fail.
func (r *Revocations) Run(ctx context.Context) error {
	poll := time.NewTicker(r.options.Poll)
	defer poll.Stop()
	var stop func()
	defer func() {
		if stop != nil {
			stop()
		}
	}()
	failing := false
	for {
		err := r.Load(ctx)
		if err == nil && stop == nil {
			stop, err = r.store.WatchRevocations(ctx, r.look)
		}
		if failed := err != nil; failed != failing && ctx.Err() == nil {
			failing = failed
			if failed {
				r.options.Log.WarnContext(ctx, "the revocations can't be read", "error", err)
			} else {
				r.options.Log.InfoContext(ctx, "the revocations can be read again")
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.wake:
		case <-poll.C:
		}
	}
}

// Load reads what was recorded since it last did.
func (r *Revocations) Load(ctx context.Context) error {
	for {
		r.mu.RLock()
		after := r.next
		r.mu.RUnlock()
		begin := time.Now()
		page, err := r.store.Revocations(ctx, after, revocationPage)
		if err != nil {
			return err
		}
		r.apply(page.Revocations)
		r.mu.Lock()
		r.next = page.Next
		complete := len(page.Revocations) < revocationPage
		if complete {
			r.read = begin
			r.forgetOver(begin)
		}
		lost := complete && page.Count < len(r.users)+len(r.tokens)
		r.mu.Unlock()
		if complete && lost {
			return r.restore(ctx)
		}
		if complete {
			return nil
		}
	}
}

func (r *Revocations) forgetOver(now time.Time) {
	over := func(_ string, one Revocation) bool { return one.over(now) }
	maps.DeleteFunc(r.users, over)
	maps.DeleteFunc(r.tokens, over)
}

// restore records again what a store has lost: what was revoked stays so.
func (r *Revocations) restore(ctx context.Context) error {
	r.mu.RLock()
	missing := map[Revocation]bool{}
	for _, list := range []map[string]Revocation{r.users, r.tokens} {
		for _, one := range list {
			missing[one] = true
		}
	}
	r.mu.RUnlock()
	for after := uint64(0); ; {
		page, err := r.store.Revocations(ctx, after, revocationPage)
		if err != nil {
			return err
		}
		for _, one := range page.Revocations {
			delete(missing, one)
		}
		if after = page.Next; len(page.Revocations) < revocationPage {
			break
		}
	}
	if len(missing) > 0 {
		r.options.Log.WarnContext(ctx, "the store has lost revocations; they are recorded again", "count", len(missing))
	}
	for one := range missing {
		keep := r.options.Keep
		if !one.Until.IsZero() {
			keep = one.Until.Sub(one.At)
		}
		if _, err := r.store.Revoke(ctx, one, keep, r.options.Most); err != nil {
			return err
		}
	}
	return nil
}

package auth

import (
	"cmp"
	"context"
	"maps"
	"slices"
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

// tip is the end of the store's list as this node last read it; zero while nothing is there.
type tip struct {
	mark uint64
	last Revocation
}

// Load reads what was recorded since it last did, and the last one it knows once more. Where that
// isn't in its place any more, the store may have lost the end of its list: then all is read, and
// what is missing is recorded again, unless it is over by the store's clock. It isn't called twice at a
// time.
func (r *Revocations) Load(ctx context.Context) error {
	begin := time.Now()
	r.mu.RLock()
	known := r.tip
	r.mu.RUnlock()
	if known.mark == 0 {
		return r.reload(ctx, begin)
	}
	page, err := r.store.Revocations(ctx, known.mark-1, revocationPage)
	if err != nil {
		return err
	}
	if !page.beginsWith(known) {
		return r.reload(ctx, begin)
	}
	end, err := r.follow(ctx, page, begin, func(Revocation) {})
	if err == nil {
		r.reach(end)
		r.lost = nil
	}
	return err
}

func (p RevocationPage) beginsWith(t tip) bool {
	return len(p.Revocations) > 0 && p.First == t.mark && p.Revocations[0] == t.last
}

func (r *Revocations) reach(end tip) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tip = end
}

// follow takes a page of the store's list, and those after it, into this node's, which then is
// complete as of begin.
func (r *Revocations) follow(ctx context.Context, page RevocationPage, begin time.Time, see func(Revocation)) (end tip, err error) {
	for {
		r.apply(page)
		for _, one := range page.Revocations {
			see(one)
			end.last = one
		}
		end.mark = page.Next
		if len(page.Revocations) < revocationPage {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.read = begin
			r.forgetOver(page.Now)
			return end, nil
		}
		if page, err = r.store.Revocations(ctx, page.Next, revocationPage); err != nil {
			return tip{}, err
		}
	}
}

func (r *Revocations) forgetOver(now time.Time) {
	over := func(_ string, one Revocation) bool { return one.over(now) }
	maps.DeleteFunc(r.users, over)
	maps.DeleteFunc(r.tokens, over)
}

// reload reads the whole list, and records again what the store has lost: what was revoked stays so.
func (r *Revocations) reload(ctx context.Context, begin time.Time) error {
	page, err := r.store.Revocations(ctx, 0, revocationPage)
	if err != nil {
		return err
	}
	kept := map[Revocation]bool{}
	end, err := r.follow(ctx, page, begin, func(one Revocation) { kept[one] = true })
	if err != nil {
		return err
	}
	if err := r.restore(ctx, r.without(kept)); err != nil {
		return err // and the tip stays, so that this is done again
	}
	r.reach(end)
	return nil
}

// without returns what this node knows that isn't kept, oldest first.
func (r *Revocations) without(kept map[Revocation]bool) (missing []Revocation) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, list := range []map[string]Revocation{r.users, r.tokens} {
		for _, one := range list {
			if !kept[one] {
				missing = append(missing, one)
			}
		}
	}
	slices.SortFunc(missing, func(a, b Revocation) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.User, b.User), cmp.Compare(a.Token, b.Token))
	})
	return missing
}

// restore records what is missing. It may have to try again and again, but says so once.
func (r *Revocations) restore(ctx context.Context, missing []Revocation) error {
	if len(missing) > 0 && !slices.Equal(missing, r.lost) {
		r.options.Log.WarnContext(ctx, "the store has lost revocations; they are recorded again", "count", len(missing))
	}
	r.lost = missing
	for _, one := range missing {
		keep := time.Duration(0)
		if !one.Until.IsZero() {
			keep = one.Until.Sub(one.At)
		}
		if _, err := r.store.Revoke(ctx, one, keep, r.options.Most); err != nil {
			return err
		}
	}
	return nil
}

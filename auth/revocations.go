package auth

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RevocationOptions say how revocations are kept. The zero value is useful.
type RevocationOptions struct {
	// Keep is for how long a revocation is kept: as long as tokens live at most. 0 means for ever.
	Keep time.Duration
	// Most bounds how many are kept; 0 means 100,000.
	Most int
	// Poll is how often the list is read even though nobody told of a change; 0 means 500 ms.
	Poll time.Duration
	// Cutoff is how long the list counts as complete while it can't be read; 0 means 10 s. After
	// that no token can be judged.
	Cutoff time.Duration
	// Log is told what nobody else is; nil means slog.Default().
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

func (o RevocationOptions) withDefaults() RevocationOptions {
	o.Most = cmp.Or(o.Most, 100_000)
	o.Poll = cmp.Or(o.Poll, 500*time.Millisecond)
	o.Cutoff = cmp.Or(o.Cutoff, 10*time.Second)
	o.Log = cmp.Or(o.Log, slog.Default())
	return o
}

// Revocations is this node's copy of the list of revocations, so that a token is judged without
// asking the store, and the connections of this node, so that those of revoked tokens end.
type Revocations struct {
	store   RevocationStore
	options RevocationOptions
	ended   prometheus.Counter
	wake    chan struct{} // holds one: there may be news
	lost    []Revocation  // what the store lacked when Load, whose own it is, last looked

	mu sync.RWMutex
	// users and tokens are the list, by what is revoked, without those that are over by the store's clock.
	users, tokens map[string]Revocation
	// tip is up to where the store's list was read, read when that was last so.
	tip     tip
	read    time.Time
	holders holders
}

// NewRevocations returns a copy of a store's list, not yet read.
func NewRevocations(store RevocationStore, options RevocationOptions) *Revocations {
	r := &Revocations{
		store: store, options: options.withDefaults(), wake: make(chan struct{}, 1),
		users: map[string]Revocation{}, tokens: map[string]Revocation{}, holders: newHolders(),
		ended: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_revoked_connections_total", Help: "Connections ended because their token was revoked.",
		}),
	}
	if options.Registerer != nil {
		options.Registerer.MustRegister(r.ended, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "parley_revocations", Help: "Revocations that this node knows of.",
		}, func() float64 { return float64(r.Len()) }))
	}
	return r
}

// Len is how many revocations are known.
func (r *Revocations) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.users) + len(r.tokens)
}

// Revoke takes back tokens, on every node. A revocation that can't be made is [ErrBadIdentity].
func (r *Revocations) Revoke(ctx context.Context, what Revocation) (Revocation, error) {
	if err := what.check(); err != nil {
		return Revocation{}, err
	}
	made, err := r.store.Revoke(ctx, what, r.options.Keep, r.options.Most)
	if err == nil {
		r.look()
	}
	return made, err
}

// Check judges a viewer whose token is good otherwise: nil, [ErrRevoked], or [ErrUnavailable] while
// this node has been cut off from the list for too long.
func (r *Revocations) Check(v *Viewer) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if time.Since(r.read) > r.options.Cutoff {
		return ErrUnavailable
	}
	return r.check(v)
}

// Current reports whether this node has the list, and so can judge.
func (r *Revocations) Current() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return time.Since(r.read) <= r.options.Cutoff
}

func (r *Revocations) check(v *Viewer) error {
	if all, ok := r.users[v.ID]; ok && all.covers(v) {
		return ErrRevoked
	}
	if _, ok := r.tokens[v.TokenID]; ok && v.TokenID != "" {
		return ErrRevoked
	}
	return nil
}

// Verifier returns a verifier that refuses revoked tokens, too.
func (r *Revocations) Verifier(of Verifier) Verifier { return unrevoked{of, r} }

type unrevoked struct {
	Verifier
	revocations *Revocations
}

// Verify implements [Verifier].
func (u unrevoked) Verify(ctx context.Context, token string) (*Viewer, error) {
	viewer, err := u.Verifier.Verify(ctx, token)
	if err == nil {
		err = u.revocations.Check(viewer)
	}
	if err != nil {
		return nil, err
	}
	return viewer, nil
}

// Hold notes that owner, a connection, is the viewer's, as if it came just now or has got another
// token; end, which must return at once, is called when that token is revoked. It may be called
// before Hold returns: the token may have been revoked since it was verified.
func (r *Revocations) Hold(owner any, v *Viewer, end func()) {
	r.mu.Lock()
	r.holders.set(owner, v, end)
	err := r.check(v)
	r.mu.Unlock()
	if err != nil {
		r.ended.Inc()
		end()
	}
}

// Drop forgets an owner.
func (r *Revocations) Drop(owner any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holders.drop(owner)
}

// apply takes revocations into the list and ends the connections of the tokens. An older one, that
// another node has recorded again, doesn't replace one that takes back more.
func (r *Revocations) apply(page RevocationPage) {
	var ends []func()
	r.mu.Lock()
	for _, one := range page.Revocations {
		known, key := r.users, one.User
		if one.Token != "" {
			known, key = r.tokens, one.Token
		}
		before, found := known[key]
		if one.over(page.Now) || found && (before == one || before.At.After(one.At)) {
			continue
		}
		known[key] = one
		ends = append(ends, r.holders.covered(one)...)
	}
	r.mu.Unlock()
	for _, end := range ends {
		r.ended.Inc()
		end()
	}
}

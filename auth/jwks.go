package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// KeySetOptions say where an issuer publishes its keys and how eagerly they are fetched.
type KeySetOptions struct {
	// URL of the JSON Web Key Set (RFC 7517 §5): https, or http to a loopback address.
	URL string
	// Refresh is how often the set is fetched; 0 means 15 minutes.
	Refresh time.Duration
	// Pause is the least time between fetches that tokens of unknown keys, or failures, ask for; 0
	// means 5 seconds.
	Pause time.Duration
	// Timeout bounds one fetch; 0 means 10 seconds.
	Timeout time.Duration
	// Patience is how long a token of an unknown key waits for a fetch; 0 means 2 seconds.
	Patience time.Duration
	// Log is told when fetching fails and when it works again; nil means slog.Default().
	Log *slog.Logger
}

func (o KeySetOptions) withDefaults() KeySetOptions {
	o.Refresh = cmp.Or(o.Refresh, 15*time.Minute)
	o.Pause = cmp.Or(o.Pause, 5*time.Second)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.Patience = cmp.Or(o.Patience, 2*time.Second)
	o.Log = cmp.Or(o.Log, slog.Default())
	return o
}

// maxWaiting bounds the tokens that wait for a fetch at a time.
const maxWaiting = 256

// KeySet is the public keys of an issuer, kept current by Run. Known keys are looked up without
// waiting for anything: only a token of an unknown key, which may be a new one, asks for a fetch
// and waits for it a while. However many ask, one fetch runs at a time, with a pause between two.
// A fetch that fails leaves the keys as they are.
type KeySet struct {
	options KeySetOptions
	source  *keySource
	keys    *jwkset.MemoryJWKSet
	find    jwt.Keyfunc

	asked   chan struct{} // holds one: somebody waits for a fetch
	waiting chan struct{} // holds as many as wait

	mu      sync.Mutex
	fetched time.Time     // begin of the last fetch that worked; zero while there are no keys
	tried   time.Time     // end of the last one, whatever came of it
	next    chan struct{} // closed at the end of the fetch under way, or the next one
	failing bool
}

// NewKeySet returns a set without keys. An URL that must not be trusted is an error.
func NewKeySet(options KeySetOptions) (*KeySet, error) {
	options = options.withDefaults()
	source, err := newKeySource(options.URL)
	if err != nil {
		return nil, err
	}
	keys := jwkset.NewMemoryStorage()
	finder, err := keyfunc.New(keyfunc.Options{Storage: keys})
	if err != nil {
		return nil, err
	}
	return &KeySet{
		options: options, source: source, keys: keys, find: finder.Keyfunc,
		asked: make(chan struct{}, 1), waiting: make(chan struct{}, maxWaiting), next: make(chan struct{}),
	}, nil
}

// Run fetches the keys at once and keeps them current until ctx ends.
func (k *KeySet) Run(ctx context.Context) error {
	defer k.source.close()
	for {
		wait := time.NewTimer(k.fetch(ctx))
		for due := false; !due; {
			select {
			case <-ctx.Done():
				wait.Stop()
				return ctx.Err()
			case <-wait.C:
				due = true
			case <-k.asked:
				due = k.mayFetch()
			}
		}
		wait.Stop()
	}
}

// Ready reports whether there are keys to verify with.
func (k *KeySet) Ready() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.fetched.IsZero()
}

// fetch replaces the keys by those published now and returns when to do so again.
func (k *KeySet) fetch(ctx context.Context) (again time.Duration) {
	begin := time.Now()
	limited, cancel := context.WithTimeout(ctx, k.options.Timeout)
	defer cancel()
	keys, err := k.source.fetch(limited)
	if err == nil {
		err = k.keys.KeyReplaceAll(ctx, keys)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried = time.Now()
	close(k.next)
	k.next = make(chan struct{})
	if err != nil {
		if ctx.Err() == nil && !k.failing {
			k.options.Log.Warn("the issuer's keys can't be fetched; tokens are checked with those known, if any", "known", !k.fetched.IsZero(), "server", k.source.host(), "error", err)
		}
		k.failing = true
		return k.options.Pause + rand.N(k.options.Pause)
	}
	if k.failing || k.fetched.IsZero() {
		k.options.Log.Info("the issuer's keys are known", "server", k.source.host(), "keys", len(keys))
	}
	k.fetched, k.failing = begin, false
	return k.options.Refresh - rand.N(k.options.Refresh/10+1)
}

// mayFetch reports whether the pause since the last fetch is over.
func (k *KeySet) mayFetch() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.tried) >= k.options.Pause
}

// Why a token's key isn't known.
var (
	errUnknownKey = errors.New("no such key is published")
	errNoKeys     = fmt.Errorf("%w: the issuer's keys can't be fetched", ErrUnavailable)
)

// key returns the key that a token names (its kid), or all of them for one that names none. It is
// errNoKeys where only a fetch could tell.
func (k *KeySet) key(ctx context.Context, token *jwt.Token) (any, error) {
	key, err := k.lookUp(token)
	if !errors.Is(err, errUnknownKey) {
		return key, err
	}
	if err := k.refreshed(ctx); err != nil {
		return nil, err
	}
	return k.lookUp(token)
}

func (k *KeySet) lookUp(token *jwt.Token) (any, error) {
	if !k.Ready() {
		return nil, errUnknownKey
	}
	key, err := k.find(token)
	if errors.Is(err, jwkset.ErrKeyNotFound) {
		return nil, errUnknownKey
	}
	return key, err
}

// refreshed returns once the keys are as they were published at most a pause ago.
func (k *KeySet) refreshed(ctx context.Context) error {
	k.mu.Lock()
	fresh := !k.fetched.IsZero() && time.Since(k.fetched) < k.options.Pause
	tooSoon := time.Since(k.tried) < k.options.Pause
	next := k.next
	k.mu.Unlock()
	switch {
	case fresh:
		return nil
	case tooSoon:
		return errNoKeys
	}
	select {
	case k.waiting <- struct{}{}:
		defer func() { <-k.waiting }()
	default:
		return errNoKeys
	}
	select {
	case k.asked <- struct{}{}:
	default:
	}
	wait := time.NewTimer(k.options.Patience)
	defer wait.Stop()
	select {
	case <-next:
	case <-ctx.Done():
		return errNoKeys
	case <-wait.C:
		return errNoKeys
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failing {
		return errNoKeys
	}
	return nil
}

// checkKeyURL refuses to take keys from where anybody on the way could change them.
func checkKeyURL(u *url.URL) error {
	switch {
	case u.Host == "":
		return errors.New("the URL of the issuer's keys must be absolute")
	case u.User != nil:
		return errors.New("the URL of the issuer's keys must not hold a password")
	case u.Scheme == "https", origin{scheme: u.Scheme, host: u.Hostname()}.isLoopback():
		return nil
	}
	return errors.New("the issuer's keys are fetched by https only, except from a loopback address")
}

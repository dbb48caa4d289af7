package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrRevoked: the token was good until somebody took it back.
var ErrRevoked = fmt.Errorf("%w: it was revoked", ErrBadToken)

// ErrRevocationsFull: the store keeps as many revocations as it may, and this one isn't kept.
var ErrRevocationsFull = errors.New("as many revocations as PARLEY_MAX_REVOCATIONS allows are kept already")

// Revocation takes back tokens that were good: one of them, or all of a user's that were issued
// before it.
type Revocation struct {
	// Token is the id (jti) of the one token; else User is whose tokens are refused.
	Token, User string
	// At is when it was made, by the store's clock.
	At time.Time
	// Until is when the last of the tokens has expired; zero for never.
	Until time.Time
}

// covers reports whether the viewer's token is taken back. A token that doesn't say when it was
// issued may be older than any revocation.
func (r Revocation) covers(v *Viewer) bool {
	if r.Token != "" {
		return v.TokenID == r.Token
	}
	return v.ID == r.User && (v.IssuedAt.IsZero() || !v.IssuedAt.After(r.At))
}

// over reports whether the last of the tokens has expired, at a moment by the store's clock.
func (r Revocation) over(now time.Time) bool { return !r.Until.IsZero() && !now.Before(r.Until) }

// check finds out whether a revocation can be made.
func (r Revocation) check() error {
	switch {
	case (r.Token == "") == (r.User == ""):
		return fmt.Errorf("%w: name either a user or a token", ErrBadIdentity)
	case r.Token != "":
		if err := checkIdentifier(r.Token, maxTokenIDBytes); err != nil {
			return fmt.Errorf("%w: token %w", ErrBadIdentity, err)
		}
	default:
		if err := checkUserID(r.User); err != nil {
			return fmt.Errorf("%w: user %w", ErrBadIdentity, err)
		}
	}
	return nil
}

// RevocationPage is a part of the list of revocations.
type RevocationPage struct {
	// Revocations in the order in which they were recorded.
	Revocations []Revocation
	// First is the mark of the first one here, Next that of the last, from which to read on; both are
	// the mark asked for where there are none.
	First, Next uint64
	// Now is when they were read, by the store's clock: it may have dropped what is over by then, and
	// nothing else.
	Now time.Time
}

// RevocationStore keeps revocations for all nodes. An error that isn't named here means that the
// store can't answer now.
type RevocationStore interface {
	// Revoke records a revocation, now if At is zero, for as long as keep says from then on (0: for
	// ever), and tells the watchers of all nodes. One that is recorded for the same tokens already,
	// not before that time, is returned instead and told nobody. [ErrRevocationsFull] if most are
	// kept that aren't over.
	Revoke(ctx context.Context, r Revocation, keep time.Duration, most int) (Revocation, error)
	// Revocations returns up to limit revocations recorded after a mark, 0 for all, some perhaps that
	// are over. A mark is 1 at least, and higher than those of all that are kept. What a store loses
	// in a disaster is the end of its list, whose marks it may then give to others.
	Revocations(ctx context.Context, after uint64, limit int) (RevocationPage, error)
	// WatchRevocations calls look, which must return at once, when there may be new ones. Calls may
	// be lost.
	WatchRevocations(ctx context.Context, look func()) (stop func(), err error)
}

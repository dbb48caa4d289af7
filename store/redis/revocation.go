package redis

import (
	"context"
	"strconv"
	"strings"
	"time"

	"parley/auth"
)

// revocationsTopic is what a node watches to hear of revocations.
const revocationsTopic = "revocations"

// Revocations concern all nodes, and are kept once, in the first bucket.
func revocationKeys() []string { return allBuckets()[0].keys("revocations", "revoked") }

// What is revoked, as it is kept.
const (
	revokedUser  = "u:"
	revokedToken = "t:"
)

func revokedOf(r auth.Revocation) string {
	if r.Token != "" {
		return revokedToken + r.Token
	}
	return revokedUser + r.User
}

// revocationOf reads a revocation: what, and "<made> <until>".
func revocationOf(what, times string) auth.Revocation {
	var r auth.Revocation
	if token, ok := strings.CutPrefix(what, revokedToken); ok {
		r.Token = token
	} else {
		r.User = strings.TrimPrefix(what, revokedUser)
	}
	made, until, _ := strings.Cut(times, " ")
	fields := answer{made, until}
	r.At = timeOf(int64(fields.number(0)))
	if ends := optionalTime(int64(fields.number(1))); ends != nil {
		r.Until = *ends
	}
	return r
}

// Revoke implements [auth.RevocationStore].
func (s *Store) Revoke(ctx context.Context, r auth.Revocation, keep time.Duration, most int) (auth.Revocation, error) {
	made := int64(0)
	if !r.At.IsZero() {
		made = r.At.UnixMilli()
	}
	b := allBuckets()[0]
	keys := append(revocationKeys(), b.keys("revocations-due", "bucket", "recent")...)
	got, err := s.run(ctx, revokeScript, keys, revokedOf(r), made, keep.Milliseconds(), most,
		b.key("revocation-hints"), s.publish, mark())
	switch {
	case err != nil:
		return auth.Revocation{}, err
	case got.word() == "full":
		return auth.Revocation{}, auth.ErrRevocationsFull
	}
	return revocationOf(revokedOf(r), got.text(1)+" "+got.text(2)), nil
}

// Revocations implements [auth.RevocationStore].
func (s *Store) Revocations(ctx context.Context, after uint64, limit int) (auth.RevocationPage, error) {
	got, err := s.run(ctx, revocationsScript, revocationKeys(), strconv.FormatUint(after, 10), limit)
	if err != nil {
		return auth.RevocationPage{}, err
	}
	page := auth.RevocationPage{First: after, Next: after, Now: timeOf(int64(got.number(2)))}
	list := got.list(1)
	for i := 0; i+2 < len(list); i += 3 {
		page.Revocations = append(page.Revocations, revocationOf(list.text(i), list.text(i+2)))
		page.Next = list.number(i + 1)
		if i == 0 {
			page.First = page.Next
		}
	}
	return page, nil
}

// WatchRevocations implements [auth.RevocationStore].
func (s *Store) WatchRevocations(ctx context.Context, look func()) (stop func(), err error) {
	b := allBuckets()[0]
	return s.watchHints(ctx, topic{name: revocationsTopic, bucket: b, channel: b.key("revocation-hints")}, look)
}

// watchHints watches a topic whose hints say no more than that there is something to look at.
func (s *Store) watchHints(ctx context.Context, described topic, look func()) (stop func(), err error) {
	described.decode = func(string) (any, error) { return nil, nil }
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	known, err := s.bucketState(ctx, described.bucket)
	if err != nil {
		return nil, err
	}
	return s.subscribe(ctx, described, &watch{news: func(any) { look() }, look: look}, known)
}

package redis

import (
	"cmp"
	"context"
	"slices"
	"time"

	"parley/presence"
)

const (
	// dueAtOnce bounds what one sweep does in a bucket, of each kind.
	dueAtOnce = 50
	// sweepAtOnce bounds what one sweep does altogether.
	sweepAtOnce = 500
)

// chore is one thing that a sweep has to do in a bucket.
type chore struct {
	in *bucket
	do func(ctx context.Context) error
}

// Sweep implements [presence.Store]. Every chore is idempotent, so that it doesn't matter how many
// nodes find it at once. A bucket that can't be swept doesn't hold up the others. In a store of another
// storage format nothing is swept.
func (s *Store) Sweep(ctx context.Context, grace time.Duration) (more bool, err error) {
	if layout := s.wrongLayout.Load(); layout != nil {
		return false, fault(ctx, "sweep", layout)
	}
	chores, more, err := s.chores(ctx, grace)
	if len(chores) > sweepAtOnce {
		chores, more = chores[:sweepAtOnce], true
	}
	failed := map[*bucket]bool{}
	for _, c := range chores {
		if failed[c.in] {
			continue
		}
		if failure := c.do(ctx); failure != nil {
			failed[c.in], err = true, cmp.Or(err, failure)
		}
	}
	return more && err == nil, err
}

// chores finds what is due, and whether that is all; with an error, what is due where that can be read.
// The leases are read last, so that an instance with devices and without a lease is one whose lease has
// ended; while they can't be read, none has.
func (s *Store) chores(ctx context.Context, grace time.Duration) (chores []chore, more bool, err error) {
	calls := make([]call, bucketCount)
	for i, b := range allBuckets() {
		calls[i] = call{keys: b.keys("instances", "grace", "typing-due"), args: []any{dueAtOnce}}
	}
	due, unread := s.runAll(ctx, dueScript, calls)
	living, unknown := s.living(ctx)
	unread = cmp.Or(unread, unknown)
	for i, b := range allBuckets() {
		lapsed := slices.DeleteFunc(due[i].list(1).from(0), func(instance string) bool {
			return unknown != nil || slices.Contains(living, instance)
		})
		overdue, full, err := s.choresIn(ctx, b, lapsed, due[i], grace)
		unread = cmp.Or(unread, err)
		chores, more = append(chores, overdue...), more || full
	}
	return chores, more, unread
}

// living returns the instances whose leases hold.
func (s *Store) living(ctx context.Context) ([]string, error) {
	got, err := s.run(ctx, leasesScript, []string{leasesKey()})
	if err == nil && got.word() != "ok" {
		err = badAnswer("leases", got)
	}
	return got.list(1).from(0), err
}

// choresIn lists what is due in a bucket: the users with devices of lapsed instances, those whose
// grace is over, and the rooms with expired typing. full says that there may be more.
func (s *Store) choresIn(
	ctx context.Context, b *bucket, lapsed []string, due answer, grace time.Duration,
) (chores []chore, full bool, err error) {
	for _, instance := range lapsed {
		users, err := s.usersOf(ctx, b, instance)
		if err != nil {
			return nil, false, err
		}
		full = full || len(users) == dueAtOnce
		for _, user := range users {
			chores = append(chores, chore{in: b, do: func(ctx context.Context) error {
				return s.disconnect(ctx, instance, "", user, grace)
			}})
		}
	}
	over, expired := due.list(2).from(0), due.list(3).from(0)
	for _, user := range over {
		chores = append(chores, chore{in: b, do: func(ctx context.Context) error { return s.takeOffline(ctx, user) }})
	}
	for _, room := range expired {
		chores = append(chores, chore{in: b, do: func(ctx context.Context) error {
			return s.setTyping(ctx, room, presence.User{}, 0)
		}})
	}
	return chores, full || len(over) == dueAtOnce || len(expired) == dueAtOnce, nil
}

// usersOf returns some of the users that have devices of an instance in a bucket.
func (s *Store) usersOf(ctx context.Context, b *bucket, instance string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	users, err := s.client.SRandMemberN(ctx, b.of(instance).own("instance"), dueAtOnce).Result()
	if err != nil {
		return nil, fault(ctx, "sweep", err)
	}
	return users, nil
}

// takeOffline ends a user's grace.
func (s *Store) takeOffline(ctx context.Context, user string) error {
	e := entityOf(user)
	keys := append(e.owns("devices", "user"), e.keys("grace", "bucket", "recent")...)
	_, err := s.run(ctx, offlineScript, keys, user, e.presenceChannel(), s.publish, mark())
	return err
}

package redis

import (
	"context"
	"strconv"
	"sync"
	"time"
)

// leases remembers the ends of this process's leases: a store that knows an earlier one, or none, has
// lost its data, and with it the devices. There are as many as instances that haven't ended: one, as
// a rule.
type leases struct {
	mu   sync.Mutex
	ends map[string]uint64 // unix ms
}

func (l *leases) known(instance string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ends[instance]
}

func (l *leases) set(instance string, ends uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ends == nil {
		l.ends = map[string]uint64{}
	}
	l.ends[instance] = ends
}

func (l *leases) drop(instance string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ends, instance)
}

// Renew implements [presence.Store].
func (s *Store) Renew(ctx context.Context, instance string, ttl time.Duration) (held bool, err error) {
	known := strconv.FormatUint(s.leases.known(instance), 10)
	got, err := s.run(vital(ctx), renewScript, []string{leasesKey()}, instance, ttl.Milliseconds(), known)
	if err != nil {
		return false, err
	}
	if got.word() == "lapsed" {
		s.leases.drop(instance)
		return false, nil
	}
	s.leases.set(instance, got.number(1))
	return true, nil
}

// Release implements [presence.Store].
func (s *Store) Release(ctx context.Context, instance string) error {
	_, err := s.run(ctx, releaseScript, []string{leasesKey()}, instance)
	if err == nil {
		s.leases.drop(instance)
	}
	return err
}

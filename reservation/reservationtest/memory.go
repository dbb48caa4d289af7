// Package reservationtest has a store of reservations for tests.
package reservationtest

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"parley/reservation"
)

// Memory is a [reservation.Store] in memory.
type Memory struct {
	mu      sync.Mutex
	kept    map[string]*kept
	watches map[string]map[*func()]bool
	failing error
}

type kept struct {
	reservation.Record
	due time.Time
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{kept: map[string]*kept{}, watches: map[string]map[*func()]bool{}}
}

var _ reservation.Store = (*Memory)(nil)

// Fail makes every call fail with an error, until it is nil.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = err
}

// Len returns how many reservations there are.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget()
	return len(m.kept)
}

// Watched returns how many watches there are.
func (m *Memory) Watched() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, looks := range m.watches {
		n += len(looks)
	}
	return n
}

// PutReservation implements reservation.Store.
func (m *Memory) PutReservation(_ context.Context, r reservation.Record, ttl time.Duration, most int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return m.failing
	}
	m.forget()
	r.Version, r.Parts = 1, map[string][]byte{}
	var others []*kept
	for _, k := range m.kept {
		if k.User == r.User {
			others = append(others, k)
		}
	}
	slices.SortFunc(others, func(a, b *kept) int { return b.due.Compare(a.due) })
	for _, k := range others[min(most-1, len(others)):] {
		m.drop(k.ID)
	}
	m.kept[r.ID] = &kept{r, time.Now().Add(ttl)}
	return nil
}

// forget forgets what is over.
func (m *Memory) forget() {
	now := time.Now()
	maps.DeleteFunc(m.kept, func(_ string, k *kept) bool { return !k.due.After(now) })
}

// Reservation implements reservation.Store.
func (m *Memory) Reservation(_ context.Context, id string, parts ...string) (reservation.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget()
	k := m.kept[id]
	switch {
	case m.failing != nil:
		return reservation.Record{}, m.failing
	case k == nil:
		return reservation.Record{}, reservation.ErrNone
	}
	r := k.Record
	r.State, r.Parts = bytes.Clone(k.State), map[string][]byte{}
	for _, name := range parts {
		if part, ok := k.Parts[name]; ok {
			r.Parts[name] = bytes.Clone(part)
		}
	}
	return r, nil
}

// ChangeReservation implements reservation.Store.
func (m *Memory) ChangeReservation(_ context.Context, id string, c reservation.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget()
	k := m.kept[id]
	switch {
	case m.failing != nil:
		return m.failing
	case k == nil:
		return reservation.ErrNone
	case k.Version != c.Expect:
		return reservation.ErrChanged
	}
	k.Version, k.State = k.Version+1, bytes.Clone(c.State)
	for name, part := range c.Put {
		k.Parts[name] = bytes.Clone(part)
	}
	for _, name := range c.Drop {
		delete(k.Parts, name)
	}
	if c.TTL > 0 {
		k.due = time.Now().Add(c.TTL)
	}
	m.tell(id)
	return nil
}

// DropReservation implements reservation.Store.
func (m *Memory) DropReservation(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing == nil {
		m.drop(id)
	}
	return m.failing
}

func (m *Memory) drop(id string) {
	delete(m.kept, id)
	m.tell(id)
}

func (m *Memory) tell(id string) {
	for look := range m.watches[id] {
		(*look)()
	}
}

// WatchReservation implements reservation.Store.
func (m *Memory) WatchReservation(_ context.Context, id string, look func()) (stop func(), err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return nil, m.failing
	}
	if m.watches[id] == nil {
		m.watches[id] = map[*func()]bool{}
	}
	m.watches[id][&look] = true
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if delete(m.watches[id], &look); len(m.watches[id]) == 0 {
			delete(m.watches, id)
		}
	}, nil
}

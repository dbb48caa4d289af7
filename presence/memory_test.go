package presence_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"parley/presence"
)

var errDown = errors.New("store unavailable")

// memory is a presence.Store that keeps nothing but what these tests ask for. It forgets a lapsed
// lease once swept, as a store may, so that it takes the old id for a new one.
type memory struct {
	mu sync.Mutex
	// before, if set, decides about a call: an error is returned instead of doing it.
	before func(ctx context.Context, c made) error
	// after, if set, turns the answer of a call that was done into an error.
	after       func(c made) error
	leases      map[string]time.Time // instance → end
	devices     map[string]spot      // device → where
	users       map[string]*standing
	transitions []string
	calls       []made
	inFlight    int
	mostAtOnce  int
}

type spot struct{ instance, user string }

type standing struct {
	version   uint64
	online    bool
	devices   int
	offlineAt time.Time // when the grace ends; zero: not in one
}

// made is a call as it reached the store.
type made struct {
	name, instance, device, user string
	at                           time.Time
}

func newMemory() *memory {
	return &memory{leases: map[string]time.Time{}, devices: map[string]spot{}, users: map[string]*standing{}}
}

// do runs one call under the hooks.
func (m *memory) do(ctx context.Context, c made, act func()) error {
	c.at = time.Now()
	m.mu.Lock()
	m.calls = append(m.calls, c)
	m.inFlight++
	m.mostAtOnce = max(m.mostAtOnce, m.inFlight)
	before, after := m.before, m.after
	m.mu.Unlock()
	defer func() { m.mu.Lock(); m.inFlight--; m.mu.Unlock() }()
	if before != nil {
		if err := before(ctx, c); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.mu.Lock()
	act()
	m.mu.Unlock()
	if after != nil {
		return after(c)
	}
	return nil
}

func (m *memory) Renew(ctx context.Context, instance string, ttl time.Duration) (held bool, err error) {
	err = m.do(ctx, made{name: "renew", instance: instance}, func() {
		end, taken := m.leases[instance]
		if held = !taken || time.Now().Before(end); held {
			m.leases[instance] = time.Now().Add(ttl)
		}
	})
	return held && err == nil, err
}

func (m *memory) Connect(ctx context.Context, instance, device string, user presence.User) error {
	return m.do(ctx, made{name: "connect", instance: instance, device: device, user: user.ID}, func() {
		u := m.users[user.ID]
		if u == nil {
			u = &standing{}
			m.users[user.ID] = u
		}
		if _, known := m.devices[device]; !known {
			u.devices++
		}
		m.devices[device] = spot{instance, user.ID}
		u.offlineAt = time.Time{}
		if !u.online {
			m.turn(user.ID, true)
		}
	})
}

func (m *memory) Disconnect(ctx context.Context, instance, device, user string, grace time.Duration) error {
	return m.do(ctx, made{name: "disconnect", instance: instance, device: device, user: user}, func() {
		m.remove(device, grace)
	})
}

func (m *memory) Sweep(ctx context.Context, grace time.Duration) (more bool, err error) {
	err = m.do(ctx, made{name: "sweep"}, func() {
		for device, at := range m.devices {
			if end, taken := m.leases[at.instance]; !taken || !time.Now().Before(end) {
				m.remove(device, grace)
			}
		}
		for instance, end := range m.leases {
			if !time.Now().Before(end) {
				delete(m.leases, instance)
			}
		}
		for id, u := range m.users {
			if !u.offlineAt.IsZero() && !time.Now().Before(u.offlineAt) {
				u.offlineAt = time.Time{}
				m.turn(id, false)
			}
		}
	})
	return false, err
}

func (m *memory) Release(ctx context.Context, instance string) error {
	return m.do(ctx, made{name: "release", instance: instance}, func() { m.leases[instance] = time.Now() })
}

func (m *memory) Presences(ctx context.Context, users []string) (found []presence.Presence, err error) {
	err = m.do(ctx, made{name: "presences"}, func() {
		for _, id := range users {
			p := presence.Presence{User: presence.User{ID: id}, Status: presence.Offline}
			if u := m.users[id]; u != nil {
				p.Version = u.version
				if u.online {
					p.Status = presence.Online
				}
			}
			found = append(found, p)
		}
	})
	return found, err
}

func (m *memory) SetTyping(ctx context.Context, room string, user presence.User, ttl time.Duration) error {
	return m.do(ctx, made{name: "typing " + room + " " + ttl.String(), user: user.ID}, func() {})
}

func (m *memory) Typing(context.Context, string) (presence.Typing, error) {
	return presence.Typing{}, errors.New("not asked for by a tracker")
}

// remove takes a device away, and begins its user's grace if it was the last. m.mu is held.
func (m *memory) remove(device string, grace time.Duration) {
	at, known := m.devices[device]
	if !known {
		return
	}
	delete(m.devices, device)
	u := m.users[at.user]
	u.devices--
	switch {
	case u.devices > 0:
	case grace == 0:
		m.turn(at.user, false)
	default:
		u.offlineAt = time.Now().Add(grace)
	}
}

func (m *memory) turn(user string, online bool) {
	u := m.users[user]
	u.online = online
	u.version++
	word := " OFFLINE"
	if online {
		word = " ONLINE"
	}
	m.transitions = append(m.transitions, user+word)
}

// meddle sets the hook before, while calls may be under way.
func (m *memory) meddle(before func(ctx context.Context, c made) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = before
}

// wipe loses everything, as FLUSHALL does.
func (m *memory) wipe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.leases)
	clear(m.devices)
	clear(m.users)
}

// lose forgets one device, as a store set back to before it came.
func (m *memory) lose(device string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(device, 0)
}

// lapseAll ends all leases now.
func (m *memory) lapseAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for instance := range m.leases {
		m.leases[instance] = time.Now()
	}
}

// made returns the calls of the names given, in order.
func (m *memory) made(names ...string) []made {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.calls), func(c made) bool { return !slices.Contains(names, c.name) })
}

// forgetCalls begins a new record of calls.
func (m *memory) forgetCalls() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls, m.transitions, m.mostAtOnce = nil, nil, 0
}

// turns returns the transitions so far.
func (m *memory) turns() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.transitions)
}

// present returns how many devices the store has, by user.
func (m *memory) present() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	count := map[string]int{}
	for _, at := range m.devices {
		count[at.user]++
	}
	return count
}

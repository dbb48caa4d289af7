package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/eventlog"
	"parley/presence"
)

// people are the memory's presences and typing sets.
type people struct {
	leases   map[string]time.Time // by instance; the zero time for those that are over
	devices  map[device]bool
	visitors map[string]*visiting
	typing   map[string]*typingRoom
	watches  map[string]map[*feed[eventlog.Value]]bool
}

type device struct{ instance, name, user string }

type visiting struct {
	presence.Presence
	lastSeen time.Time
	offline  time.Time // when the grace is over; zero for no grace running
}

type typingRoom struct {
	version uint64
	users   map[string]presence.User
	until   map[string]time.Time
}

func newPeople() people {
	return people{
		leases: map[string]time.Time{}, devices: map[device]bool{}, visitors: map[string]*visiting{},
		typing: map[string]*typingRoom{}, watches: map[string]map[*feed[eventlog.Value]]bool{},
	}
}

func (p *people) feeds() (stops []func()) {
	for _, watches := range p.watches {
		for f := range watches {
			stops = append(stops, f.stop)
		}
	}
	return stops
}

func (p *people) tell(topic string, v eventlog.Value) {
	for f := range p.watches[topic] {
		f.push(v)
	}
}

func (p *people) held(instance string) bool { return p.leases[instance].After(time.Now()) }

func (p *people) visitor(user string) *visiting {
	if p.visitors[user] == nil {
		p.visitors[user] = &visiting{Presence: presence.Presence{User: presence.User{ID: user}, Status: presence.Offline}}
	}
	return p.visitors[user]
}

func (p *people) become(v *visiting, s presence.Status) {
	v.Status, v.LastSeenAt, v.offline = s, nil, time.Time{}
	v.Version++
	if s == presence.Offline {
		seen := v.lastSeen
		v.LastSeenAt = &seen
	}
	p.tell(eventlog.PresenceTopic(v.User.ID), p.valueOf(v.User.ID))
}

func (p *people) valueOf(user string) eventlog.Value {
	now := p.visitor(user).Presence
	return eventlog.Value{Key: user, Version: now.Version, Payload: &now}
}

func (p *people) drop(d device, grace time.Duration) {
	if !p.devices[d] {
		return
	}
	delete(p.devices, d)
	for other := range p.devices {
		if other.user == d.user {
			return
		}
	}
	v := p.visitor(d.user)
	v.lastSeen = dice{}.now()
	if v.offline = time.Now().Add(grace); grace == 0 {
		p.become(v, presence.Offline)
	}
	for room := range p.typing {
		p.setTyping(room, presence.User{ID: d.user}, 0)
	}
}

func (p *people) sweep(grace time.Duration) {
	for d := range p.devices {
		if !p.held(d.instance) {
			p.drop(d, grace)
		}
	}
	for _, v := range p.visitors {
		if !v.offline.IsZero() && v.offline.Before(time.Now()) {
			p.become(v, presence.Offline)
		}
	}
	for room, t := range p.typing {
		before := len(t.users)
		for id := range t.users {
			if t.until[id].Before(time.Now()) {
				delete(t.users, id)
			}
		}
		if len(t.users) != before {
			p.tellTyping(room)
		}
	}
}

func (p *people) typingIn(room string) *typingRoom {
	if p.typing[room] == nil {
		p.typing[room] = &typingRoom{users: map[string]presence.User{}, until: map[string]time.Time{}}
	}
	return p.typing[room]
}

func (p *people) setTyping(room string, user presence.User, ttl time.Duration) {
	t := p.typingIn(room)
	_, found := t.users[user.ID]
	t.until[user.ID] = time.Now().Add(ttl)
	switch {
	case ttl == 0 && found:
		delete(t.users, user.ID)
	case ttl > 0 && !found && len(t.users) < presence.MaxTyping:
		t.users[user.ID] = user
	default:
		return
	}
	p.tellTyping(room)
}

func (p *people) tellTyping(room string) {
	p.typingIn(room).version++
	p.tell(eventlog.TypingTopic(room), p.typingValue(room))
}

func (p *people) typingValue(room string) eventlog.Value {
	return eventlog.Value{Version: p.typingIn(room).version, Payload: p.typingSet(room)}
}

func (p *people) typingSet(room string) *presence.Typing {
	set, t := &presence.Typing{RoomID: room}, p.typingIn(room)
	for id, u := range t.users {
		if t.until[id].After(time.Now()) {
			set.Users = append(set.Users, u)
		}
	}
	slices.SortFunc(set.Users, func(a, b presence.User) int { return cmp.Compare(a.ID, b.ID) })
	return set
}

func (m *memory) Renew(ctx context.Context, instance string, ttl time.Duration) (held bool, err error) {
	err = m.step(ctx, func() error {
		_, known := m.people.leases[instance]
		if held = !known || m.people.held(instance); held {
			m.people.leases[instance] = time.Now().Add(ttl)
		}
		return nil
	})
	return held, err
}

func (m *memory) Connect(ctx context.Context, instance, name string, user presence.User) error {
	return m.step(ctx, func() error {
		m.people.devices[device{instance, name, user.ID}] = true
		v := m.people.visitor(user.ID)
		if v.User, v.offline = user, (time.Time{}); v.Status == presence.Offline {
			m.people.become(v, presence.Online)
		}
		return nil
	})
}

func (m *memory) Disconnect(ctx context.Context, instance, name, user string, grace time.Duration) error {
	return m.step(ctx, func() error { m.people.drop(device{instance, name, user}, grace); return nil })
}

func (m *memory) Sweep(ctx context.Context, grace time.Duration) (more bool, err error) {
	return false, m.step(ctx, func() error { m.people.sweep(grace); return nil })
}

func (m *memory) Release(ctx context.Context, instance string) error {
	return m.step(ctx, func() error { m.people.leases[instance] = time.Time{}; return nil })
}

func (m *memory) Presences(ctx context.Context, users []string) (all []presence.Presence, err error) {
	err = m.step(ctx, func() error {
		for _, id := range users {
			all = append(all, m.people.visitor(id).Presence)
		}
		return nil
	})
	return all, err
}

func (m *memory) SetTyping(ctx context.Context, room string, user presence.User, ttl time.Duration) error {
	return m.step(ctx, func() error { m.people.setTyping(room, user, ttl); return nil })
}

func (m *memory) Typing(ctx context.Context, room string) (set presence.Typing, err error) {
	err = m.step(ctx, func() error { set = *m.people.typingSet(room); return nil })
	return set, err
}

func (m *memory) WatchState(ctx context.Context, topic string, sink func([]eventlog.Value)) (stop func(), err error) {
	var f *feed[eventlog.Value]
	err = m.step(ctx, func() error {
		var present eventlog.Value
		if room, ok := strings.CutPrefix(topic, eventlog.TypingTopic("")); ok {
			present = m.people.typingValue(room)
		} else if user, ok := strings.CutPrefix(topic, eventlog.PresenceTopic("")); ok {
			present = m.people.valueOf(user)
		} else {
			return fmt.Errorf("memory: no topic %q", topic)
		}
		sink([]eventlog.Value{present})
		if m.people.watches[topic] == nil {
			m.people.watches[topic] = map[*feed[eventlog.Value]]bool{}
		}
		f = newFeed(sink)
		m.people.watches[topic][f] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return func() {
		m.mu.Lock()
		delete(m.people.watches[topic], f)
		m.mu.Unlock()
		f.stop()
	}, nil
}

package storetest

import (
	"fmt"
	"slices"
	"time"

	"parley/eventlog"
	"parley/presence"
)

const (
	online  = string(presence.Online)
	offline = string(presence.Offline)
	// long is more than any test takes.
	long = time.Hour
	// short is for what shall be over soon.
	short = 40 * time.Millisecond
	// ample is for what shall be over soon, but not before a slow machine has made a few calls.
	ample = 500 * time.Millisecond
)

func testPresence(r rig) {
	r.sub("of one never seen", presenceUnknown)
	r.sub("comes and goes with the device", presenceDevice)
	r.sub("lasts while any device does", presenceDevices)
	r.sub("lasts through the grace", presenceGrace)
	r.sub("of one back within the grace never ended", presenceBack)
	r.sub("isn't changed by unknown devices", presenceStrange)
	r.sub("of devices of one name on two nodes", presenceSameName)
	r.sub("of a device connected twice", presenceTwice)
	r.sub("keeps last seen", presenceLastSeen)
	r.sub("follows the name", presenceName)
	r.sub("changes once when many devices come and go at once", presenceAtOnce)
	r.sub("of many, in the order asked", presenceMany)
}

// node takes a lease that outlasts the test, and returns its instance.
func (r rig) node() string {
	r.Helper()
	instance := unique("node")
	r.renew(instance, long)
	return instance
}

// renew renews a lease that must be held.
func (r rig) renew(instance string, ttl time.Duration) {
	r.Helper()
	held, err := r.Renew(r.Context(), instance, ttl)
	r.must("Renew", err)
	if !held {
		r.Fatalf("the lease of %s isn't held", instance)
	}
}

func (r rig) connect(instance, device string, user presence.User) {
	r.Helper()
	r.must("Connect", r.Connect(r.Context(), instance, device, user))
}

func (r rig) disconnect(instance, device string, user presence.User, grace time.Duration) {
	r.Helper()
	r.must("Disconnect", r.Disconnect(r.Context(), instance, device, user.ID, grace))
}

// sweep sweeps until nothing more is due.
func (r rig) sweep(grace time.Duration) {
	r.Helper()
	for range 10_000 {
		more, err := r.Sweep(r.Context(), grace)
		r.must("Sweep", err)
		if !more {
			return
		}
	}
	r.Fatalf("sweeping has no end")
}

func (r rig) presence(user presence.User) presence.Presence {
	r.Helper()
	all, err := r.Presences(r.Context(), []string{user.ID})
	r.must("Presences", err)
	if len(all) != 1 {
		r.Fatalf("%d presences of one user", len(all))
	}
	return all[0]
}

// is fails unless the user has the status and version.
func (r rig) is(user presence.User, status presence.Status, version uint64) presence.Presence {
	r.Helper()
	p := r.presence(user)
	if p.User.ID != user.ID || p.Status != status || p.Version != version {
		r.Fatalf("%+v, want %s in version %d", p, status, version)
	}
	if gone := status == presence.Offline && version > 0; gone != (p.LastSeenAt != nil) {
		r.Fatalf("%+v: last seen %v", p, p.LastSeenAt)
	}
	return p
}

// sweepOffline sweeps until the user is OFFLINE.
func (r rig) sweepOffline(user presence.User, grace time.Duration) {
	r.Helper()
	r.eventually(user.ID+" is OFFLINE", func() bool {
		r.sweep(grace)
		return r.presence(user).Status == presence.Offline
	})
}

func visitor(name string) presence.User { return shown(person(name)) }

func presenceUnknown(r rig) {
	ada := visitor("ada")
	r.same("presence", r.presence(ada), presence.Presence{User: presence.User{ID: ada.ID}, Status: presence.Offline})
	none, err := r.Presences(r.Context(), nil)
	r.must("Presences", err)
	r.same("presences of nobody", none, nil)
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	rec.story(status, offline)
	r.same("version", rec.newest().Version, uint64(0))
}

func presenceDevice(r rig) {
	ada, node := visitor("ada"), r.node()
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	r.connect(node, "device", ada)
	r.same("online", r.is(ada, presence.Online, 1), presence.Presence{User: ada, Status: presence.Online, Version: 1})
	before := time.Now().Add(-skew)
	r.disconnect(node, "device", ada, 0)
	p := r.is(ada, presence.Offline, 2)
	if seen := *p.LastSeenAt; !isStoreTime(seen) || seen.Before(before) || seen.After(time.Now().Add(skew)) {
		r.Fatalf("last seen %v, want now", seen)
	}
	r.connect(node, "device", ada)
	rec.story(status, offline, online, offline, online)
	r.same("as told", rec.newest().Payload, &presence.Presence{User: ada, Status: presence.Online, Version: 3})
}

func presenceDevices(r rig) {
	ada, node, other := visitor("ada"), r.node(), r.node()
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	r.connect(node, "phone", ada)
	r.connect(node, "desk", ada)
	r.connect(other, "lap", ada)
	r.disconnect(node, "phone", ada, 0)
	r.disconnect(other, "lap", ada, 0)
	r.sweep(0)
	r.is(ada, presence.Online, 1)
	r.disconnect(node, "desk", ada, 0)
	r.is(ada, presence.Offline, 2)
	rec.story(status, offline, online, offline)
}

func presenceGrace(r rig) {
	ada, node := visitor("ada"), r.node()
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	r.connect(node, "device", ada)
	r.disconnect(node, "device", ada, long)
	r.sweep(0) // whose grace is for devices it finds lapsed itself
	r.is(ada, presence.Online, 1)
	r.connect(node, "device", ada)
	r.disconnect(node, "device", ada, short)
	gone := time.Now().Add(skew)
	r.pass(2 * skew)
	r.sweepOffline(ada, long)
	if p := r.is(ada, presence.Offline, 2); p.LastSeenAt.After(gone) {
		r.Fatalf("last seen %v, want when the device went, before %v", p.LastSeenAt, gone)
	}
	rec.story(status, offline, online, offline)
}

func presenceBack(r rig) {
	ada, node := visitor("ada"), r.node()
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	for i := range 3 {
		r.connect(node, fmt.Sprint("device ", i), ada)
		r.disconnect(node, fmt.Sprint("device ", i), ada, ample)
	}
	r.connect(node, "device", ada)
	r.pass(ample) // no grace is left to be over
	r.sweep(0)
	r.is(ada, presence.Online, 1)
	r.disconnect(node, "device", ada, 0)
	r.is(ada, presence.Offline, 2)
	rec.story(status, offline, online, offline)
}

func presenceStrange(r rig) {
	ada, bob, node := visitor("ada"), visitor("bob"), r.node()
	r.disconnect(node, "device", ada, 0)
	r.disconnect(unique("no node"), "device", ada, 0)
	r.sweep(0)
	r.is(ada, presence.Offline, 0)
	r.connect(node, "device", bob)
	r.disconnect(node, "another", bob, 0)
	r.disconnect(r.node(), "device", bob, 0)
	r.disconnect(node, "device", ada, 0) // bob's, by ada
	r.sweep(0)
	r.is(ada, presence.Offline, 0)
	r.is(bob, presence.Online, 1)
}

func presenceSameName(r rig) {
	ada, one, two := visitor("ada"), r.node(), r.node()
	r.connect(one, "1", ada)
	r.connect(two, "1", ada)
	r.disconnect(one, "1", ada, 0)
	r.is(ada, presence.Online, 1)
	r.disconnect(two, "1", ada, 0)
	r.is(ada, presence.Offline, 2)
}

func presenceTwice(r rig) {
	ada, node := visitor("ada"), r.node()
	r.connect(node, "device", ada)
	r.connect(node, "device", ada)
	r.is(ada, presence.Online, 1)
	r.disconnect(node, "device", ada, 0)
	r.is(ada, presence.Offline, 2)
}

func presenceLastSeen(r rig) {
	ada, node := visitor("ada"), r.node()
	r.connect(node, "device", ada)
	r.disconnect(node, "device", ada, 0)
	p := r.is(ada, presence.Offline, 2)
	r.disconnect(node, "device", ada, 0)
	r.pass(short)
	r.sweep(0)
	r.disconnect(node, "device", ada, 0)
	r.same("presence", r.presence(ada), p)
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	r.same("as told", rec.newest().Payload, &p)
}

func presenceName(r rig) {
	ada, node := visitor("ada"), r.node()
	r.connect(node, "device", ada)
	r.disconnect(node, "device", ada, 0)
	ada.Name, ada.AvatarURL = "Countess", ""
	r.connect(node, "device", ada)
	r.same("user", r.is(ada, presence.Online, 3).User, ada)
	r.disconnect(node, "device", ada, 0)
	r.same("user", r.is(ada, presence.Offline, 4).User, ada)
}

func presenceAtOnce(r rig) {
	ada, nodes := visitor("ada"), []string{r.node(), r.node()}
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	for round := range uint64(scaled(5, 50)) {
		together(20, func(i int) {
			if err := r.Connect(r.Context(), nodes[i%2], fmt.Sprint("device ", i), ada); err != nil {
				r.Errorf("Connect: %v", err)
			}
		})
		r.is(ada, presence.Online, 2*round+1)
		together(20, func(i int) {
			if err := r.Disconnect(r.Context(), nodes[i%2], fmt.Sprint("device ", i), ada.ID, 0); err != nil {
				r.Errorf("Disconnect: %v", err)
			}
		})
		r.is(ada, presence.Offline, 2*round+2)
	}
	want := []string{offline}
	for range scaled(5, 50) {
		want = append(want, online, offline)
	}
	rec.story(status, want...)
}

func presenceMany(r rig) {
	node := r.node()
	var ids []string
	there := map[string]bool{}
	for i := range 150 {
		u := visitor("many")
		if ids = append(ids, u.ID); i%3 == 0 {
			r.connect(node, u.ID, u)
			there[u.ID] = true
		}
	}
	slices.Reverse(ids)
	all, err := r.Presences(r.Context(), slices.Clone(ids))
	r.must("Presences", err)
	r.same("count", len(all), len(ids))
	for i, p := range all {
		if p.User.ID != ids[i] || (p.Status == presence.Online) != there[ids[i]] {
			r.Fatalf("presence %d is %+v, want that of %s", i, p, ids[i])
		}
	}
}

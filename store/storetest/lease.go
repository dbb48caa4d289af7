package storetest

import (
	"fmt"
	"time"

	"parley/eventlog"
	"parley/presence"
)

func testLease(r rig) {
	r.sub("lapsed is never held again", leaseLapsed)
	r.sub("lapsed is not held before anybody sweeps", leaseLapsedUnswept)
	r.sub("renewed keeps its devices", leaseRenewed)
	r.sub("lapsed starts its users' grace", leaseGrace)
	r.sub("lapsed after its user has moved on", leaseMoved)
	r.sub("lapsed is one of two", leaseOneOfTwo)
	r.sub("lapsed can't keep a ghost", leaseGhost)
	r.sub("released is over at once", leaseReleased)
	r.sub("lapsed, swept by ten at once", leaseSweptAtOnce)
	r.sub("lapsed with many devices, swept in portions", leaseManyDevices)
}

// lapsing takes a lease that is soon over.
func (r rig) lapsing() string {
	r.Helper()
	instance := unique("lapsing")
	r.renew(instance, short)
	return instance
}

// over fails if the lease of an instance is held.
func (r rig) over(instance string) {
	r.Helper()
	held, err := r.Renew(r.Context(), instance, long)
	r.must("Renew", err)
	if held {
		r.Fatalf("the lease of %s is held again", instance)
	}
}

func leaseLapsed(r rig) {
	ada, node := visitor("ada"), r.lapsing()
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	r.connect(node, "device", ada)
	r.sweepOffline(ada, 0)
	r.is(ada, presence.Offline, 2)
	r.over(node)
	r.sweep(0)
	r.over(node)
	next := r.node()
	r.connect(next, "device", ada)
	r.disconnect(node, "device", ada, 0) // late news of the old instance
	r.is(ada, presence.Online, 3)
	rec.story(status, offline, online, offline, online)
}

func leaseLapsedUnswept(r rig) {
	node := r.lapsing()
	r.renew(node, short)
	r.pass(2 * short)
	r.over(node)
	r.over(node)
}

func leaseRenewed(r rig) {
	ada, node, clock := visitor("ada"), unique("renewing"), r.group(person("clock"))
	const ttl = 300 * time.Millisecond
	r.renew(node, ttl)
	r.connect(node, "device", ada)
	r.typing(clock, ada, 3*ttl)
	r.eventually("three terms of the lease have passed", func() bool {
		r.renew(node, ttl)
		r.sweep(0)
		r.is(ada, presence.Online, 1)
		return len(r.typists(clock)) == 0
	})
	r.sweepOffline(ada, 0) // now that nobody renews
}

func leaseGrace(r rig) {
	ada, bob, node := visitor("ada"), visitor("bob"), r.lapsing()
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	r.connect(node, "device", ada)
	r.connect(node, "device of bob", bob)
	r.pass(2 * short)
	r.sweep(long)
	r.is(ada, presence.Online, 1)
	r.is(bob, presence.Online, 1)
	next := r.node()
	r.connect(next, "device", ada)
	r.sweep(0)
	r.is(ada, presence.Online, 1)
	r.disconnect(next, "device", ada, 0)
	r.is(ada, presence.Offline, 2)
	rec.story(status, offline, online, offline)
}

func leaseMoved(r rig) {
	ada, node, next := visitor("ada"), r.lapsing(), r.node()
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	r.connect(node, "device", ada)
	r.pass(2 * short)
	r.connect(next, "device", ada)
	r.sweep(0)
	r.is(ada, presence.Online, 1)
	r.disconnect(next, "device", ada, 0)
	rec.story(status, offline, online, offline)
}

func leaseOneOfTwo(r rig) {
	ada, bob, node, stays := visitor("ada"), visitor("bob"), r.lapsing(), r.node()
	r.connect(node, "device", ada)
	r.connect(stays, "device", ada)
	r.connect(node, "device of bob", bob)
	r.sweepOffline(bob, 0)
	r.is(ada, presence.Online, 1)
	r.disconnect(stays, "device", ada, 0)
	r.is(ada, presence.Offline, 2)
}

func leaseGhost(r rig) {
	ada, bob, node := visitor("ada"), visitor("bob"), r.lapsing()
	r.connect(node, "device of bob", bob)
	r.sweepOffline(bob, 0)
	// A node that doesn't know yet that it has lapsed. Refused or not: nobody is online for ever.
	if err := r.Connect(r.Context(), node, "device", ada); err != nil {
		r.Logf("Connect under a lapsed instance: %v", err)
	}
	r.sweepOffline(ada, 0)
}

func leaseReleased(r rig) {
	ada, bob := visitor("ada"), visitor("bob")
	node, other := r.node(), r.node()
	r.connect(node, "device", ada)
	r.connect(other, "device", bob)
	r.must("Release", r.Release(r.Context(), node))
	r.over(node)
	r.sweepOffline(ada, 0)
	r.is(ada, presence.Offline, 2)
	r.is(bob, presence.Online, 1)
	r.must("Release of one released", r.Release(r.Context(), node))
	r.must("Release of nobody", r.Release(r.Context(), unique("no node")))
	r.renew(other, long)
}

func leaseSweptAtOnce(r rig) {
	for range scaled(3, 20) {
		node := r.lapsing()
		recs := map[*recorder]presence.User{}
		for range 10 {
			u := visitor("swept")
			rec, _ := r.record(eventlog.PresenceTopic(u.ID))
			recs[rec] = u
			r.connect(node, "device of "+u.ID, u)
		}
		r.pass(2 * short)
		together(10, func(int) {
			for more := true; more; {
				var err error
				if more, err = r.Sweep(r.Context(), 0); err != nil {
					r.Errorf("Sweep: %v", err)
				}
			}
		})
		for rec, u := range recs {
			r.is(u, presence.Offline, 2)
			r.connect(r.node(), "device", u) // whatever was told twice, was told before this
			rec.story(status, offline, online, offline, online)
		}
	}
}

func leaseManyDevices(r rig) {
	node := unique("lapsing")
	r.renew(node, long)
	users := make([]presence.User, 20)
	for i := range users {
		users[i] = visitor("crowd")
	}
	for i := range scaled(400, 4000) {
		r.connect(node, fmt.Sprint("device ", i), users[i%len(users)])
	}
	r.must("Release", r.Release(r.Context(), node))
	r.sweep(0)
	for _, u := range users {
		r.is(u, presence.Offline, 2)
	}
}

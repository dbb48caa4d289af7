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

// lapse lets the lease of an instance run out soon. Tests take leases for long and shorten them when all
// is set, lest a slow machine is late.
func (r rig) lapse(instance string) {
	r.Helper()
	r.renew(instance, short)
}

// lapsed lets the lease of an instance run out, and waits until it has. Nobody sweeps.
func (r rig) lapsed(instance string) {
	r.Helper()
	r.lapse(instance)
	r.pass(2 * short)
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
	ada, node := visitor("ada"), r.node()
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	r.connect(node, "device", ada)
	r.lapse(node)
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
	node := r.node()
	r.lapsed(node)
	r.over(node)
	r.over(node)
}

func leaseRenewed(r rig) {
	ada, node, clock := visitor("ada"), unique("renewing"), r.group(person("clock"))
	const ttl = time.Second
	r.renew(node, ttl)
	r.connect(node, "device", ada)
	r.typing(clock, ada, 2*ttl)
	r.eventually("two terms of the lease have passed", func() bool {
		r.renew(node, ttl)
		r.sweep(0)
		r.is(ada, presence.Online, 1)
		return len(r.typists(clock)) == 0
	})
	r.sweepOffline(ada, 0) // now that nobody renews
}

func leaseGrace(r rig) {
	ada, bob, node := visitor("ada"), visitor("bob"), r.node()
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	r.connect(node, "device", ada)
	r.connect(node, "device of bob", bob)
	r.lapsed(node)
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
	ada, node, next := visitor("ada"), r.node(), r.node()
	rec, _ := r.record(eventlog.PresenceTopic(ada.ID))
	r.connect(node, "device", ada)
	r.lapsed(node)
	r.connect(next, "device", ada)
	r.sweep(0)
	r.is(ada, presence.Online, 1)
	r.disconnect(next, "device", ada, 0)
	rec.story(status, offline, online, offline)
}

func leaseOneOfTwo(r rig) {
	ada, bob, node, stays := visitor("ada"), visitor("bob"), r.node(), r.node()
	r.connect(node, "device", ada)
	r.connect(stays, "device", ada)
	r.connect(node, "device of bob", bob)
	r.lapse(node)
	r.sweepOffline(bob, 0)
	r.is(ada, presence.Online, 1)
	r.disconnect(stays, "device", ada, 0)
	r.is(ada, presence.Offline, 2)
}

func leaseGhost(r rig) {
	ada, bob, node := visitor("ada"), visitor("bob"), r.node()
	r.connect(node, "device of bob", bob)
	r.lapse(node)
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
		node := r.node()
		recs := map[*recorder]presence.User{}
		for range 10 {
			u := visitor("swept")
			rec, _ := r.record(eventlog.PresenceTopic(u.ID))
			recs[rec] = u
			r.connect(node, "device of "+u.ID, u)
		}
		r.lapsed(node)
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
	node := r.node()
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

package delivery_test

import (
	"testing"
	"time"

	"parley/delivery"
	"parley/eventlog"
)

func revoked(principal string) eventlog.AccessChange {
	return eventlog.AccessChange{Principal: principal, Change: eventlog.AccessRevoked}
}

func left(principal string) eventlog.AccessChange {
	return eventlog.AccessChange{Principal: principal, Change: eventlog.AccessLeft}
}

func begins(principal string) eventlog.AccessChange {
	return eventlog.AccessChange{Principal: principal, Change: eventlog.AccessBegins}
}

func showingAccess(principal string) delivery.Subscription {
	sub := forOne(principal)
	sub.Spec.Filter |= eventlog.KindsOf(kindAccess)
	sub.Group = "with access"
	return sub
}

// accessLog is a log in which bob is removed and cyd leaves, with the clients that follow it.
func accessLog(w world) (all []*entry) {
	all = w.log.notes(room, 3)
	all = append(all, w.log.append(room, kindAccess, begins("dan")))
	all = append(all, w.log.notes(room, 1)...)
	all = append(all, w.log.append(room, kindAccess, revoked("bob"), left("cyd")))
	return append(all, w.log.notes(room, 3)...)
}

// TestAccessEnds: the entry that ends access is the last one seen, if it is shown at all, in
// whichever way the entries come.
func TestAccessEnds(t *testing.T) {
	for way, come := range map[string]func(w world, all *[]*entry, start func()){
		"live": func(w world, all *[]*entry, start func()) { start(); w.settle(); *all = accessLog(w) },
		"live, all at once": func(w world, all *[]*entry, start func()) {
			start()
			w.settle()
			var late []eventlog.Publication
			w.log.setHint(func(_ eventlog.Watcher, p eventlog.Publication) { late = append(late, p) })
			*all = accessLog(w)
			n := len(w.log.logs[room].entries)
			for _, watcher := range w.log.logs[room].watchers {
				watcher.Published(late[:n])
			}
		},
		"healed": func(w world, all *[]*entry, start func()) {
			start()
			w.settle()
			w.log.silently(func() { *all = accessLog(w) })
			w.log.look(room)
		},
		"replayed": func(w world, all *[]*entry, start func()) { *all = accessLog(w); start() },
		"from memory": func(w world, all *[]*entry, start func()) {
			w.subscribe(forOne("zoe"))
			w.settle()
			*all = accessLog(w)
			w.settle()
			start()
		},
	} {
		t.Run(way, func(t *testing.T) {
			inWorld(t, delivery.Options{}, func(w world) {
				var ada, bob, cyd, bobShown, cydShown *client
				var all []*entry
				come(w, &all, func() {
					ada, bob, cyd = w.subscribe(forOne("ada")), w.subscribe(forOne("bob")), w.subscribe(forOne("cyd"))
					bobShown, cydShown = w.subscribe(showingAccess("bob")), w.subscribe(showingAccess("cyd"))
				})
				w.settle()
				notes := append(append([]*entry{}, all[:3]...), all[4])
				ada.saw(names(append(notes, all[6:]...)...)...)
				bob.saw(names(notes...)...)
				cyd.saw(names(notes...)...)
				bobShown.saw(names(all[:6]...)...)
				cydShown.saw(names(all[:6]...)...)
				bob.endedBy("revoked")
				bobShown.endedBy("revoked")
				cyd.endedBy("left")
				cydShown.endedBy("left")
				w.log.setHint(nil)
				ada.goesOn()
			})
		})
	}
}

// TestAccessEndsAMomentLate: one who lacks a few entries, the end of its access among them.
func TestAccessEndsAMomentLate(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		w.subscribe(showingAccess("ada"))
		all := w.log.notes(room, 3)
		end := w.log.append(room, kindAccess, revoked("bob"))
		w.log.notes(room, 1)
		w.settle()
		bob := w.subscribe(startingAt(showingAccess("bob"), from(all[1])))
		bob.saw(names(all[2], end)...)
		bob.endedBy("revoked")
	})
}

// TestIntervals: entries outside of a viewer's intervals aren't shown, whether they are replayed,
// come from memory, or come live because the topic lags behind the viewer's joining.
func TestIntervals(t *testing.T) {
	again := func() delivery.Subscription { // was there for 2 and 3, and is since 7
		sub := forOne("bob")
		sub.Spec.Readable = eventlog.Intervals{{From: 2, To: 4}, {From: 7}}
		return sub
	}
	t.Run("replayed", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			all := w.log.notes(room, 2)
			all = append(all, w.log.append(room, kindAccess, revoked("bob")))
			all = append(all, w.log.notes(room, 3)...)
			all = append(all, w.log.append(room, kindAccess, begins("bob")))
			all = append(all, w.log.notes(room, 2)...)
			bob := w.subscribe(again())
			bob.saw(names(all[1], all[7], all[8])...)
			bob.goesOn()
		})
	})
	t.Run("live, before the topic has heard of the joining", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			first := w.subscribe(forOne("ada"))
			w.settle()
			all := w.log.notes(room, 3)
			w.settle()
			var late []eventlog.Publication
			w.log.setHint(func(_ eventlog.Watcher, p eventlog.Publication) { late = append(late, p) })
			all = append(all, w.log.append(room, kindAccess, revoked("bob")))
			all = append(all, w.log.notes(room, 2)...)
			all = append(all, w.log.append(room, kindAccess, begins("bob")))
			all = append(all, w.log.notes(room, 1)...)
			w.log.setHint(nil)
			bob := w.subscribe(startingAt(again(), from(all[2])))
			w.settle()
			w.log.set(func(l *fakeLog) { l.logs[room].watchers[0].Published(late) })
			bob.saw(names(all[7])...)
			first.saw(names(all[0], all[1], all[2], all[4], all[5], all[7])...)
			bob.goesOn()
		})
	})
	t.Run("nothing is open", func(t *testing.T) {
		inWorld(t, delivery.Options{}, func(w world) {
			w.log.notes(room, 1)
			w.log.append(room, kindAccess, begins("bob"))
			all := w.log.notes(room, 3)
			sub := forOne("bob")
			sub.Spec.Readable = eventlog.Intervals{{From: 2, To: 4}}
			bob := w.subscribe(sub)
			bob.saw(names(all[0])...)
			bob.endedBy("revoked")
		})
	})
}

// TestAuthorizedByWhatIsLost: the entry by which a viewer's access began is lost between the
// authorizing and the replay. What has taken its place isn't shown by that right.
func TestAuthorizedByWhatIsLost(t *testing.T) {
	for name, lose := range map[string]func(w world){
		"and the log is shorter now":  func(w world) { w.log.truncate(room, 2) },
		"and the log has grown again": func(w world) { w.log.truncate(room, 2); w.log.notes(room, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, delivery.Options{}, func(w world) {
				all := w.log.notes(room, 2)
				w.log.append(room, kindAccess, begins("bob"))
				sub := startingAt(forOne("bob"), from(all[0]))
				sub.Spec.Readable = eventlog.Intervals{{From: 3}}
				sub.Spec.Authorize = forbidden
				lose(w)
				bob := w.subscribe(sub)
				w.settle()
				w.log.notes(room, 3)
				bob.endedBy("forbidden")
				bob.saw()
			})
		})
	}
}

// TestEndIsTheEnd: nothing follows the end of access, though the same connection and others of the
// group go on.
func TestEndIsTheEnd(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		conn := newConnection(roomy)
		bob, ada := w.subscribeOn(conn, forOne("bob")), w.subscribeOn(conn, forOne("ada"))
		w.settle()
		conn.stop()
		note := w.log.append(room, kindNote)
		w.log.append(room, kindSilent)
		w.log.append(room, kindAccess, revoked("bob"))
		more := w.log.notes(room, 3)
		w.settle()
		bob.moved()
		conn.resume()
		ada.saw(names(append([]*entry{note}, more...)...)...)
		var words []string
		for _, l := range conn.read(bob.name) {
			words = append(words, l.what)
		}
		w.same("all that bob's lane brought", words, append(names(note), "!done"))
	})
}

// TestRevokedDuringOutage: the end of access is found with the rest once the store answers again.
func TestRevokedDuringOutage(t *testing.T) {
	inWorld(t, delivery.Options{}, func(w world) {
		bob := w.subscribe(forOne("bob"))
		w.settle()
		w.log.set(func(l *fakeLog) { l.down = true })
		w.log.silently(func() {
			w.log.append(room, kindAccess, revoked("bob"))
			w.log.notes(room, 3)
		})
		w.log.look(room)
		time.Sleep(20 * time.Second)
		w.same("ends while the store is away", bob.ends(), []string{})
		w.log.set(func(l *fakeLog) { l.down = false })
		time.Sleep(20 * time.Second)
		bob.saw()
		bob.endedBy("revoked")
	})
}

package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"parley/chat"
	"parley/eventlog"
)

func testWatch(r rig) {
	r.sub("tells what readers read", watchTells)
	r.sub("is confirmed before it returns", watchConfirmed)
	r.sub("by many tells each", watchMany)
	r.sub("goes on when the first leaves", watchFirstLeaves)
	r.sub("survives a storm of comings and goings", watchStorm)
	r.sub("ends with stop, while appends go on", watchStop)
	r.sub("outlives the context it began with", watchOutlives)
	r.sub("lets its watcher call the store", watchReentrant)
	r.sub("begun with a cancelled context", watchCancelled)
}

func watchTells(r rig) {
	room, _ := busyRoom(r, 0)
	f, _ := r.follow(room, r.room(room).Tail)
	ada, bob := person("ada"), person("bob")
	var want []eventlog.Publication
	for _, a := range []chat.Append{
		sending(room, ada, "one"), joining(room, bob), sending(room, bob, "two"), editing(room, bob, 2, "due"),
		changingRole(room, ada, bob, chat.Admin), deleting(room, ada, 1), updating(room, ada, ornate),
		removing(room, ada, bob), joining(room, bob), leaving(room, bob),
	} {
		before := r.room(room).Tail
		want = append(want, r.append(a).Event.Publication(before.Check))
		// Told one by one, so that each shows things as they stood at its time.
		r.same("told", f.until(before.Offset+1), want[len(want)-1:])
	}
}

func watchConfirmed(r rig) {
	ada := person("ada")
	room := r.group(ada)
	for range scaled(50, 1000) {
		f, stop := r.follow(room, r.room(room).Tail)
		r.send(room, ada, "right after")
		f.until(f.at.Offset + 1)
		f.hears(ada)
		stop()
	}
}

func watchMany(r rig) {
	ada := person("ada")
	rooms := []string{r.group(ada), r.group(ada), r.group(ada)}
	var followers []*follower
	for range 10 {
		for _, room := range rooms {
			f, _ := r.follow(room, r.room(room).Tail)
			followers = append(followers, f)
		}
	}
	for range 20 {
		for _, room := range rooms {
			r.send(room, ada, "to all")
		}
	}
	for _, f := range followers {
		if n := len(f.until(21)); n != 20 {
			r.Fatalf("told of %d entries, want 20", n)
		}
	}
}

func watchFirstLeaves(r rig) {
	ada := person("ada")
	room := r.group(ada)
	start := r.room(room).Tail
	first, stopFirst := r.follow(room, start)
	second, stopSecond := r.follow(room, start)
	third, _ := r.follow(room, start)
	r.send(room, ada, "to three")
	first.until(2)
	stopFirst()
	second.hears(ada)
	stopSecond()
	third.hears(ada)
	newcomer, _ := r.follow(room, r.room(room).Tail)
	newcomer.hears(ada)
	third.hears(ada)
}

// churn watches a log and stops again; in every other round with hardly any patience.
func churn(r rig, room string, round int) {
	f := newFollower(r, room, eventlog.Position{})
	ctx, cancel := context.WithCancel(r.Context())
	if round%2 == 0 {
		ctx, cancel = context.WithTimeout(r.Context(), 50*time.Microsecond)
	}
	defer cancel()
	stop, err := r.Watch(ctx, room, f)
	switch {
	case err == nil:
		f.end(stop)
	case round%2 == 1 || !interrupted(err):
		r.Errorf("Watch: %v", err)
	}
}

func watchStorm(r rig) {
	ada := person("ada")
	for range scaled(2, 8) {
		room := r.group(ada)
		survivor, _ := r.follow(room, r.room(room).Tail)
		calm := meanwhile(6, func(worker, round int) { churn(r, room, worker+round) })
		n := uint64(scaled(100, 300))
		for range n {
			r.appends(sending(room, ada, "in the storm"))
		}
		calm()
		survivor.until(n + 1)
		survivor.hears(ada)

		newcomer, _ := r.follow(room, r.room(room).Tail)
		newcomer.hears(ada)
	}
}

func watchStop(r rig) {
	ada := person("ada")
	room := r.group(ada)
	silence := meanwhile(1, func(int, int) { r.appends(sending(room, ada, "on and on")) })
	defer silence()
	for range scaled(30, 500) {
		f := newFollower(r, room, eventlog.Position{})
		stop, err := r.Watch(r.Context(), room, f)
		r.must("Watch", err)
		<-f.wake
		f.end(stop)
	}
}

func watchOutlives(r rig) {
	ada := person("ada")
	room := r.group(ada)
	f := newFollower(r, room, r.room(room).Tail)
	ctx, cancel := context.WithCancel(r.Context())
	stop, err := r.Watch(ctx, room, f)
	r.must("Watch", err)
	defer f.end(stop)
	cancel()
	r.pass(short)
	f.hears(ada)
}

// curious reads the log while it is being told, which takes long but mustn't lock anything.
type curious struct {
	rig
	log  string
	told atomic.Uint64 // the highest offset
}

func (c *curious) Published(pubs []eventlog.Publication) {
	p := pubs[len(pubs)-1]
	if _, err := c.Read(c.Context(), c.log, p.Position, 10); err != nil {
		c.Errorf("reading on from a publication: %v", err)
	}
	c.told.Store(max(c.told.Load(), p.Offset))
}

func (c *curious) Look() {
	room, err := c.View(c.Context(), chat.ViewQuery{RoomID: c.log})
	if err != nil {
		c.Errorf("looking: %v", err)
	}
	c.told.Store(max(c.told.Load(), room.Room.Tail.Offset))
}

func watchReentrant(r rig) {
	ada := person("ada")
	room := r.group(ada)
	c := &curious{rig: r, log: room}
	stop, err := r.Watch(r.Context(), room, c)
	r.must("Watch", err)
	defer stop()
	together(4, func(i int) {
		for n := range 25 {
			r.appends(sending(room, ada, fmt.Sprint(i, n)))
		}
	})
	r.eventually("the watcher has heard of the last entry", func() bool { return c.told.Load() == 101 })
}

func watchCancelled(r rig) {
	ada := person("ada")
	room := r.group(ada)
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	f := newFollower(r, room, r.room(room).Tail)
	if stop, err := r.Watch(ctx, room, f); err == nil {
		f.end(stop)
	}
	f, _ = r.follow(room, r.room(room).Tail)
	f.hears(ada)
}

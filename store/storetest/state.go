package storetest

import (
	"context"
	"strings"
	"sync"
	"time"

	"parley/eventlog"
	"parley/presence"
)

func testState(r rig) {
	r.sub("of an unknown topic is an error", stateUnknown)
	r.sub("tells each watcher", stateMany)
	r.sub("ends with stop", stateStop)
	r.sub("outlives the context it began with", stateOutlives)
	r.sub("survives a storm of comings and goings", stateStorm)
	r.sub("begins with the present value, whatever happens meanwhile", stateBegins)
}

func stateUnknown(r rig) {
	for _, topic := range []string{"", "typing", "presence", "nonsense/x", "room/r_x"} {
		stop, err := r.WatchState(r.Context(), topic, func([]eventlog.Value) {})
		if err == nil {
			stop()
			r.Fatalf("the topic %q can be watched", topic)
		}
	}
}

func stateMany(r rig) {
	ada, room := typer("ada"), r.group(person("owner"))
	var recs []*recorder
	var stops []func()
	for range 10 {
		rec, stop := r.record(eventlog.TypingTopic(room))
		recs, stops = append(recs, rec), append(stops, stop)
	}
	r.typing(room, ada, long)
	recs[0].story(typists, "", "<ada>")
	stops[0]()
	r.typing(room, ada, 0)
	for _, rec := range recs[1:] {
		rec.story(typists, "", "<ada>", "")
	}
	recs[0].story(typists, "", "<ada>")
}

// types sets typing from a goroutine.
func (r rig) types(room string, u presence.User, ttl time.Duration) {
	if err := r.SetTyping(r.Context(), room, u, ttl); err != nil {
		r.Errorf("SetTyping: %v", err)
	}
}

func stateStop(r rig) {
	ada, room := typer("ada"), r.group(person("owner"))
	silence := meanwhile(1, func(_, round int) { r.types(room, ada, time.Duration(round%2)*long) })
	defer silence()
	for range scaled(30, 500) {
		_, stop := r.record(eventlog.TypingTopic(room))
		stop()
	}
}

func stateOutlives(r rig) {
	ada, room := typer("ada"), r.group(person("owner"))
	rec := &recorder{rig: r, topic: eventlog.TypingTopic(room)}
	ctx, cancel := context.WithCancel(r.Context())
	stop, err := r.WatchState(ctx, rec.topic, rec.sink)
	r.must("WatchState", err)
	defer rec.end(stop)
	cancel()
	r.pass(short)
	r.typing(room, ada, long)
	rec.story(typists, "", "<ada>")
}

// churnState watches a topic and stops again; in every other round with hardly any patience.
func churnState(r rig, topic string, round int) {
	rec := &recorder{rig: r, topic: topic}
	ctx, cancel := context.WithCancel(r.Context())
	if round%2 == 0 {
		ctx, cancel = context.WithTimeout(r.Context(), 50*time.Microsecond)
	}
	defer cancel()
	stop, err := r.WatchState(ctx, topic, rec.sink)
	switch {
	case err == nil:
		rec.end(stop)
	case round%2 == 1 || !interrupted(err):
		r.Errorf("WatchState: %v", err)
	}
}

func stateStorm(r rig) {
	ada, bob := typer("ada"), typer("bob")
	for range scaled(2, 8) {
		room := r.group(person("owner"))
		survivor, _ := r.record(eventlog.TypingTopic(room))
		calm := meanwhile(6, func(worker, round int) { churnState(r, survivor.topic, worker+round) })
		for range scaled(50, 150) {
			r.types(room, ada, long)
			r.types(room, ada, 0)
		}
		calm()
		survivor.hears(bob)
	}
}

// hears fails if the recorder is deaf: told when the engine notices at last, never at once.
func (rec *recorder) hears(u presence.User) {
	rec.Helper()
	room := strings.TrimPrefix(rec.topic, eventlog.TypingTopic(""))
	fastest := patience
	for range 5 {
		for ttl, want := range map[time.Duration]string{long: "<" + u.Name + ">", 0: ""} {
			begin := time.Now()
			rec.typing(room, u, ttl)
			rec.eventually("the change is told", func() bool { return typists(rec.newest()) == want })
			fastest = min(fastest, time.Since(begin))
		}
	}
	if fastest > 400*time.Millisecond {
		rec.Fatalf("of ten changes none was told in less than %v", fastest)
	}
}

// stateBegins watches while the value changes: what comes first must not be older than what was
// there before the watch, and what comes last must be the last.
func stateBegins(r rig) {
	ada, node := visitor("ada"), r.node()
	for range scaled(20, 300) {
		before := r.presence(ada)
		var changes sync.WaitGroup
		changes.Go(func() {
			if err := r.Connect(r.Context(), node, "device", ada); err != nil {
				r.Errorf("Connect: %v", err)
			}
			if err := r.Disconnect(r.Context(), node, "device", ada.ID, 0); err != nil {
				r.Errorf("Disconnect: %v", err)
			}
		})
		rec, stop := r.record(eventlog.PresenceTopic(ada.ID))
		changes.Wait()
		if first := rec.all()[0]; first.Version < before.Version {
			r.Fatalf("the watch begins with version %d, after %d had been read", first.Version, before.Version)
		}
		r.eventually("the last change is told", func() bool { return rec.newest().Version == before.Version+2 })
		r.same("last", status(rec.newest()), string(presence.Offline))
		stop()
	}
}

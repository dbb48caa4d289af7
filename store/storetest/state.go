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

func stateStop(r rig) {
	ada, room := typer("ada"), r.group(person("owner"))
	done := make(chan struct{})
	var typist sync.WaitGroup
	typist.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				if err := r.SetTyping(r.Context(), room, ada, time.Duration(i%2)*long); err != nil {
					r.Errorf("SetTyping: %v", err)
				}
			}
		}
	})
	for range scaled(30, 500) {
		rec := &recorder{rig: r, topic: eventlog.TypingTopic(room)}
		stop, err := r.WatchState(r.Context(), rec.topic, rec.sink)
		if err != nil {
			r.Errorf("WatchState: %v", err)
			break
		}
		rec.end(stop)
	}
	close(done)
	typist.Wait()
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

// churnState watches and stops again and again until done; every other time with hardly any patience.
func churnState(r rig, topic string, impatient bool, done <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		rec := &recorder{rig: r, topic: topic}
		ctx, cancel := r.Context(), context.CancelFunc(func() {})
		if impatient && i%2 == 0 {
			ctx, cancel = context.WithTimeout(ctx, 50*time.Microsecond)
		}
		stop, err := r.WatchState(ctx, topic, rec.sink)
		switch {
		case err == nil:
			rec.end(stop)
		case ctx.Err() == nil:
			r.Errorf("WatchState: %v", err)
		}
		cancel()
	}
}

func stateStorm(r rig) {
	ada, bob := typer("ada"), typer("bob")
	for range scaled(2, 8) {
		room := r.group(person("owner"))
		survivor, stop := r.record(eventlog.TypingTopic(room))
		done := make(chan struct{})
		var storm sync.WaitGroup
		for i := range 6 {
			storm.Go(func() { churnState(r, survivor.topic, i%2 == 0, done) })
		}
		for range scaled(50, 150) {
			for _, ttl := range []time.Duration{long, 0} {
				if err := r.SetTyping(r.Context(), room, ada, ttl); err != nil {
					r.Errorf("SetTyping: %v", err)
				}
			}
		}
		close(done)
		storm.Wait()
		r.typing(room, ada, 0)
		survivor.hears(bob)
		stop()
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

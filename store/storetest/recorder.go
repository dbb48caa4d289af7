package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"parley/chat"
	"parley/eventlog"
	"parley/presence"
)

// recorder keeps the values of one state topic as they come.
type recorder struct {
	rig
	topic   string
	busy    atomic.Int32
	stopped atomic.Bool

	mu     sync.Mutex
	values []eventlog.Value
}

// record watches a topic until stop, which may be called once, or the test's end. The present values
// must have come before WatchState returns.
func (r rig) record(topic string) (rec *recorder, stop func()) {
	r.Helper()
	rec = &recorder{rig: r, topic: topic}
	unwatch, err := r.WatchState(r.Context(), topic, rec.sink)
	r.must("WatchState", err)
	if len(rec.all()) == 0 {
		r.Fatalf("%s: no present value", topic)
	}
	stop = sync.OnceFunc(func() { rec.end(unwatch) })
	r.Cleanup(stop)
	return rec, stop
}

func (rec *recorder) end(unwatch func()) {
	unwatch()
	rec.stopped.Store(true)
	if n := rec.busy.Load(); n != 0 {
		rec.Errorf("stop returned while %d calls to the sink were under way", n)
	}
}

func (rec *recorder) sink(values []eventlog.Value) {
	if rec.busy.Add(1) != 1 {
		rec.Errorf("%s: two calls to one sink at once", rec.topic)
	}
	defer rec.busy.Add(-1)
	if rec.stopped.Load() {
		rec.Errorf("%s: the sink was called after stop", rec.topic)
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.values = append(rec.values, values...)
}

func (rec *recorder) all() []eventlog.Value {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return append([]eventlog.Value(nil), rec.values...)
}

// newest is the value with the highest version.
func (rec *recorder) newest() eventlog.Value {
	var newest eventlog.Value
	for _, v := range rec.all() {
		if newest.Payload == nil || v.Version > newest.Version {
			newest = v
		}
	}
	return newest
}

// story waits for as many values as are wanted, and fails unless these have come, in this order, each
// once, with growing versions. tell puts a value into words.
func (rec *recorder) story(tell func(eventlog.Value) string, want ...string) {
	rec.Helper()
	rec.eventually(rec.topic+" tells its story to the end", func() bool { return len(rec.all()) >= len(want) })
	var got []string
	var last uint64
	for i, v := range rec.all() {
		if got = append(got, tell(v)); i > 0 && v.Version <= last {
			rec.Errorf("%s: version %d after %d", rec.topic, v.Version, last)
		}
		last = v.Version
	}
	rec.same(rec.topic, got, want)
}

// status tells a value of a presence topic.
func status(v eventlog.Value) string {
	if p, ok := v.Payload.(*presence.Presence); ok && p.User.ID == v.Key && p.Version == v.Version {
		return string(p.Status)
	}
	return "not a presence of its key and version"
}

// typists tells a value of a typing topic.
func typists(v eventlog.Value) string {
	set, ok := v.Payload.(*presence.Typing)
	if !ok || v.Key != "" {
		return "not a typing set"
	}
	all := ""
	for _, u := range set.Users {
		all += "<" + u.Name + ">"
	}
	return all
}

// pass waits until the store's own clock has moved on, without sweeping: by then somebody's typing
// has run out.
func (r rig) pass(d time.Duration) {
	r.Helper()
	clock := r.group(person("clock"))
	r.typing(clock, presence.User{ID: "clock"}, d)
	r.eventually("typing runs out by the store's clock", func() bool { return len(r.typists(clock)) == 0 })
}

// shown is a user as presence shows them.
func shown(u chat.User) presence.User {
	return presence.User{ID: u.ID, Name: u.Name, AvatarURL: u.AvatarURL}
}

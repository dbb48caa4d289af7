package redis

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"parley/eventlog"
)

// What the names of state topics begin with, as eventlog makes them.
var (
	typingPrefix   = eventlog.TypingTopic("")
	presencePrefix = eventlog.PresenceTopic("")
)

// WatchState implements [eventlog.State].
func (s *Store) WatchState(ctx context.Context, name string, sink func([]eventlog.Value)) (stop func(), err error) {
	described, err := stateTopic(name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	known, err := s.bucketState(ctx, described.bucket)
	if err != nil {
		return nil, err
	}
	var begun bool
	var last uint64
	w := &watch{news: func(news any) {
		if value := news.(eventlog.Value); !begun || value.Version > last {
			begun, last = true, value.Version
			sink([]eventlog.Value{value})
		}
	}}
	if stop, err = s.subscribe(ctx, described, w, known); err != nil {
		return nil, err
	}
	values, err := s.currentStates(ctx, []string{name})
	if err != nil {
		stop()
		return nil, err
	}
	w.call(func() { w.news(values[0]) })
	return stop, nil
}

// stateTopic describes a state topic by its name.
func stateTopic(name string) (topic, error) {
	if room, ok := strings.CutPrefix(name, typingPrefix); ok && room != "" {
		e := entityOf(room)
		decode := func(payload string) (any, error) { return decodeTyping(room, payload) }
		return topic{name: name, bucket: e.bucket, channel: e.channel(), state: true, decode: decode}, nil
	}
	if user, ok := strings.CutPrefix(name, presencePrefix); ok && user != "" {
		b := bucketOf(user)
		return topic{name: name, bucket: b, channel: b.presenceChannel(), state: true, decode: decodePresence}, nil
	}
	return topic{}, fmt.Errorf("redis: %q is no state topic", name)
}

func (s *Store) bucketState(ctx context.Context, b *bucket) (bucketState, error) {
	values, err := s.client.HMGet(ctx, b.key("bucket"), "n", "mark", "evicted").Result()
	if err != nil {
		return bucketState{}, fault(ctx, "watch", err)
	}
	return decodeBucketState(values), nil
}

// readStates reads the present values of state topics, in the order asked. With an error, those that could be read are
// there all the same, and the zero Value in the place of the others.
func (s *Store) readStates(ctx context.Context, names []string) ([]eventlog.Value, error) {
	var rooms, users []string
	for _, name := range names {
		if room, ok := strings.CutPrefix(name, typingPrefix); ok {
			rooms = append(rooms, room)
		} else {
			users = append(users, strings.TrimPrefix(name, presencePrefix))
		}
	}
	sets, unreadSets := s.typingValues(ctx, rooms)
	presences, unread := s.presenceValues(ctx, users)
	values := make([]eventlog.Value, len(names))
	for i, name := range names {
		if strings.HasPrefix(name, typingPrefix) {
			values[i], sets = sets[0], sets[1:]
		} else {
			values[i], presences = presences[0], presences[1:]
		}
	}
	return values, cmp.Or(unreadSets, unread)
}

// statesAtOnce bounds how many values are read in one round trip.
const statesAtOnce = 200

// reread reads the states again that may have changed unheard, at once, and at each tick those that
// couldn't be read. It is apart from heal, which mustn't wait for turns.
func (s *Store) reread(ctx context.Context) {
	ticker := time.NewTicker(s.tailCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.stale.wake:
		}
		s.rereadStates(ctx)
	}
}

// rereadStates reads the stale states, and hands them over. What can't be read, since it lies in a bucket that moves or
// whose server is gone, stays stale, and doesn't hold up the rest.
func (s *Store) rereadStates(ctx context.Context) {
	var unread []string
	defer func() { s.stale.keep(unread) }()
	for {
		part := s.stale.take(statesAtOnce)
		if len(part) == 0 {
			return
		}
		values, _ := s.currentStates(ctx, part)
		read := 0
		for i, name := range part {
			switch t := s.topics.named(name); {
			case values[i].Payload != nil:
				read++
				if t != nil {
					s.hand(t, values[i])
				}
			case t != nil:
				unread = append(unread, name)
			}
		}
		if read == 0 {
			return // as it seems, nothing can be read now
		}
	}
}

// currentStates reads the present values of watched topics, ready to be handed over. With an error, those that could
// be read are there all the same, and the zero Value in the place of the others.
func (s *Store) currentStates(ctx context.Context, names []string) ([]eventlog.Value, error) {
	before := s.topics.versions(names)
	values, err := s.readStates(ctx, names)
	for i, name := range names {
		if values[i].Payload != nil {
			values[i] = s.topics.settle(name, values[i], before[i])
		}
	}
	return values, err
}

// Versions that watchers are told must grow even when the store has lost its data and counts anew. So
// each topic shifts the store's count: a value read that is lower than what was handed over before the
// reading began can only be of a store that has lost something, which a tail check may have noticed
// too, and from then on the shift makes up for it.

// versions returns the versions handed over of some topics, in the order asked.
func (ts *topics) versions(names []string) []uint64 {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	versions := make([]uint64, len(names))
	for i, name := range names {
		if t := ts.byName[name]; t != nil {
			versions[i] = t.version
		}
	}
	return versions
}

// settle gives a value read the version to hand it over with; before is the topic's when the reading
// began.
func (ts *topics) settle(name string, value eventlog.Value, before uint64) eventlog.Value {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byName[name]
	if t == nil {
		return value
	}
	if lost := value.Version+t.shift < before || t.lost && before > 0; lost && t.version == before {
		t.shift = before + 1 - value.Version
	}
	t.lost = false
	value = withVersion(value, value.Version+t.shift)
	t.version = max(t.version, value.Version)
	return value
}

// advance gives a value heard the version to hand it over with, unless that isn't above the last.
func (ts *topics) advance(t *topic, value eventlog.Value) (eventlog.Value, bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	value = withVersion(value, value.Version+t.shift)
	if value.Version <= t.version {
		return eventlog.Value{}, false
	}
	t.version = value.Version
	return value, true
}

package redis

import (
	"context"
	"sync"

	"parley/eventlog"
)

// Watch implements [eventlog.Log].
func (s *Store) Watch(ctx context.Context, log string, watcher eventlog.Watcher) (stop func(), err error) {
	e := entityOf(log)
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	known, err := s.logState(ctx, e)
	if err != nil {
		return nil, err
	}
	described := topic{name: log, bucket: e.bucket, channel: e.channel(), own: &own{}, decode: func(payload string) (any, error) {
		record, err := decodeEvent(log, payload)
		if err != nil {
			return nil, err
		}
		return []eventlog.Publication{record.publication(log)}, nil
	}}
	w := &watch{
		news: func(news any) { watcher.Published(news.([]eventlog.Publication)) },
		look: watcher.Look,
	}
	return s.subscribe(ctx, described, w, known)
}

// logState makes sure that there is such a log and returns the state of its bucket.
func (s *Store) logState(ctx context.Context, e entity) (bucketState, error) {
	pipe := s.client.Pipeline()
	exists := pipe.HExists(ctx, e.own("room"), "epoch")
	state := pipe.HMGet(ctx, e.key("bucket"), "n", "mark", "evicted")
	if _, err := pipe.Exec(ctx); err != nil {
		return bucketState{}, fault(ctx, "watch", err)
	}
	if !exists.Val() {
		return bucketState{}, eventlog.ErrNoLog
	}
	return decodeBucketState(state.Val()), nil
}

// subscribe adds a watch and returns once the server has confirmed the topic's channel. The state
// known of the bucket must have been read before: what changed since is found by the tail check, if
// its hint came before the confirmation.
func (s *Store) subscribe(ctx context.Context, described topic, w *watch, known bucketState) (stop func(), err error) {
	t := s.topics.add(described, w, known)
	if err := s.busOf(t.bucket).acquire(ctx, t.channel); err != nil {
		w.stop()
		s.topics.remove(t, w)
		return nil, err
	}
	return sync.OnceFunc(func() {
		w.stop()
		s.topics.remove(t, w)
		s.busOf(t.bucket).release(t.channel)
	}), nil
}

// receive hands a hint to those who watch its topic; the bus calls it.
func (s *Store) receive(payload string) {
	h, ok := parseHint(payload)
	if !ok {
		s.log.Warn("a message that is no hint came over pub/sub")
		return
	}
	t := s.topics.hear(h)
	if t == nil {
		return
	}
	if t.own == nil {
		s.read(t, h.payload)
		return
	}
	t.own.mu.Lock() // so that who appends here comes before it or after it
	defer t.own.mu.Unlock()
	if t.own.hear(h.payload) {
		s.expect(t)
		return
	}
	s.unparkAll(t)
	s.read(t, h.payload)
}

// read hands over what a hint says.
func (s *Store) read(t *topic, payload string) {
	news, err := t.decode(payload)
	if err != nil {
		s.log.Error("a hint can't be read", "topic", t.name, "error", err)
		s.look(t)
		return
	}
	switch news := news.(type) {
	case eventlog.Value:
		if news, ok := s.topics.advance(t, news); ok {
			s.hand(t, news)
		} else {
			s.stale.add(t.name) // old news, or those of a store that has lost its data
		}
	case []eventlog.Publication:
		t.own.told(news[len(news)-1].Position)
		s.hand(t, news)
	default:
		s.hand(t, news)
	}
}

func (s *Store) hand(t *topic, news any) {
	for _, w := range s.topics.listeners(t) {
		w.call(func() { w.news(news) })
	}
}

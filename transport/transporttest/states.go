package transporttest

import (
	"context"
	"sync"

	"parley/delivery"
	"parley/eventlog"
)

// states are values by topic, each with its sinks.
type states struct {
	mu      sync.Mutex
	version uint64
	values  map[string]eventlog.Value
	sinks   map[string]map[int]func([]eventlog.Value)
	next    int
}

func newStates() *states {
	return &states{values: map[string]eventlog.Value{}, sinks: map[string]map[int]func([]eventlog.Value){}}
}

func (s *states) set(topic, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	v := eventlog.Value{Version: s.version, Payload: value}
	s.values[topic] = v
	for _, sink := range s.sinks[topic] {
		sink([]eventlog.Value{v})
	}
}

func (s *states) source(topic string) delivery.StateSource {
	return func(_ context.Context, sink func([]eventlog.Value)) (func(), error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if v, ok := s.values[topic]; ok {
			sink([]eventlog.Value{v})
		}
		if s.sinks[topic] == nil {
			s.sinks[topic] = map[int]func([]eventlog.Value){}
		}
		s.next++
		id := s.next
		s.sinks[topic][id] = sink
		return func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.sinks[topic], id)
		}, nil
	}
}

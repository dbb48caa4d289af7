package graphqlws

import (
	"encoding/json"
	"errors"

	"parley/transport"
)

// refresh judges the payload of a pong while the connection reads on. One is judged at a time; of
// those that come meanwhile, the last.
func (s *session) refresh(c *transport.Conn, payload json.RawMessage) {
	if payload == nil || s.options.Refresh == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateReady {
		return
	}
	s.pong = payload
	if !s.judging {
		s.judging = true
		c.Go(func() { s.judgePongs(c) })
	}
}

func (s *session) judgePongs(c *transport.Conn) {
	for payload := s.nextPong(); payload != nil; payload = s.nextPong() {
		var object map[string]any
		err := json.Unmarshal(payload, &object)
		if err == nil {
			err = s.options.Refresh(c, object)
		}
		if err != nil && !errors.Is(err, transport.ErrTryLater) {
			c.Close(transport.ReasonForbidden.Because(err.Error()))
		}
	}
}

// nextPong takes the payload that waits; nil, and the judging ends, if there is none.
func (s *session) nextPong() json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	payload := s.pong
	s.pong, s.judging = nil, payload != nil
	return payload
}

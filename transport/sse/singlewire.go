package sse

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
	"parley/eventlog"
	"parley/reservation"
	"parley/transport"
)

// The id: of an event says how far all operations have come by then. So frames of operations are completed as they
// leave: until then they are a letter that says what they are, and the parts.
const (
	frameEvent    = 'e' // cursor, line break, payload
	framePosition = 'p' // cursor
	frameAnswer   = 'a' // seq, space, number of the operation, line break, payload
)

// singleFraming is what all subscribers of a group share of an event.
type singleFraming struct{}

// AppendEvent implements delivery.Framing.
func (singleFraming) AppendEvent(dst []byte, e *delivery.Event) []byte {
	dst = append(append(append(dst, frameEvent), e.Cursor...), '\n')
	return append(dst, e.Payload...)
}

// Framing implements transport.Wire.
func (*stream) Framing(string) (delivery.Framing, []byte) { return singleFraming{}, nil }

// Position implements transport.Wire.
func (*stream) Position(_, cursor string) []byte { return append([]byte{framePosition}, cursor...) }

// answerFrame is an operation's end.
func answerFrame(a reservation.Answer) []byte {
	payload := []byte(a.Payload)
	if a.Lost {
		payload = transport.EncodeResponse(&graphql.Response{Errors: gqlerror.List{{
			Message:    "the answer took more room than there is for answers that wait",
			Extensions: map[string]any{"code": transport.CodeUnavailable},
		}}})
	}
	frame := strconv.AppendUint([]byte{frameAnswer}, a.Seq, 10)
	frame = strconv.AppendUint(append(frame, ' '), a.Number, 10)
	return append(append(frame, '\n'), payload...)
}

// Stamp implements transport.Stamping.
func (s *stream) Stamp(id string) func(dst, frame []byte) []byte {
	number := s.number(id)
	quoted, _ := json.Marshal(id) // a string always marshals
	return func(dst, frame []byte) []byte {
		s.mu.Lock()
		defer s.mu.Unlock()
		head, payload, _ := bytes.Cut(frame[1:], []byte("\n"))
		switch frame[0] {
		case frameEvent:
			s.move(number, head)
			return s.appendBlock(dst, "next", quoted, payload)
		case framePosition:
			s.move(number, head)
			return s.appendBlock(dst, "", nil, nil)
		}
		return s.appendAnswer(dst, quoted, head, payload)
	}
}

// move notes what an event tells of its subscription's position.
func (s *stream) move(number uint64, cursor []byte) {
	if at, err := eventlog.ParseCursor(string(cursor)); err == nil { // a state's has none
		s.progress.Move(number, at)
	}
}

// appendAnswer appends an operation's last response, unless the client has got that, and the end.
func (s *stream) appendAnswer(dst, id, head, payload []byte) []byte {
	first, second, _ := bytes.Cut(head, []byte(" "))
	seq, _ := strconv.ParseUint(string(first), 10, 64) // both are our own
	number, _ := strconv.ParseUint(string(second), 10, 64)
	if half := 2*seq - 1; len(payload) > 0 && s.progress.Answers < half {
		s.progress.Answers = half
		dst = s.appendBlock(dst, "next", id, payload)
	}
	s.progress.Answers = max(s.progress.Answers, 2*seq)
	s.progress.Drop(number)
	s.sent = max(s.sent, seq)
	if s.crowded {
		s.crowded = false
		time.AfterFunc(0, s.look) // not here, under locks
	}
	return s.appendBlock(dst, "complete", id, nil)
}

// appendBlock appends a part of the body: an event, or with no kind what only tells positions.
func (s *stream) appendBlock(dst []byte, kind string, id, payload []byte) []byte {
	b := append(s.scratch[:0], "id: "...)
	b = append(s.progress.Append(b, s.opened.ID), '\n')
	if kind != "" {
		b = appendData(append(b, "event: "+kind+"\n"...), id, payload)
	}
	s.scratch = append(b, '\n')
	dst = s.body.Append(dst, s.scratch)
	if cap(s.scratch) > maxScratch {
		s.scratch = nil
	}
	return dst
}

// maxScratch is what an idle stream may keep.
const maxScratch = 1 << 10

// appendData appends the data field of an operation's event. A line break in the payload, which JSON has between
// tokens only, becomes a space: it would end the field.
func appendData(dst, id, payload []byte) []byte {
	dst = append(append(dst, `data: {"id":`...), id...)
	if payload != nil {
		dst = append(dst, `,"payload":`...)
		for _, b := range payload {
			if b == '\n' || b == '\r' {
				b = ' '
			}
			dst = append(dst, b)
		}
	}
	return append(dst, "}\n"...)
}

// Result implements transport.Wire, as do Errors and Complete, for what is no operation of a reservation.
func (s *stream) Result(id string, response *graphql.Response) []byte {
	quoted, _ := json.Marshal(id)
	b := appendData([]byte("event: next\n"), quoted, transport.EncodeResponse(response))
	return s.body.Part(append(appendData(append(b, "\nevent: complete\n"...), quoted, nil), '\n'))
}

// Errors implements transport.Wire.
func (s *stream) Errors(id string, errors gqlerror.List) []byte {
	return s.Result(id, &graphql.Response{Errors: errors})
}

// Complete implements transport.Wire.
func (s *stream) Complete(id string) []byte {
	quoted, _ := json.Marshal(id)
	return s.body.Part(append(appendData([]byte("event: complete\n"), quoted, nil), '\n'))
}

// Heartbeat implements transport.Wire: a comment.
func (s *stream) Heartbeat() []byte { return s.body.Part(comment) }

// Farewell implements transport.Wire. A client that may come back is told when. Where it may not, each of its
// operations ends with the reason.
func (s *stream) Farewell(reason transport.Reason) []byte {
	var last []byte
	if errors := reason.AsErrors(); errors != nil {
		for _, id := range s.carriedIDs() {
			last = append(last, s.Errors(id, errors)...)
		}
	} else if reason.Retry {
		last = s.body.Part(retry(retryAfterEnd))
	}
	return append(last, s.body.End()...)
}

package sse

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/reservation"
	"parley/transport"
)

// number returns the number of an operation that is about to be carried.
func (s *stream) number(id string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.carried[id]
}

func (s *stream) carriedIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.carried))
}

// look is told that the reservation may have changed; it returns at once.
func (s *stream) look() {
	s.mu.Lock()
	s.doubt = true
	idle := !s.syncing
	s.syncing = true
	s.mu.Unlock()
	if idle {
		s.conn.Go(s.sync)
	}
}

// sync does what it finds in the reservation until nothing has changed any more. One goroutine does at a time.
func (s *stream) sync() {
	ctx := s.conn.Context()
	for more := true; more; {
		s.mu.Lock()
		s.doubt = false
		s.mu.Unlock()
		unread, err := s.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.later(err)
		} else {
			s.outage = 0
		}
		s.mu.Lock()
		more = err == nil && (unread || s.doubt)
		s.syncing = more
		s.mu.Unlock()
	}
}

// later has the reservation looked at again, less often the longer that doesn't succeed.
func (s *stream) later(err error) {
	if s.outage++; s.outage == 1 {
		s.log().Warn("a reservation can't be read or changed", "error", err)
	}
	wait := againAfter * time.Duration(min(s.outage, 20))
	s.lookIn(wait/2 + rand.N(wait))
}

// lookIn has the reservation looked at again, once, after a while.
func (s *stream) lookIn(wait time.Duration) {
	if s.again == nil {
		s.again = time.AfterFunc(wait, s.look)
		return
	}
	s.again.Reset(wait)
}

// follow looks at the reservation once; more says that there is more to read.
func (s *stream) follow(ctx context.Context) (more bool, err error) {
	s.stopFailed()
	if err := s.tellEnds(ctx); err != nil {
		return false, err
	}
	news, err := s.mode.Book.Read(ctx, s.opened.ID, s.carries, s.taken+1)
	switch {
	case errors.Is(err, reservation.ErrNone):
		s.conn.Close(reasonOver)
		return false, nil
	case err != nil:
		return false, err
	case news.Opening != s.opened.Opening:
		s.conn.Close(reasonReplaced)
		return false, nil
	}
	s.renew(news)
	s.conclude(news.Answers)
	if !news.More {
		s.stopOthers(news.Operations)
	}
	s.carry(news)
	err = s.trim(ctx, news)
	if err == nil && news.Knocks > news.Heard {
		err = s.mode.Book.Hear(ctx, s.opened)
	}
	if err != nil && isOver(err) {
		return true, nil // the next look finds out why
	}
	return news.More, err
}

// carries reports whether a subscription runs here.
func (s *stream) carries(number uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.carried {
		if n == number {
			return true
		}
	}
	return false
}

// renew goes on with a newer token of the user's.
func (s *stream) renew(news *reservation.News) {
	viewer := string(news.Viewer)
	if viewer == s.viewer || s.mode.Renew == nil {
		return
	}
	err := s.mode.Renew(s.conn, news.Viewer)
	if errors.Is(err, transport.ErrTryLater) {
		s.lookIn(againAfter)
		return
	}
	if s.viewer = viewer; err != nil {
		s.log().Info("a stream's token wasn't renewed", "error", err)
	}
}

// conclude tells of operations that have ended.
func (s *stream) conclude(answers []reservation.Answer) {
	for _, a := range answers {
		s.mu.Lock()
		if s.carried[a.ID] == a.Number {
			delete(s.carried, a.ID)
		}
		delete(s.tries, a.Number)
		s.mu.Unlock()
		s.conn.Conclude(a.ID, answerFrame(a))
		s.taken = a.Seq
		a.Payload = nil
		s.unsent = append(s.unsent, a)
	}
}

// stopOthers stops the subscriptions that run here and aren't among those under way.
func (s *stream) stopOthers(operations []reservation.Operation) {
	going := map[uint64]bool{}
	for _, o := range operations {
		going[o.Number] = true
	}
	for _, id := range s.carriedIDs() {
		if n := s.number(id); !going[n] && !s.ending(n) {
			s.stop(id, n)
		}
	}
}

// ending reports whether a subscription's end is about to be told.
func (s *stream) ending(number uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.ends, func(a reservation.Answer) bool { return a.Number == number })
}

func (s *stream) stop(id string, number uint64) {
	s.conn.Stop(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.carried, id)
	delete(s.tries, number)
	s.progress.Drop(number)
}

// carry begins the subscriptions that aren't running here yet, in order.
func (s *stream) carry(news *reservation.News) {
	for _, o := range news.Operations {
		body := news.Requests[o.Number]
		if o.Once || body == nil {
			continue
		}
		params, err := decodeRequest(body)
		if err != nil {
			s.log().Error("an operation in the store can't be read", "error", err)
			continue
		}
		s.mu.Lock()
		if _, ends := s.carried[o.ID]; ends { // an earlier one of the same id
			s.mu.Unlock()
			continue
		}
		s.carried[o.ID] = o.Number
		start := s.progress.At(o.Number, o.Start.Log)
		if start.Kind == 0 {
			start = o.Start
			s.progress.Move(o.Number, start)
		}
		s.mu.Unlock()
		if params.Extensions == nil {
			params.Extensions = map[string]any{}
		}
		delete(params.Extensions, "resume")
		if start.Kind != 0 {
			params.Extensions["resume"] = start.String()
		}
		s.conn.Carry(o.ID, params, func(errs gqlerror.List) { s.end(o, errs) })
	}
}

// end takes the end of a subscription by the server's word, which is told by way of the store, so that it is neither lost
// nor told twice. What is only a bad moment is tried again. It doesn't block.
func (s *stream) end(o reservation.Operation, errs gqlerror.List) {
	if s.conn.Context().Err() != nil { // the connection ends, not the subscription
		return
	}
	s.mu.Lock()
	s.tries[o.Number]++
	again := isUnavailable(errs) && s.tries[o.Number] < maxTries
	if again {
		s.failed = append(s.failed, failure{o.ID, o.Number, time.Now().Add(againAfter)})
	} else {
		a := reservation.Answer{ID: o.ID, Number: o.Number}
		if errs != nil {
			a.Payload = transport.EncodeResponse(&graphql.Response{Errors: errs})
		}
		s.ends = append(s.ends, a)
	}
	s.mu.Unlock()
	if again {
		time.AfterFunc(againAfter, s.look)
	} else {
		s.look()
	}
}

// stopFailed takes subscriptions that are to be tried again for ones that aren't running.
func (s *stream) stopFailed() {
	s.mu.Lock()
	now := time.Now()
	var due []failure
	s.failed = slices.DeleteFunc(s.failed, func(f failure) bool {
		over := !f.due.After(now)
		if over {
			due = append(due, f)
		}
		return over
	})
	s.mu.Unlock()
	for _, f := range due {
		if s.number(f.id) == f.number {
			s.conn.Stop(f.id)
			s.mu.Lock()
			delete(s.carried, f.id)
			s.mu.Unlock()
		}
	}
}

func isUnavailable(errs gqlerror.List) bool {
	for _, err := range errs {
		if err.Extensions["code"] != transport.CodeUnavailable {
			return false
		}
	}
	return len(errs) > 0
}

// tellEnds puts the ends of subscriptions into the reservation.
func (s *stream) tellEnds(ctx context.Context) error {
	for {
		s.mu.Lock()
		if len(s.ends) == 0 {
			s.mu.Unlock()
			return nil
		}
		a := s.ends[0]
		s.mu.Unlock()
		err := s.mode.Book.End(ctx, s.opened, a)
		if err != nil && !isOver(err) {
			return err
		}
		s.mu.Lock()
		s.ends = s.ends[1:]
		s.mu.Unlock()
	}
}

// trim makes room in the reservation, or will when more answers have left.
func (s *stream) trim(ctx context.Context, news *reservation.News) error {
	s.mu.Lock()
	last := s.sent
	s.mu.Unlock()
	n := 0
	for n < len(s.unsent) && s.unsent[n].Seq <= last {
		n++
	}
	crowded, err := s.mode.Book.Trim(ctx, news.Reservation, s.unsent[:n])
	if over := len(s.unsent) - maxTrimmed; over > 0 { // the store has let go of them, or will with those that follow
		s.unsent = slices.Clone(s.unsent[over:])
	}
	s.mu.Lock()
	s.crowded = crowded
	again := crowded && s.sent > last
	s.mu.Unlock()
	if again {
		s.look()
	}
	return err
}

// maxTrimmed is more than a reservation keeps.
const maxTrimmed = 1200

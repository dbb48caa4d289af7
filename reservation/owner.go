package reservation

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"parley/eventlog"
)

// Alive reports whether the stream that a reservation was read with is open still: its owner is asked, and has a
// moment to say so.
func (b *Book) Alive(ctx context.Context, r *Reservation) (bool, error) {
	if r.Owner == "" {
		return false, nil
	}
	told := make(chan struct{}, 1)
	stop, err := b.store.WatchReservation(ctx, r.ID, func() {
		select {
		case told <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return false, err
	}
	defer stop()
	knock := uint64(0)
	err = b.change(ctx, r.ID, func(now *Reservation, _ *Change) error {
		if now.Opening != r.Opening || now.Owner == "" {
			return errUnchanged
		}
		now.Knocks++
		knock = now.Knocks
		return nil
	})
	patience := time.NewTimer(b.options.Patience)
	defer patience.Stop()
	for err == nil {
		var now *Reservation
		if now, err = b.read(ctx, r.ID); err != nil {
			break
		}
		switch {
		case now.Opening != r.Opening:
			return true, nil // somebody has just come in
		case now.Owner == "":
			return false, nil
		case now.Heard >= knock:
			return true, nil
		}
		select {
		case <-told:
		case <-patience.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	if errors.Is(err, errUnchanged) {
		now, err := b.read(ctx, r.ID)
		return err == nil && now.Owner != "", err
	}
	return false, err
}

// Claim makes this node the owner of a reservation, for a stream that goes on from what its client has got; nil
// means that it says nothing of that. With nil nobody is driven out but the stream that the reservation was read with,
// which its caller knows to be dead: [ErrOpen] where there is another one.
func (b *Book) Claim(ctx context.Context, was *Reservation, h Holder, from *Progress) (*Reservation, error) {
	var claimed *Reservation
	err := b.change(ctx, was.ID, func(r *Reservation, c *Change) error {
		if from == nil && r.Opening != was.Opening {
			return ErrOpen
		}
		r.Opening++
		r.Owner, r.Heard = b.node, r.Knocks
		if h.Viewer != nil {
			r.Viewer, r.Expires = h.Viewer, h.Expires
		}
		if from != nil {
			if err := r.advance(from, c); err != nil {
				return err
			}
		}
		c.TTL = b.ttl(r)
		claimed = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	claimed.version++
	return claimed, nil
}

// advance takes note of what the client has got.
func (r *Reservation) advance(from *Progress, c *Change) error {
	for i, o := range r.Operations {
		if at := from.At(o.Number, o.Start.Log); at.Kind != 0 && o.Start.Kind != 0 {
			r.Operations[i].Start = at
		}
	}
	got := from.Answers / 2
	if got+1 < r.First {
		return ErrTooLate
	}
	r.dropAnswers(min(got, r.Next()-1), c)
	return nil
}

// dropAnswers forgets those up to one.
func (r *Reservation) dropAnswers(upTo uint64, c *Change) {
	for ; r.First <= upTo && len(r.Sizes) > 0; r.First++ {
		c.Drop = append(c.Drop, answerPart(r.First))
		r.Sizes = r.Sizes[1:]
	}
}

// own makes a change as the owner: [ErrOpen] if another stream was opened since.
func (b *Book) own(ctx context.Context, r *Reservation, decide func(*Reservation, *Change) error) error {
	return b.change(ctx, r.ID, func(now *Reservation, c *Change) error {
		if now.Opening != r.Opening {
			return ErrOpen
		}
		return decide(now, c)
	})
}

// Hear answers those who have asked whether the stream is open.
func (b *Book) Hear(ctx context.Context, r *Reservation) error {
	return b.own(ctx, r, func(now *Reservation, _ *Change) error {
		now.Heard = now.Knocks
		return nil
	})
}

// Release says that the stream is open no more. The reservation waits for another one.
func (b *Book) Release(ctx context.Context, r *Reservation) error {
	return b.own(ctx, r, func(now *Reservation, c *Change) error {
		now.Owner = ""
		c.TTL = b.ttl(now)
		return nil
	})
}

// Drop forgets a reservation: [ErrOpen] if another stream was opened since.
func (b *Book) Drop(ctx context.Context, r *Reservation) error {
	now, err := b.read(ctx, r.ID)
	if err == nil && now.Opening != r.Opening {
		err = ErrOpen
	}
	if err != nil {
		return err
	}
	return b.store.DropReservation(ctx, r.ID)
}

// End ends a subscription by the owner's word; see [Book.Answer].
func (b *Book) End(ctx context.Context, r *Reservation, a Answer) error {
	return b.answerPatiently(ctx, r.ID, a, func(now *Reservation, _ *Change) error {
		if now.Opening != r.Opening {
			return ErrOpen
		}
		return nil
	})
}

// Trim makes room for answers, where it is needed, of those that the stream has been sent: with many of them the
// first go, with large ones what is in them. Sent are they, in order. Crowded says that more should go as soon as more
// have been sent.
func (b *Book) Trim(ctx context.Context, r *Reservation, sent []Answer) (crowded bool, err error) {
	if !r.crowded(b.options.Bytes) {
		return false, nil
	}
	if len(sent) == 0 {
		return true, nil
	}
	err = b.own(ctx, r, func(now *Reservation, c *Change) error {
		if n := len(now.Sizes); n > manyAnswers {
			last := sent[len(sent)-1].Seq
			now.dropAnswers(min(last, now.First+uint64(n-manyAnswers/2)-1), c)
		}
		most := b.options.Bytes / 4
		if now.full {
			most = 0
		}
		held := now.answers()
		if err := now.empty(sent, most, c); err != nil {
			return err
		}
		now.full = now.full && now.answers() == held
		crowded = now.crowded(b.options.Bytes)
		return nil
	})
	return crowded, err
}

// empty drops what is in answers, the first ones first, until all together take no more than so many bytes.
func (r *Reservation) empty(sent []Answer, bytes int, c *Change) error {
	held := r.answers()
	for _, a := range sent {
		if held <= bytes {
			break
		}
		if a.Seq < r.First || a.Seq >= r.Next() || r.Sizes[a.Seq-r.First] == 0 {
			continue
		}
		held -= r.Sizes[a.Seq-r.First]
		r.Sizes[a.Seq-r.First] = 0
		a.Payload, a.Lost = nil, true
		part, err := json.Marshal(a)
		if err != nil {
			return err
		}
		c.Put[answerPart(a.Seq)] = part
	}
	return nil
}

// crowded reports whether the answers take so much room that those sent should go.
func (r *Reservation) crowded(bytes int) bool {
	return r.full || len(r.Sizes) > manyAnswers || r.answers() > bytes/2
}

// News is what an owner finds.
type News struct {
	*Reservation
	// Requests are the subscriptions' that the owner hasn't seen yet, by their numbers.
	Requests map[uint64][]byte
	// Answers are those after the last one that it has, in order; More says that there are others after them.
	Answers []Answer
	More    bool
}

// answersAtOnce bounds the answers that are read together.
const answersAtOnce = 50

// Read returns what there is for the stream: the requests of the subscriptions that aren't known, the answers from one
// on.
func (b *Book) Read(ctx context.Context, id string, known func(number uint64) bool, from uint64) (*News, error) {
	r, err := b.read(ctx, id)
	if err != nil {
		return nil, err
	}
	news := &News{Reservation: r, Requests: map[uint64][]byte{}}
	var parts []string
	for _, o := range r.Operations {
		if !o.Once && !known(o.Number) {
			parts = append(parts, requestPart(o.Number))
		}
	}
	from = max(from, r.First)
	upTo := min(r.Next(), from+answersAtOnce)
	news.More = upTo < r.Next()
	for seq := from; seq < upTo; seq++ {
		parts = append(parts, answerPart(seq))
	}
	if len(parts) == 0 {
		return news, nil
	}
	record, err := b.store.Reservation(ctx, id, parts...)
	if err != nil {
		return nil, err
	}
	for _, o := range r.Operations { // one that isn't there has ended meanwhile
		if body := record.Parts[requestPart(o.Number)]; body != nil {
			news.Requests[o.Number] = body
		}
	}
	for seq := from; seq < upTo; seq++ {
		a := Answer{Seq: seq}
		if part := record.Parts[answerPart(seq)]; part == nil {
			continue // taken by another stream, which comes after this one
		} else if err := json.Unmarshal(part, &a); err != nil {
			return nil, errors.New("reservation: an answer in the store can't be read")
		}
		news.Answers = append(news.Answers, a)
	}
	return news, nil
}

// Progress returns that of a client which has got what it said, nil for nothing, on a stream just claimed.
func (r *Reservation) Progress(from *Progress) Progress {
	p := Progress{Answers: 2 * (r.First - 1)}
	if from != nil && from.Answers > p.Answers && from.Answers < 2*r.Next()-1 {
		p.Answers = from.Answers
	}
	for _, o := range r.Operations {
		if o.Start.Kind == eventlog.CursorLog {
			p.Move(o.Number, o.Start)
		}
	}
	return p
}

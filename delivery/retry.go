package delivery

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"parley/eventlog"
)

const (
	firstWait = 50 * time.Millisecond
	maxWait   = 2 * time.Second
	// openPatience is how long a watch that the store can't begin is tried for, before its
	// subscribers are told.
	openPatience = 5 * time.Second
	// warnEvery is how often operators are told at most that the store doesn't answer.
	warnEvery = 10 * time.Second
)

// forever is the patience of those who go on as long as they are wanted.
const forever time.Duration = 1<<63 - 1

// retry calls f until it returns anything but ErrUnavailable, ctx is done or patience has run out;
// it returns what f returned last. It waits longer each time, up to 2 s, with jitter.
func (h *Hub) retry(ctx context.Context, patience time.Duration, what string, f func() error) error {
	begun, wait := time.Now(), firstWait
	for tries := 1; ; tries++ {
		err := f()
		if err == nil || ctx.Err() != nil || !errors.Is(err, eventlog.ErrUnavailable) || time.Since(begun) >= patience {
			return err
		}
		if tries >= 3 {
			h.warn(what, err)
		}
		select {
		case <-time.After(wait/2 + rand.N(wait/2)):
		case <-ctx.Done():
			return err
		}
		wait = min(2*wait, maxWait)
	}
}

// warn tells operators that the store doesn't answer: once for the thousands who notice together.
func (h *Hub) warn(what string, err error) {
	last, now := h.warned.Load(), time.Now().UnixNano()
	if now-last >= int64(warnEvery) && h.warned.CompareAndSwap(last, now) {
		h.options.Log.Warn("store doesn't answer, trying on", "what", what, "error", err)
	}
}

// turns bounds what is done at a time: it has an element for each that is.
type turns chan struct{}

// take calls f in its turn, and fails when ctx is done before that.
func (t turns) take(ctx context.Context, f func() error) error {
	select {
	case t <- struct{}{}:
		defer func() { <-t }()
		return f()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read reads a page, in its turn, asking again while the store doesn't answer.
func (h *Hub) read(ctx context.Context, log string, after eventlog.Position) (page eventlog.Page, err error) {
	err = h.retry(ctx, forever, "reading a log", func() error {
		page, err = h.readOnce(ctx, log, after)
		return err
	})
	return page, err
}

func (h *Hub) readOnce(ctx context.Context, log string, after eventlog.Position) (page eventlog.Page, err error) {
	err = h.reading.take(ctx, func() error {
		page, err = h.log.Read(ctx, log, after, h.options.PageSize)
		return err
	})
	return page, err
}

// confirm asks once more whether the log really can't be continued from a position; a nil gap means
// that it can. Where the position was read from the log by this node, the log has lost entries: it
// is fenced first, so that everybody's reset leads to the same place.
func (h *Hub) confirm(ctx context.Context, log string, at eventlog.Position, ours bool, gap *eventlog.GapError) (*eventlog.GapError, error) {
	if gap.Reason != eventlog.HistoryLost {
		return gap, nil
	}
	if ours && gap.Tail.Epoch == at.Epoch { // else somebody has fenced it already
		h.options.Log.Warn("a log lacks an entry that was read from it", "log", log, "offset", at.Offset)
		err := h.retry(ctx, forever, "fencing a log", func() error { return h.log.Fence(ctx, log, at) })
		if err != nil {
			return nil, err
		}
	}
	_, err := h.read(ctx, log, at)
	if again, ok := errors.AsType[*eventlog.GapError](err); ok {
		return &eventlog.GapError{Reason: gap.Reason, Tail: again.Tail, TailSeq: again.TailSeq}, nil
	}
	return nil, err
}

// asReset turns the absence of a log into what subscribers are told.
func asReset(err error) error {
	if errors.Is(err, eventlog.ErrNoLog) {
		return &ResetError{Reason: eventlog.HistoryLost}
	}
	return err
}

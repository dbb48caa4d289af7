package delivery

import (
	"context"
	"errors"

	"parley/eventlog"
)

// healing is a step of reading from the log what hints have lost.
type healing struct {
	page eventlog.Page
	// done: the page reaches the tail.
	done bool
	// lost: the log can't be continued from where the topic stands, or (noLog) is gone.
	lost  *eventlog.GapError
	noLog bool
}

// look reads the log from where the topic stands, to see whether hints are missing.
func (t *topic) look() {
	if t.placed {
		t.heal()
	}
}

// heal starts reading what follows the topic's position; publications are held meanwhile.
func (t *topic) heal() {
	if t.healing {
		return
	}
	at := t.at
	t.healing = t.hub.spawn(func() { t.readOn(at) })
}

// readOn reads the log to its tail and posts what it finds.
func (t *topic) readOn(at eventlog.Position) {
	t.hub.metrics.heals.Inc()
	for t.ctx.Err() == nil {
		page, err := t.hub.read(t.ctx, t.name, at)
		if gap, ok := errors.AsType[*eventlog.GapError](err); ok {
			t.mail.post(letter{healed: t.lost(at, gap)})
			return
		}
		switch {
		case errors.Is(err, eventlog.ErrNoLog):
			t.mail.post(letter{healed: &healing{noLog: true}})
			return
		case err != nil && t.ctx.Err() != nil:
			return
		case err != nil:
			t.hub.options.Log.Error("reading a log failed", "log", t.name, "error", err)
			t.mail.post(letter{healed: &healing{done: true}})
			return
		}
		if n := len(page.Publications); n > 0 {
			at = page.Publications[n-1].Position
		}
		done := at.Offset >= page.Tail.Offset || len(page.Publications) == 0
		t.mail.post(letter{healed: &healing{page: page, done: done}})
		if done {
			return
		}
	}
}

// lost fences a log that disagrees with what this node has read from it, and tells where it goes
// on.
func (t *topic) lost(at eventlog.Position, gap *eventlog.GapError) *healing {
	if gap.Reason != eventlog.HistoryLost {
		return &healing{lost: gap}
	}
	err := t.hub.retry(t.ctx, "fencing", func() error { return t.hub.log.Fence(t.ctx, t.name, at) })
	if errors.Is(err, eventlog.ErrNoLog) {
		return &healing{noLog: true}
	}
	if err != nil && t.ctx.Err() == nil {
		t.hub.options.Log.Error("fencing a log failed", "log", t.name, "error", err)
	}
	t.hub.options.Log.Warn("a log lost entries that were read from it", "log", t.name, "offset", at.Offset)
	if _, err := t.hub.read(t.ctx, t.name, at); err != nil {
		if after, ok := errors.AsType[*eventlog.GapError](err); ok {
			gap = after
		}
	}
	return &healing{lost: gap}
}

// read reads a page, asking again while the store doesn't answer.
func (h *Hub) read(ctx context.Context, log string, after eventlog.Position) (page eventlog.Page, err error) {
	err = h.retry(ctx, "reading a log", func() error {
		page, err = h.log.Read(ctx, log, after, h.options.PageSize)
		return err
	})
	return page, err
}

func (t *topic) takeHealed(h *healing) {
	for i := range h.page.Publications {
		if p := &h.page.Publications[i]; p.Follows(t.at) {
			t.accept(*p)
		}
	}
	lost := h.noLog || h.lost != nil
	if !lost && !h.done {
		return
	}
	t.fanOut()
	held, waiting := t.held, t.waiting
	t.healing, t.held, t.waiting = false, nil, nil
	if lost {
		t.restart(h)
	}
	t.take(held)
	t.fanOut()
	for _, j := range waiting {
		if lost {
			j.done <- false // what it has read is of the lost history, perhaps
		} else {
			t.join(j)
		}
	}
}

// restart takes every live subscriber out of a history that can't be continued. Each goes on by
// itself: judged anew, told of the reset, ended or back to live.
func (t *topic) restart(h *healing) {
	live := t.groups.all()
	t.groups = groups{}
	t.placed, t.missed, t.recent = false, false, nil
	for _, s := range live {
		s.group = nil
		s.live.Store(false)
		t.hub.metrics.resets.Inc()
		if h.noLog {
			s.finish(&ResetError{Reason: eventlog.HistoryLost})
			continue
		}
		if !t.hub.spawn(func() { s.resume(h.lost) }) {
			return
		}
	}
}

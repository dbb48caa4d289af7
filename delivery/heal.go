package delivery

import (
	"errors"
	"maps"

	"parley/eventlog"
)

// healed is a step of reading from the log what hints have lost.
type healed struct {
	page eventlog.Page
	// heard is the number of the last letter with publications when the reading began; only of the
	// page that reaches the tail.
	heard uint64
	// lost: the log can't be continued from where the topic stands.
	lost *loss
	// taken is closed when the next page may be read; nil after the last step.
	taken chan struct{}
}

// loss is why live subscribers are taken out of a topic; exactly one part is set.
type loss struct {
	// gap is where the log goes on.
	gap *eventlog.GapError
	// moved: only who belongs together has changed.
	moved bool
	// err ends the subscriptions.
	err error
}

// look follows up word that hints may be missing.
func (t *topic) look() {
	if t.placed {
		t.heal()
	} else {
		t.missed = true
	}
}

// heal reads what follows the topic's position; publications are held meanwhile. If a reading is
// under way it may already have passed what there is to see, so another one follows.
func (t *topic) heal() {
	if t.healing {
		t.again = true
		return
	}
	at := t.at
	t.healing = t.hub.spawn(func() { t.readOn(at) })
}

// readOn reads the log to its tail and posts what it finds, a page at a time.
func (t *topic) readOn(at eventlog.Position) {
	t.hub.metrics.heals.Inc()
	for t.ctx.Err() == nil {
		heard := t.heard.Load()
		page, err := t.hub.read(t.ctx, t.name, at)
		if gap, ok := errors.AsType[*eventlog.GapError](err); ok {
			gap, err = t.hub.confirm(t.ctx, t.name, at, true, gap)
			if gap == nil && err == nil {
				continue
			}
			if gap != nil {
				t.mail.post(letter{healed: &healed{lost: &loss{gap: gap}}})
				return
			}
		}
		if err != nil {
			t.failReading(err)
			return
		}
		if n := len(page.Publications); n > 0 {
			at = page.Publications[n-1].Position
		}
		if at.Offset >= page.Tail.Offset || len(page.Publications) == 0 {
			t.mail.post(letter{healed: &healed{page: page, heard: heard}})
			return
		}
		taken := make(chan struct{})
		t.mail.post(letter{healed: &healed{page: page, taken: taken}})
		select {
		case <-taken:
		case <-t.ctx.Done():
		}
	}
}

func (t *topic) failReading(err error) {
	if t.ctx.Err() != nil {
		return
	}
	if !errors.Is(err, eventlog.ErrNoLog) {
		t.hub.options.Log.Error("reading a log failed", "log", t.name, "error", err)
	}
	t.mail.post(letter{healed: &healed{lost: &loss{err: asReset(err)}}})
}

// takeHealed goes on with what was read: it follows the topic's position, which nothing else moves
// while it heals.
func (t *topic) takeHealed(h *healed) {
	for i := range h.page.Publications {
		t.accept(h.page.Publications[i])
	}
	t.fanOut()
	if h.taken != nil {
		close(h.taken)
		return
	}
	held, again, waiting := t.held, t.again, t.waiting
	t.healing, t.again, t.held, t.waiting = false, false, nil, map[*Subscriber]*joining{}
	if h.lost != nil {
		t.restart(h.lost, waiting)
		return
	}
	t.answer()
	t.takeHeld(held, h.heard)
	t.fanOut()
	if again {
		t.heal()
	}
	if !t.healing {
		t.unread.Store(false)
		if t.looking.Load() { // another came in between
			t.unread.Store(true)
		}
	}
	for _, j := range waiting {
		t.join(j)
	}
}

// restart takes every live subscriber out of a history that can't be continued. Each goes on by
// itself: judged anew, told of the reset, ended or back to live. Those who wait to join have to look
// for themselves what the loss means to them. The next one to come places the topic; what was held
// is forgotten, so the topic begins with a reading.
//
// The guards keep their group, which has no rendering that belongs to the history: whatever asks for them
// from now on comes behind the loss in its mailbox.
func (t *topic) restart(l *loss, waiting map[*Subscriber]*joining) {
	for _, g := range t.groups {
		g.mail.post(groupLetter{lost: l})
	}
	t.answer()
	t.answer() // those who asked for another reading
	maps.DeleteFunc(t.groups, func(key groupKey, _ *group) bool { return !key.guards })
	clear(t.audiences)
	t.placed, t.missed, t.recent = false, true, nil
	for _, j := range waiting {
		j.done <- verdict{}
	}
}

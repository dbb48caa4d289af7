package delivery

import "time"

// A node that is cut off from the store fails closed. What it is still told, by hints on their way or
// over a connection that works alone, isn't believed: a topic reads its log instead (order.go), which
// tells of ended access like of everything else, and values wait until the log that guards them has
// been read (state.go). Nothing else is needed to heal, for both go on with what they have read.

// CutOff reports whether the store has been silent about a log for too long (Options.Cutoff), so that what
// it tells isn't to be relied on.
func (h *Hub) CutOff(log string) bool { return h.silence(log) > h.options.Cutoff }

// silence is how long ago all was known of a log that is to be known; of all logs for "".
func (h *Hub) silence(log string) time.Duration {
	if h.options.Confirmed == nil {
		return 0
	}
	return time.Since(h.options.Confirmed(log))
}

// readAgain returns when the log has been read to its tail, and those whose access has ended by then
// have been told. It returns early when the topic is over.
func (t *topic) readAgain() {
	done := make(chan struct{})
	t.mail.post(letter{reread: done})
	select {
	case <-done:
	case <-t.ctx.Done():
	}
}

// reread has done closed after a reading that begins from now on.
func (t *topic) reread(done chan struct{}) {
	switch {
	case !t.placed: // nobody is live; guards that have been may still have to hear of the loss
		t.tellRead(done)
	case t.healing:
		t.asking = append(t.asking, done)
		t.again = true
	default:
		t.asked = append(t.asked, done)
		t.heal()
	}
}

// answer tells those who asked that the log has been read, once the guards have been told what it
// says.
func (t *topic) answer() {
	asked := t.asked
	t.asked, t.asking = t.asking, nil
	for _, done := range asked {
		t.tellRead(done)
	}
}

// tellRead has done closed once the guards have been told all that the topic knows.
func (t *topic) tellRead(done chan struct{}) {
	if g := t.groups[groupKey{guards: true}]; g != nil {
		g.mail.post(groupLetter{done: done})
	} else {
		close(done)
	}
}

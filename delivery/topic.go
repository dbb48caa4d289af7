package delivery

import (
	"context"
	"sync/atomic"

	"parley/eventlog"
)

// topic is a log that somebody in this process follows. It is changed only by its mailbox, which
// gives its groups every publication once, in order (order.go); what hints lose is read from the
// log (heal.go).
type topic struct {
	hub    *Hub
	name   string
	users  int // guarded by hub.mu
	ctx    context.Context
	cancel context.CancelFunc

	// ready is closed once the watch is confirmed, or has failed with err.
	ready chan struct{}
	err   error

	mail    mailbox[letter]
	pending atomic.Int64  // publications waiting in mail
	heard   atomic.Uint64 // counts the letters with publications
	looking atomic.Bool   // a look waits in mail
	unread  atomic.Bool   // a look hasn't been followed up to its end

	// From here on the mailbox's own.
	groups    map[groupKey]*group
	audiences audiences
	moves     int             // how often an audience has moved, as far as groups have told
	moving    map[*group]bool // members of those are still on their way to others (move.go)

	placed bool                   // at is known
	missed bool                   // word came while at wasn't known
	at     eventlog.Position      // of the last publication accepted
	seq    uint64                 // the domain's count at at
	run    []eventlog.Publication // accepted, not yet handed to the groups
	recent []eventlog.Publication // the last ones handed out, contiguous up to at; never changed in place

	healing bool
	again   bool                     // word came while healing that only another reading can follow up
	asked   []chan struct{}          // closed when the reading under way has been passed on
	asking  []chan struct{}          // the same for the reading after it
	held    []heldHint               // came while healing
	waiting map[*Subscriber]*joining // want to join, and wait for the healing's end
}

// letter is what a topic's mailbox handles; exactly one part is set, number apart.
type letter struct {
	published []eventlog.Publication
	number    uint64 // of those with publications
	look      bool
	join      *joining
	leave     *Subscriber
	healed    *healed
	reread    chan struct{}
	moved     *group
}

func newTopic(h *Hub, name string) *topic {
	t := &topic{
		hub: h, name: name, ready: make(chan struct{}),
		groups: map[groupKey]*group{}, audiences: audiences{}, moving: map[*group]bool{}, waiting: map[*Subscriber]*joining{},
	}
	t.ctx, t.cancel = context.WithCancel(h.ctx)
	t.mail.handle, t.mail.spawn = t.handle, h.spawn
	return t
}

// open watches the log until the topic's last user has gone.
func (t *topic) open() {
	var stop func()
	err := t.hub.retry(t.ctx, openPatience, "watching a log", func() (err error) {
		stop, err = t.hub.log.Watch(t.ctx, t.name, t)
		return err
	})
	if err != nil {
		t.hub.mu.Lock()
		t.hub.forget(t)
		t.hub.mu.Unlock()
		t.err = err
		close(t.ready)
		return
	}
	close(t.ready)
	<-t.ctx.Done()
	stop()
}

// Published takes hints (eventlog.Watcher).
func (t *topic) Published(pubs []eventlog.Publication) {
	n := int64(len(pubs))
	if t.pending.Add(n) > int64(t.hub.options.MaxPending) {
		t.pending.Add(-n)
		t.Look()
		return
	}
	t.mail.post(letter{published: pubs, number: t.heard.Add(1)})
}

// Look takes word that hints may be missing (eventlog.Watcher).
func (t *topic) Look() {
	if !t.looking.Swap(true) {
		t.unread.Store(true)
		t.mail.post(letter{look: true})
	}
}

// handle is the mailbox: it takes all that waits and fans out once.
func (t *topic) handle(letters []letter) {
	for _, l := range letters {
		switch {
		case l.published != nil:
			t.pending.Add(-int64(len(l.published)))
			t.take(l.published, l.number)
		case l.look:
			t.looking.Store(false)
			t.look()
		case l.join != nil:
			t.fanOut()
			t.join(l.join)
		case l.leave != nil:
			t.leave(l.leave)
		case l.healed != nil:
			t.takeHealed(l.healed)
		case l.reread != nil:
			t.reread(l.reread)
		case l.moved != nil:
			t.moved(l.moved)
		}
	}
	t.fanOut()
}

// fanOut hands the accepted run to every group, in pieces of a page: a group that can't keep up
// makes the topic wait once maxBehind of them wait for it.
func (t *topic) fanOut() {
	for len(t.run) > 0 {
		n := min(len(t.run), t.hub.options.PageSize)
		piece := t.run[:n:n]
		for _, g := range t.groups {
			if !g.hand(piece, len(t.moving) > 0) {
				return // the topic is over
			}
		}
		t.remember(piece)
		t.run = t.run[n:]
	}
	t.run = nil
}

// cursor is where the topic stands.
func (t *topic) cursor() eventlog.Cursor { return logCursor(t.name, t.at, t.seq) }

func logCursor(log string, at eventlog.Position, seq uint64) eventlog.Cursor {
	return eventlog.Cursor{Kind: eventlog.CursorLog, Log: log, Position: at, Seq: seq}
}

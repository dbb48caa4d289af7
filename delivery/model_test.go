package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/delivery"
	"parley/eventlog"
)

// TestModel plays random stories of appends, disturbed hints, comings and goings, outages and losses,
// and holds what every subscription has seen against what happened to the log.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 60).Draw(rt, "steps")
		seed := rapid.Uint64().Draw(rt, "seed")
		var err error
		inWorld(t, delivery.Options{PageSize: 4, MaxPending: 6}, func(w world) { err = play(w, steps, seed) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// step is one thing that happens; a and b say which, where there is a choice.
type step struct {
	what string
	a, b int
}

func drawStep(rt *rapid.T) step {
	whats := []string{
		"note", "note", "note", "note", "silent", "silent", "end", "begin", "move",
		"disturb", "deliver", "look", "down", "up", "fail renders",
		"truncate", "trim", "fence",
		"subscribe", "subscribe", "subscribe", "resume", "close",
		"stop reading", "read on", "heartbeat", "pass time", "settle", "settle",
	}
	return step{
		rapid.SampledFrom(whats).Draw(rt, "what"), rapid.IntRange(0, 7).Draw(rt, "a"), rapid.IntRange(0, 7).Draw(rt, "b"),
	}
}

// story is a model's run.
type story struct {
	world
	random *rand.Rand
	mu     sync.Mutex // guards random

	// Guarded by log.mu: how hints are treated, and those that are late.
	disturbed bool
	late      []func()

	failing atomic.Bool // renderings, now and then
	setting atomic.Int64

	all     []*entry
	trimmed uint64 // the highest offset ever trimmed
	losses  int
	outages int
	clients []*listener
}

// listener is a client with what the oracle needs.
type listener struct {
	*client
	principal string
	shows     eventlog.Kinds
	resets    bool // are shown
	start     *entry
	startsAt  eventlog.Position
	closed    bool
	losses    int // at its start
}

var principals = []string{"ada", "bob", "cyd"}

func play(w world, steps []step, seed uint64) error {
	s := &story{world: w, random: rand.New(rand.NewPCG(seed, 1))}
	w.log.setHint(s.hint)
	for _, step := range steps {
		s.take(step)
	}
	s.recover()
	for range 2 {
		s.heartbeat()
		w.settle()
		for i, l := range s.clients {
			if err := s.judge(l); err != nil {
				return fmt.Errorf("client %d (%s, start %d): %w\nsaw %v\nends %v", i, l.principal, l.startsAt.Offset, err, l.seen(), l.ends())
			}
		}
		s.append(kindNote)
		w.settle()
	}
	for _, l := range s.clients {
		l.sub.Close()
	}
	w.settle()
	if n := w.log.watches(room); n != 0 {
		return fmt.Errorf("%d watches are left", n)
	}
	return nil
}

// recover ends all disturbances and gives everything the time it needs.
func (s *story) recover() {
	s.take(step{what: "disturb", a: 1})
	s.failing.Store(false)
	s.take(step{what: "up"})
	s.take(step{what: "deliver"})
	s.log.look(room)
	for _, l := range s.clients {
		l.conn.resume()
	}
	time.Sleep(5 * time.Minute)
	s.settle()
}

func (s *story) chance(of, in int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(in) < of
}

// hint may lose, repeat or delay a hint.
func (s *story) hint(w eventlog.Watcher, p eventlog.Publication) {
	now := func() { w.Published([]eventlog.Publication{p}) }
	switch {
	case !s.disturbed || s.chance(1, 2):
		now()
	case s.chance(1, 3):
		now()
		s.late = append(s.late, now)
	case s.chance(1, 2):
		s.late = append(s.late, now)
	}
}

func (s *story) take(step step) {
	switch step.what {
	case "note":
		for range step.a + 1 {
			s.append(kindNote)
		}
	case "silent":
		s.append(kindSilent)
	case "end", "begin":
		s.changeAccess(principals[step.a%3], step)
	case "move":
		s.setting.Add(1)
	case "disturb":
		s.log.set(func(*fakeLog) { s.disturbed = step.a%2 == 0 })
	case "deliver":
		s.deliver()
	case "look":
		s.log.look(room)
	case "down", "up":
		s.outages++
		s.log.set(func(l *fakeLog) { l.down = step.what == "down" })
	case "fail renders":
		s.failing.Store(step.a%2 == 0)
	case "truncate", "trim", "fence":
		s.lose(step)
	case "subscribe", "resume", "close", "stop reading", "read on":
		s.turn(step)
	case "heartbeat":
		s.heartbeat()
	case "pass time":
		time.Sleep(time.Duration(1) << (3 * step.a) * time.Microsecond) // up to 2 s
	case "settle":
		s.settle()
	}
}

// deliver hands over the late hints, in any order.
func (s *story) deliver() {
	var late []func()
	s.log.set(func(*fakeLog) { late, s.late = s.late, nil })
	s.mu.Lock()
	s.random.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	s.mu.Unlock()
	for _, hint := range late {
		hint()
	}
}

func (s *story) append(kind eventlog.Kind, access ...eventlog.AccessChange) {
	s.all = append(s.all, s.log.append(room, kind, access...))
}

func (s *story) changeAccess(principal string, step step) {
	member := mayReadAfter(s.last(), principal)
	switch {
	case step.what == "begin" && !member:
		s.append(kindAccess, begins(principal))
	case step.what == "end" && member && step.b%2 == 0:
		s.append(kindAccess, revoked(principal))
	case step.what == "end" && member:
		s.append(kindAccess, left(principal))
	}
}

// last is the log's last entry, nil for none.
func (s *story) last() *entry {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.logs[room].last()
}

func (s *story) lose(step step) {
	last := s.last()
	if last == nil {
		return
	}
	s.losses++
	switch step.what {
	case "truncate":
		back := min(uint64(step.a), last.Offset)
		s.log.mu.Lock()
		kept := len(s.log.logs[room].entries)
		s.log.mu.Unlock()
		s.log.truncate(room, last.Offset-min(back, uint64(kept)))
		s.log.look(room) // as an engine's tail check does
	case "trim":
		to := last.Offset - min(uint64(step.a), last.Offset)
		s.log.trim(room, to)
		s.trimmed = max(s.trimmed, to)
	case "fence":
		if s.log.isDown() {
			return
		}
		fenceElsewhere(s.world)
	}
}

func (s *story) turn(step step) {
	if step.what == "subscribe" {
		s.subscribe(step)
		return
	}
	if len(s.clients) == 0 {
		return
	}
	l := s.clients[(step.a*8+step.b)%len(s.clients)]
	switch step.what {
	case "resume":
		at, atEntry := l.told()
		s.join(l.principal, l.resets, step.b, at, atEntry)
	case "close":
		l.sub.Close()
		l.closed = true
	case "stop reading":
		l.conn.stop()
	case "read on":
		l.conn.resume()
	}
}

// told is the last position that a listener's client knows.
func (l *listener) told() (eventlog.Position, *entry) {
	l.w.settle()
	if read := l.conn.read(l.name); len(read) > 0 {
		for _, line := range slices.Backward(read) {
			if line.cursor.Kind != 0 {
				at := line.cursor.Position
				return at, l.w.log.at(at)
			}
		}
	}
	return l.startsAt, l.start
}

// at is the entry at a position, nil for none.
func (l *fakeLog) at(p eventlog.Position) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[p]
}

func (s *story) subscribe(step step) {
	var at eventlog.Position
	var start *entry
	switch n := len(s.all); {
	case step.b == 0: // from the beginning
	case step.b < 4:
		at = s.log.tail(room).Position
		start = s.log.at(at)
	case n > 0:
		start = s.all[(step.b*17+step.a*5)%n] // of whatever history
		at = start.Position
	}
	s.join(principals[step.a%3], step.a%2 == 0, step.b, at, start)
}

func (s *story) join(principal string, resets bool, group int, at eventlog.Position, start *entry) {
	authorize := func(context.Context) (delivery.Access, error) {
		if s.log.isDown() {
			return delivery.Access{}, fmt.Errorf("wrapped: %w", eventlog.ErrUnavailable)
		}
		intervals := intervalsOf(s.last(), principal)
		if _, open := intervals.Open(); !open {
			return delivery.Access{}, errors.New("forbidden")
		}
		return s.access(intervals), nil
	}
	access, err := authorize(context.Background())
	if err != nil {
		return
	}
	sub := forOne(principal)
	if resets {
		sub = withResets(principal)
	}
	sub.Spec.Access, sub.Spec.Authorize = access, authorize
	sub.Spec.Start = eventlog.Cursor{Kind: eventlog.CursorLog, Log: room, Position: at}
	sub.Share = func(access delivery.Access) delivery.Sharing {
		return s.sharing(fmt.Sprint(resets, group%2), access)
	}
	sub.Sharing = sub.Share(access)
	s.clients = append(s.clients, &listener{
		client: s.subscribeOn(newConnection(outboxes[group%len(outboxes)]), sub), principal: principal, shows: sub.Spec.Filter, resets: resets,
		start: start, startsAt: at, losses: s.losses,
	})
}

// outboxes are how many bytes may wait for listeners: of an event or two, or of all that there are.
var outboxes = []int{60, 200, 10_000}

func (l *fakeLog) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

func (s *story) heartbeat() {
	for _, l := range s.clients {
		l.moved()
	}
}

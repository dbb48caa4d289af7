package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"parley/delivery"
	"parley/eventlog"
)

// room is the log of most tests.
const room = "r"

// world is an engine, a hub on it, and time that passes only when nothing else happens.
type world struct {
	*testing.T
	log *fakeLog
	hub *delivery.Hub
}

// inWorld runs a test in a world of its own, whose goroutines must all have ended by its end.
func inWorld(t *testing.T, options delivery.Options, test func(w world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		options.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
		w := world{T: t, log: newFakeLog()}
		w.log.create(room)
		w.hub = delivery.NewHub(w.log, options)
		defer w.hub.Close()
		test(w)
	})
}

// settle waits until nothing moves any more.
func (w world) settle() {
	w.Helper()
	synctest.Wait()
}

func (w world) same(what string, got, want any) {
	w.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// renderer renders an entry's name, or what it is told to.
type renderer struct {
	renders atomic.Int64
	// instead may answer, block or fail instead; (nil, nil) has it rendered as ever.
	instead func(ctx context.Context, source delivery.Source) ([]byte, error)
}

func (r *renderer) Render(ctx context.Context, source delivery.Source) ([]byte, error) {
	if r.instead != nil {
		if payload, err := r.instead(ctx, source); payload != nil || err != nil {
			return payload, err
		}
	}
	r.renders.Add(1)
	if reset, ok := source.Payload.(eventlog.Reset); ok {
		return []byte("reset:" + strings.ReplaceAll(reset.Reason.String(), " ", "_")), nil
	}
	return []byte(fmt.Sprint(source.Payload)), nil
}

func (r *renderer) RenderFailure(_ context.Context, _ delivery.Source, err error) []byte {
	return []byte("failure:" + strings.ReplaceAll(err.Error(), " ", "_"))
}

// lines frames events as lines of three words: what, cursor, lane.
type lines struct{}

func (lines) AppendEvent(dst []byte, e *delivery.Event) []byte {
	return append(append(append(dst, e.Payload...), ' '), e.Cursor...)
}

// newOutbox returns the outbox of a connection that is two functions.
func newOutbox(highWater int, flush, overflow func()) *delivery.Outbox {
	o := &delivery.Outbox{}
	o.Open(highWater, outlet{flush, overflow})
	return o
}

type outlet struct{ flush, overflow func() }

func (o outlet) Flush()    { o.flush() }
func (o outlet) Overflow() { o.overflow() }

// line is what a connection has read.
type line struct {
	// what is an event's payload, "@" for a position told, "!…" for another control item.
	what   string
	cursor eventlog.Cursor
	lane   string
}

// connection reads an outbox, unless it is stopped.
type connection struct {
	outbox    *delivery.Outbox
	overflows atomic.Int64

	mu      sync.Mutex
	lanes   int
	stopped bool
	kicked  bool // while stopped
	lines   []line
}

func newConnection(highWater int) *connection {
	c := &connection{}
	c.outbox = newOutbox(highWater, c.flush, func() { c.overflows.Add(1) })
	return c
}

// flush starts a goroutine that ends by itself.
func (c *connection) flush() { go c.drain() }

func (c *connection) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kicked = c.stopped; c.stopped {
		return
	}
	for {
		taken, more := c.outbox.Take(nil, 1<<10)
		if !more {
			return
		}
		c.parse(taken)
	}
}

func (c *connection) parse(frames []byte) {
	for text := range strings.Lines(string(frames)) {
		words := strings.Split(strings.TrimSuffix(text, "\n"), " ")
		l := line{what: words[0], lane: words[2]}
		if words[1] != "" {
			cursor, err := eventlog.ParseCursor(words[1])
			if err != nil {
				panic(err)
			}
			l.cursor = cursor
		}
		c.lines = append(c.lines, l)
	}
}

// stop makes the connection one whose peer doesn't read; resume ends that.
func (c *connection) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
}

func (c *connection) resume() {
	c.mu.Lock()
	c.stopped = false
	kicked := c.kicked
	c.mu.Unlock()
	if kicked {
		c.drain()
	}
}

// read returns what a lane has brought so far.
func (c *connection) read(lane string) (all []line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lines {
		if l.lane == lane {
			all = append(all, l)
		}
	}
	return all
}

// client is a subscription and what has come of it.
type client struct {
	w    world
	conn *connection
	lane *delivery.Lane
	name string
	sub  *delivery.Subscriber

	mu   sync.Mutex
	done []string
}

// forOne is a subscription to the room that shows notes, by the right to read everything.
func forOne(principal string) delivery.Subscription {
	return delivery.Subscription{
		Sharing: delivery.Sharing{Group: "g", Renderer: &renderer{}},
		Spec: delivery.Spec{
			Topic: room, Filter: eventlog.KindsOf(kindNote), Principal: principal,
			Access: delivery.Access{Readable: eventlog.Everything()}, Authorize: everything,
		},
	}
}

func everything(context.Context) (delivery.Access, error) {
	return delivery.Access{Readable: eventlog.Everything()}, nil
}

func forbidden(context.Context) (delivery.Access, error) {
	return delivery.Access{}, errors.New("forbidden")
}

// withResets is forOne for a subscription that shows resets.
func withResets(principal string) delivery.Subscription {
	sub := forOne(principal)
	sub.Spec.ShowReset = true
	sub.Spec.Filter |= eventlog.KindsOf(eventlog.KindReset)
	return sub
}

const roomy = 1 << 20

// subscribe subscribes on a connection of its own.
func (w world) subscribe(sub delivery.Subscription) *client {
	w.Helper()
	return w.subscribeOn(newConnection(roomy), sub)
}

func (w world) subscribeOn(conn *connection, sub delivery.Subscription) *client {
	w.Helper()
	conn.mu.Lock()
	conn.lanes++
	c := &client{w: w, conn: conn, name: fmt.Sprint("lane", conn.lanes)}
	conn.mu.Unlock()
	c.lane = conn.outbox.NewLane(lines{}, []byte(" "+c.name+"\n"))
	sub.Lane, sub.Done = c.lane, c.ended
	s, err := w.hub.Subscribe(sub)
	if err != nil {
		w.Fatalf("Subscribe: %v", err)
	}
	c.sub = s
	return c
}

func (c *client) ended(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = append(c.done, why(err))
	c.lane.Control([]byte("!done  " + c.name + "\n"))
}

// why names the end of a subscription.
func why(err error) string {
	reset, isReset := errors.AsType[*delivery.ResetError](err)
	switch {
	case err == nil:
		return "left"
	case isReset:
		return fmt.Sprintf("%s, on at %d", reset.Reason, reset.Tail.Position.Offset)
	case errors.Is(err, eventlog.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, delivery.ErrAccessRevoked):
		return "revoked"
	}
	return err.Error()
}

// ends is how the hub has ended the subscription: nothing, or one word.
func (c *client) ends() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.done...)
}

// seen is what the lane has brought, as words, but for word of the end at the end.
func (c *client) seen() []string {
	words := []string{}
	for _, l := range c.conn.read(c.name) {
		words = append(words, l.what)
	}
	if n := len(words); n > 0 && words[n-1] == "!done" {
		words = words[:n-1]
	}
	return words
}

// moved tells the position, if it has moved without an event, as a heartbeat does.
func (c *client) moved() (eventlog.Cursor, bool) {
	cursor, moved := c.sub.Moved()
	if moved {
		c.lane.Advance(cursor, []byte("@ "+cursor.String()+" "+c.name+"\n"))
	}
	return cursor, moved
}

// names are the payloads of entries.
func names(entries ...*entry) []string {
	words := []string{}
	for _, e := range entries {
		words = append(words, fmt.Sprint(e.Payload))
	}
	return words
}

// saw fails unless the client has seen exactly the words given, in order, once all is quiet.
func (c *client) saw(want ...string) {
	c.w.Helper()
	c.w.settle()
	c.w.same("seen by "+c.name, c.seen(), append([]string{}, want...))
}

// goesOn fails unless the client is live: it sees what is appended next.
func (c *client) goesOn() {
	c.w.Helper()
	c.w.settle()
	before := c.seen()
	c.saw(append(before, names(c.w.log.append(room, kindNote))...)...)
}

// endedBy fails unless the hub has ended the client, once, for that reason.
func (c *client) endedBy(reason string) {
	c.w.Helper()
	c.w.settle()
	c.w.same("end of "+c.name, c.ends(), []string{reason})
}

// onlyFirst is f for the first call; it holds no other call meanwhile.
func onlyFirst(f func()) func() {
	var called atomic.Bool
	return func() {
		if called.CompareAndSwap(false, true) {
			f()
		}
	}
}

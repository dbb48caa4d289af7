package redis

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
)

const (
	// silence is how long the connection may say nothing before it is pinged, and how long
	// the answer may take.
	silence = 2 * time.Second
	// A connection that failed is opened again after a pause that grows from the first to the last.
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
	// commandSize is how many channels one command names.
	commandSize = 500
)

// bus reads pub/sub over one connection. What is wished for (which channels, by how many) and what
// the server was told are kept apart: one goroutine turns the difference into commands, so that
// however subscribing and unsubscribing cross, the last wish wins. There is a connection only while
// there are wishes.
//
// Channels of a cluster are sharded: those of a bucket lie with its keys, and move with them. So there
// is one bus a bucket, whereas one server has one for all.
type bus struct {
	client     *servers
	bucket     *bucket // nil for all
	receive    func(payload string)
	again      func(*bucket)
	reconnects prometheus.Counter

	mu       sync.Mutex
	channels map[string]*busChannel
	changed  []*busChannel
	// lost counts the channels that were live on an earlier connection and aren't yet on this one.
	lost int

	wake chan struct{} // holds one: there is something in changed
	cut  chan struct{} // holds one: the connection is to be opened again
}

// busChannel is guarded by bus.mu.
type busChannel struct {
	name string
	// users is how many want the channel.
	users int
	// asked says that SUBSCRIBE was the last command sent for it on the present connection,
	// unanswered how many commands wait for their answer.
	asked      bool
	unanswered int
	// live is closed while the channel is subscribed, by the server's word.
	live chan struct{}
	// lost says that it was live on an earlier connection.
	lost bool
	// listed says that it is in bus.changed.
	listed bool
}

// newBuses returns the buses of some servers. They hand messages to receive, and tell again when all
// channels are subscribed again after messages may have been lost, with the bucket concerned, nil for
// all. Both are called by the goroutines of a bus.
func newBuses(v *servers, receive func(string), again func(*bucket), reconnects prometheus.Counter) []*bus {
	buses := make([]*bus, 1, bucketCount)
	if v.cluster != nil {
		buses = buses[:bucketCount]
	}
	for i := range buses {
		buses[i] = &bus{
			client: v, receive: receive, again: again, reconnects: reconnects, channels: map[string]*busChannel{},
			wake: make(chan struct{}, 1), cut: make(chan struct{}, 1),
		}
		if v.cluster != nil {
			buses[i].bucket = allBuckets()[i]
		}
	}
	return buses
}

// busOf returns the bus that reads a bucket's channels.
func (s *Store) busOf(b *bucket) *bus { return s.buses[b.index%len(s.buses)] }

// acquire subscribes to a channel, for one more user, and returns once the server has confirmed it.
// After an error there is nothing to release.
func (b *bus) acquire(ctx context.Context, name string) error {
	b.mu.Lock()
	c := b.channels[name]
	if c == nil {
		c = &busChannel{name: name, live: make(chan struct{})}
		b.channels[name] = c
	}
	c.users++
	b.change(c)
	live := c.live
	b.mu.Unlock()
	select {
	case <-live:
		return nil
	case <-ctx.Done():
		b.release(name)
		return fault(ctx, "subscribe", ctx.Err())
	}
}

// release takes one user from a channel.
func (b *bus) release(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.channels[name]
	c.users--
	b.change(c)
}

// reopen has the connection opened again: it seems to hear nothing.
func (b *bus) reopen() { poke(b.cut) }

// poke puts a token into a channel that holds one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// change lists a channel whose wish may differ from what the server was told.
func (b *bus) change(c *busChannel) {
	if !c.listed {
		c.listed = true
		b.changed = append(b.changed, c)
	}
	poke(b.wake)
}

// run keeps a connection, while there is something to hear, until ctx ends.
func (b *bus) run(ctx context.Context) {
	pause := firstPause
	for b.wanted(ctx) {
		// Why it ended shows in the store's calls; here it only matters that it did.
		if worked := b.session(ctx); worked {
			pause = firstPause
		}
		if ctx.Err() != nil {
			return
		}
		if b.idle() {
			continue
		}
		b.reconnects.Inc()
		b.client.reload(ctx)
		wait := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
		pause = min(2*pause, lastPause)
	}
}

// wanted waits until a channel is wished for; it returns false once ctx has ended.
func (b *bus) wanted(ctx context.Context) bool {
	for b.idle() {
		select {
		case <-ctx.Done():
			return false
		case <-b.wake:
		}
	}
	return ctx.Err() == nil
}

// idle reports whether nobody wants any channel.
func (b *bus) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.channels {
		if c.users > 0 {
			return false
		}
	}
	return true
}

// session opens a connection, subscribes to all that is wished for, and reads until it fails or there is
// nothing to hear any more. It reports whether anything was read.
func (b *bus) session(ctx context.Context) (worked bool) {
	pubsub, err := b.open(ctx)
	if err != nil {
		return false
	}
	closing := sync.OnceFunc(func() { _ = pubsub.Close() })
	defer closing()
	defer context.AfterFunc(ctx, closing)() // reading doesn't watch the context
	b.forget()

	done := make(chan struct{})
	var writer sync.WaitGroup
	defer writer.Wait()
	defer close(done)
	writer.Go(func() {
		if b.write(ctx, pubsub, done) != nil {
			closing() // which ends the reading
		}
	})
	return b.read(ctx, pubsub)
}

// open returns a connection to the server that publishes the bus's hints now.
func (b *bus) open(ctx context.Context) (*goredis.PubSub, error) {
	if b.bucket == nil {
		return b.client.Subscribe(ctx), nil
	}
	home, err := b.client.home(ctx, b.bucket.prefix)
	if err != nil {
		return nil, err
	}
	return home.SSubscribe(ctx), nil
}

// forget takes back what an earlier connection was told.
func (b *bus) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.channels {
		if c.isLive() {
			c.live = make(chan struct{})
			if !c.lost {
				c.lost = true
				b.lost++
			}
		}
		c.asked, c.unanswered = false, 0
		b.change(c)
	}
	select {
	case <-b.cut: // it was about the connection before
	default:
	}
}

func (c *busChannel) isLive() bool {
	select {
	case <-c.live:
		return true
	default:
		return false
	}
}

// errCut says that a connection was ended from this side.
var errCut = errors.New("redis: the pub/sub connection is to be opened again")

// write tells the server what has changed, until done.
func (b *bus) write(ctx context.Context, pubsub *goredis.PubSub, done <-chan struct{}) error {
	subscribing, unsubscribing := pubsub.Subscribe, pubsub.Unsubscribe
	if b.bucket != nil {
		subscribing, unsubscribing = pubsub.SSubscribe, pubsub.SUnsubscribe
	}
	for {
		select {
		case <-done:
			return nil
		case <-b.cut:
			return errCut
		case <-b.wake:
		}
		for more := true; more; {
			var subscribe, unsubscribe []string
			subscribe, unsubscribe, more = b.next()
			if err := tell(ctx, subscribing, subscribe); err != nil {
				return err
			}
			if err := tell(ctx, unsubscribing, unsubscribe); err != nil {
				return err
			}
		}
	}
}

// tell sends one command; none for no channels, which would mean all.
func tell(ctx context.Context, command func(context.Context, ...string) error, channels []string) error {
	if len(channels) == 0 {
		return nil
	}
	return command(ctx, channels...)
}

// next takes some changed channels, notes what they are about to be told, and says whether there are
// more.
func (b *bus) next() (subscribe, unsubscribe []string, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	part := b.changed[:min(len(b.changed), commandSize)]
	for _, c := range part {
		c.listed = false
		switch wanted := c.users > 0; {
		case wanted && !c.asked:
			subscribe = append(subscribe, c.name)
			c.asked = true
			c.unanswered++
		case !wanted && c.asked:
			unsubscribe = append(unsubscribe, c.name)
			c.asked = false
			c.unanswered++
			if c.isLive() {
				c.live = make(chan struct{})
			}
		}
		if !c.asked {
			b.found(c)
		}
		b.drop(c)
	}
	b.changed = append([]*busChannel(nil), b.changed[len(part):]...)
	return subscribe, unsubscribe, len(b.changed) > 0
}

// drop forgets a channel that nobody wants and of which the server has nothing more to say.
func (b *bus) drop(c *busChannel) {
	if c.users == 0 && !c.asked && c.unanswered == 0 && b.channels[c.name] == c {
		delete(b.channels, c.name)
	}
}

// read hands over what arrives until the connection fails, and reports whether anything has arrived. A
// connection that says nothing is pinged, once.
func (b *bus) read(ctx context.Context, pubsub *goredis.PubSub) (worked bool) {
	pinged := false
	for {
		message, err := pubsub.ReceiveTimeout(ctx, silence)
		if isTimeout(err) && b.idle() {
			return worked
		}
		if isTimeout(err) && !pinged && pubsub.Ping(ctx) == nil {
			pinged = true
			continue
		}
		if err != nil {
			return worked
		}
		pinged, worked = false, true
		switch m := message.(type) {
		case *goredis.Message:
			b.receive(m.Payload)
		case *goredis.Subscription:
			if !b.answered(m.Channel) {
				return worked
			}
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// answered takes note of the server's answer to a command. One that nobody waits for is how a cluster
// says that a channel has gone elsewhere: it returns false, and the connection is opened again.
func (b *bus) answered(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.channels[name]
	if c == nil || c.unanswered == 0 {
		return false
	}
	c.unanswered--
	if c.asked && c.unanswered == 0 {
		close(c.live)
		b.found(c)
	}
	b.drop(c)
	return true
}

// found takes a channel off the lost ones: it is live again, or nobody wants it any more.
func (b *bus) found(c *busChannel) {
	if !c.lost {
		return
	}
	c.lost = false
	if b.lost--; b.lost == 0 {
		b.again(b.bucket)
	}
}

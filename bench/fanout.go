package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// fanOut is one room with many followers. With a pace there is one publisher, which sends at that pace; else
// each of the publishers sends its next message when its last one has reached all (W1).
type fanOut struct {
	name       string
	followers  int
	publishers int
	pace       time.Duration
	warmUp     time.Duration
	during     time.Duration
}

// mark stands on both sides of a message's number in its content.
const mark = '~'

const contentSize = 100

// content is a message's: its number, and what makes it as long as messages are.
func content(n int64) string {
	text := fmt.Sprintf("%c%d%c ", mark, n, mark)
	return text + strings.Repeat("x", max(0, contentSize-len(text)))
}

// numberIn finds a message's number.
func numberIn(frame []byte) (int64, bool) {
	from := bytes.IndexByte(frame, mark)
	if from < 0 {
		return 0, false
	}
	to := bytes.IndexByte(frame[from+1:], mark)
	if to < 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(frame[from+1:from+1+to]), 10, 64)
	return n, err == nil
}

// message is one under way.
type message struct {
	sent    time.Time
	missing atomic.Int64
	done    chan struct{}
}

type crowd struct {
	mu       sync.Mutex
	messages map[int64]*message

	frameSize atomic.Int64
	delivered atomic.Int64
	strange   atomic.Int64 // events of messages that aren't under way any more: they came twice
	latency   []time.Duration
}

func (c *crowd) find(n int64) *message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.messages[n]
}

// read takes a follower's events until the connection ends.
func (c *crowd) read(s stream) {
	for {
		frame, err := s.next()
		if err != nil {
			return
		}
		n, ok := numberIn(frame)
		m := c.find(n)
		if !ok || m == nil {
			c.strange.Add(1)
			continue
		}
		c.frameSize.Store(int64(len(frame)))
		c.delivered.Add(1)
		if m.missing.Add(-1) == 0 {
			c.mu.Lock()
			c.latency = append(c.latency, time.Since(m.sent))
			c.mu.Unlock()
			close(m.done)
		}
	}
}

// send publishes a message, and returns it at once.
func (c *crowd) send(p publisher, n int64, followers int) (*message, error) {
	m := &message{sent: time.Now(), done: make(chan struct{})}
	m.missing.Store(int64(followers))
	c.mu.Lock()
	c.messages[n] = m
	c.mu.Unlock()
	return m, p.publish(0, content(n))
}

func (c *crowd) forget(n int64) {
	c.mu.Lock()
	delete(c.messages, n)
	c.mu.Unlock()
}

// run measures a peer.
func (w fanOut) run(ctx context.Context, p *process, client protocol) (row, error) {
	if err := client.prepare(ctx, 1); err != nil {
		return row{}, err
	}
	c := &crowd{messages: map[int64]*message{}}
	var streams []stream
	var readers sync.WaitGroup
	defer readers.Wait()
	defer func() {
		for _, s := range streams {
			s.close()
		}
	}()
	for range w.followers {
		s, err := client.subscribe(ctx, 0)
		if err != nil {
			return row{}, err
		}
		streams = append(streams, s)
	}
	for _, s := range streams {
		readers.Go(func() { c.read(s) })
	}
	time.Sleep(time.Second) // until all are live: their subscriptions aren't acknowledged

	ctx, stop := context.WithTimeout(ctx, w.warmUp+w.during)
	defer stop()
	var n atomic.Int64
	var publishing sync.WaitGroup
	failed := make(chan error, w.publishers)
	for range w.publishers {
		to, err := client.publisher(ctx)
		if err != nil {
			return row{}, err
		}
		defer to.close()
		publishing.Go(func() {
			if err := w.publish(ctx, c, to, &n); err != nil {
				failed <- err
			}
		})
	}
	time.Sleep(w.warmUp)
	before, err := p.cpu()
	if err != nil {
		return row{}, err
	}
	delivered, begun := c.delivered.Load(), time.Now()
	publishing.Wait()
	select {
	case err := <-failed:
		return row{}, err
	default:
	}
	took := time.Since(begun)
	after, err := p.cpu()
	if err != nil {
		return row{}, err
	}
	resident, err := p.resident()
	delivered = c.delivered.Load() - delivered
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.latency)
	return row{
		deliveries: delivered, cpu: (after - before) / time.Duration(max(1, delivered)), rate: float64(delivered) / took.Seconds(),
		p50: at(c.latency, 0.5), p99: at(c.latency, 0.99), strange: c.strange.Load(), frame: int(c.frameSize.Load()), resident: resident,
	}, err
}

func (w fanOut) publish(ctx context.Context, c *crowd, to publisher, n *atomic.Int64) error {
	for ctx.Err() == nil {
		number := n.Add(1)
		m, err := c.send(to, number, w.followers)
		if err != nil {
			return err
		}
		select {
		case <-m.done:
			c.forget(number)
		case <-time.After(10 * time.Second):
			return fmt.Errorf("message %d never reached %d followers", number, m.missing.Load())
		}
		if w.pace > 0 {
			time.Sleep(max(0, w.pace-time.Since(m.sent)))
		}
	}
	return nil
}

func at(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

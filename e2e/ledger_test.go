package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/e2e/parleytest"
)

// ledger is what senders know: which contents were acknowledged, and as which message.
type ledger struct {
	mu    sync.Mutex
	acked map[string]string // content → message id
	// refused counts the answers UNAVAILABLE that were then sent again.
	refused int
	// pause is the longest time between an acknowledgement and the next, of all senders together.
	pause time.Duration
	last  time.Time
}

// sendAll sends n messages from several senders, sending again, under the same key, whatever isn't
// acknowledged, and returns once all are.
func sendAll(t *testing.T, clients []*parleytest.Client, room string, n int) *ledger {
	t.Helper()
	l := &ledger{acked: map[string]string{}}
	var senders sync.WaitGroup
	for s, c := range clients {
		senders.Go(func() {
			for i := range n / len(clients) {
				if !l.send(t.Context(), c, room, fmt.Sprintf("%d/%d", s, i)) {
					t.Errorf("sender %d: message %d was never acknowledged", s, i)
					return
				}
			}
		})
	}
	senders.Wait()
	return l
}

// sending runs sendAll beside the test, which waits for it in any case.
func sending(t *testing.T, clients []*parleytest.Client, room string, n int) <-chan *ledger {
	sent := make(chan *ledger, 1)
	var running sync.WaitGroup
	running.Go(func() { sent <- sendAll(t, clients, room, n) })
	t.Cleanup(running.Wait)
	return sent
}

// send sends one message until it is acknowledged.
func (l *ledger) send(ctx context.Context, c *parleytest.Client, room, content string) bool {
	deadline := time.Now().Add(90 * time.Second)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		result, err := c.Send(attempt, room, content, content)
		cancel()
		if err == nil && len(result.Errors) == 0 {
			l.mu.Lock()
			if !l.last.IsZero() {
				l.pause = max(l.pause, time.Since(l.last))
			}
			l.last = time.Now()
			l.acked[content] = result.Text("sendMessage", "message", "id")
			l.mu.Unlock()
			return true
		}
		l.mu.Lock()
		l.refused++
		l.mu.Unlock()
		time.Sleep(20 * time.Millisecond) // a client's pause before it tries again
	}
	return false
}

// reader follows a room over a transport, coming back with its cursor whenever it is cut off, and
// keeps what it saw.
type reader struct {
	subscribe parleytest.Subscriber
	// client says as whom, and at which node, to connect next.
	client func() *parleytest.Client
	query  string
	field  string
	room   string

	mu      sync.Mutex
	cursor  string
	seen    []string // contents, in order
	seqs    []float64
	ids     []string
	resets  int
	ends    []string // codes of the errors that ended a stream
	returns int
	// pause is the longest time between a message and the next.
	pause time.Duration
	last  time.Time
}

// run follows until ctx is done.
func (r *reader) run(ctx context.Context) {
	for ctx.Err() == nil {
		r.mu.Lock()
		op := follow(r.query, r.room, r.cursor)
		r.mu.Unlock()
		stream, err := r.subscribe(ctx, r.client(), op)
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond): // a client's pause before it tries again
			}
			continue
		}
		for f := range stream.Frames {
			r.take(f)
			if f.End {
				break
			}
		}
		stream.Close()
		r.mu.Lock()
		r.returns++
		r.mu.Unlock()
	}
}

func (r *reader) take(f parleytest.Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if code := f.Result.Code(); code != "" {
		r.ends = append(r.ends, code)
		if code == "HISTORY_LOST" {
			r.resets++
			r.cursor = f.Result.Errors[0].Extensions.Cursor
		}
		return
	}
	if f.Cursor != "" {
		r.cursor = f.Cursor
	}
	if f.Result.Text(r.field, "__typename") == "RoomReset" {
		r.resets++
		return
	}
	path := []string{r.field}
	if r.field == "roomEvents" {
		path = append(path, "message")
	}
	if content := f.Result.Text(append(path, "content")...); content != "" {
		if !r.last.IsZero() {
			r.pause = max(r.pause, time.Since(r.last))
		}
		r.last = time.Now()
		r.seen = append(r.seen, content)
		r.ids = append(r.ids, f.Result.Text(append(path, "id")...))
		seq, _ := f.Result.At(append(path, "seq")...).(float64)
		r.seqs = append(r.seqs, seq)
	}
}

func (r *reader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

func (r *reader) saw(content string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.seen, content)
}

// start runs the reader until the test ends, and waits until it has its first position.
func (r *reader) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	parleytest.Eventually(t, "the reader has a position", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.cursor != ""
	})
}

// checkComplete checks that a reader saw every acknowledged message, once, in the order of seqs,
// none left out between the first and the last.
func (r *reader) checkComplete(t *testing.T, name string, l *ledger) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for r.count() < len(l.acked) && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond) // not Eventually, which would end the test before it says what is missing
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	times := map[string]int{}
	for _, id := range r.ids {
		times[id]++
	}
	lost, twice := 0, 0
	for _, id := range l.acked {
		switch n := times[id]; {
		case n == 0:
			lost++
		case n > 1:
			twice++
		}
	}
	if lost > 0 || twice > 0 || len(r.seen) != len(l.acked) {
		t.Errorf("%s: %d acknowledged, %d seen, %d lost, %d more than once, %d resets, ends %v",
			name, len(l.acked), len(r.seen), lost, twice, r.resets, r.ends)
	}
	for i := 1; i < len(r.seqs); i++ {
		if r.seqs[i] != r.seqs[i-1]+1 {
			t.Errorf("%s: seq %.0f came after %.0f", name, r.seqs[i], r.seqs[i-1])
			break
		}
	}
	if t.Failed() {
		return
	}
	t.Logf("%s: %d messages, each once, in order; came back %d times, %d resets", name, len(r.seen), r.returns, r.resets)
}

package parleytest

import (
	"context"
	"testing"
	"time"
)

// Frame is what a subscription's stream tells: a result, a position alone, or its end.
type Frame struct {
	Result Result
	// Cursor is the position told with or without a result, "" for none.
	Cursor string
	// End: nothing comes after this frame. Its result may tell why; Err is the transport's.
	End bool
	Err error
}

// Stream is one running subscription. Frames is closed after its end.
type Stream struct {
	Frames <-chan Frame
	Close  func()
}

// Next returns the next frame with a result, or the end.
func (s *Stream) Next(t testing.TB) Frame {
	t.Helper()
	timeout := time.After(Patience)
	for {
		select {
		case f, ok := <-s.Frames:
			if !ok {
				return Frame{End: true}
			}
			if f.End || f.Result.Data != nil || f.Result.Errors != nil {
				return f
			}
		case <-timeout:
			t.Fatal("in vain: waiting for a frame")
		}
	}
}

// Position waits for a position told without a result.
func (s *Stream) Position(t testing.TB) string {
	t.Helper()
	timeout := time.After(Patience)
	for {
		select {
		case f, ok := <-s.Frames:
			if !ok || f.End {
				t.Fatalf("the stream ended: %+v", f)
			}
			if f.Result.Data != nil || f.Result.Errors != nil {
				t.Fatalf("a result instead of a position: %s %+v", f.Result.Data, f.Result.Errors)
			}
			return f.Cursor
		case <-timeout:
			t.Fatal("in vain: waiting for a position")
		}
	}
}

// Subscriber opens a subscription over some transport.
type Subscriber func(ctx context.Context, c *Client, op Operation) (*Stream, error)

// MustSubscribe opens a subscription that is closed when the test ends.
func MustSubscribe(t testing.TB, subscribe Subscriber, c *Client, op Operation) *Stream {
	t.Helper()
	s, err := subscribe(context.Background(), c, op)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// frameBuffer is how many frames a stream holds for a test that looks elsewhere.
const frameBuffer = 16384

package redis

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestLimit: some calls at a time, some that wait, and no more.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newLimits(reserved+2, 3)
		l := all.newLimit()
		var ends []func()
		for range 2 {
			end, err := l.take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, end)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		answers := make(chan error, 3)
		for range 3 {
			go func() {
				end, err := l.take(ctx)
				if err == nil {
					defer end()
				}
				answers <- err
			}()
		}
		synctest.Wait()
		if _, err := l.take(t.Context()); !errors.Is(err, errBusy) {
			t.Errorf("one too many got %v", err)
		}
		end, err := l.take(vital(t.Context()))
		if err != nil {
			t.Errorf("a vital call got %v", err)
		}
		end()
		ends[0]() // for one of those who wait, and after it for the others
		for range 3 {
			if err := <-answers; err != nil {
				t.Errorf("one who waited got %v", err)
			}
		}
		if end, err = l.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		go func() { _, err := l.take(ctx); answers <- err }()
		if err := <-answers; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one who waited too long got %v", err)
		}
		end()
		ends[1]()
		if waiting, shed, taken := l.waiting.Load()+all.waiting.Load(), all.shed.Load(), len(l.turns); waiting != 0 || shed != 1 || taken != 0 {
			t.Errorf("%d wait, %d were refused, %d are under way", waiting, shed, taken)
		}
	})
}

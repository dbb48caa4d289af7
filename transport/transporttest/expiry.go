package transporttest

import (
	"context"
	"testing"
	"time"

	"parley/transport"
)

func (s suite) expiry(t *testing.T) {
	rig := s.rig(t, transport.Options{Expires: func(ctx context.Context) (time.Time, bool) {
		return time.Now().Add(50 * time.Millisecond), ViewerFrom(ctx) == "ada"
	}})
	stream := s.client.Subscribe(t, rig, "ada", ticks("a"), "")
	if got := end(t, stream); got.Code != "UNAUTHENTICATED" {
		t.Fatalf("got %+v", got)
	}
	stream.Close()
	rig.WaitUntilIdle(t)
}

package redis_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"parley/eventlog"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// TestFewTurns: new connections need no turns of their own.
func TestFewTurns(t *testing.T) {
	server := redistest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	few, err := redis.Open(ctx, redis.Options{URL: server.URL + "?pool_size=4"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, few.Close()) })

	t.Run("one is enough", func(t *testing.T) {
		room := newRoom(t, few, ada)
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if _, err := few.Append(ctx, sending(room, ada, fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	t.Run("hints come without one", func(t *testing.T) {
		many := open(t, server, redis.Options{})
		f := follow(t, few, newRoom(t, many, ada))
		giveBack, err := few.TakeTurns(ctx)
		must(t, err)
		defer giveBack()
		server.KillPubSub()
		eventually(t, "a hint is heard over the new connection", func() bool {
			_, err := many.Append(ctx, sending(f.log, ada, "can you hear me?"))
			must(t, err)
			told, _ := f.heard()
			return len(told) > 0
		})
	})
}

// TestTailsAreCheckedWithoutTurns: states that can't be read again don't hold up the tail check.
func TestTailsAreCheckedWithoutTurns(t *testing.T) {
	server := redistest.Start(t)
	mute, busy := open(t, server, redis.Options{}), open(t, server, redis.Options{TailCheck: 50 * time.Millisecond})
	mute.LoseHints()
	rec := record(t, busy, eventlog.PresenceTopic(ada.ID))
	giveBack, err := busy.TakeTurns(t.Context())
	must(t, err)
	must(t, mute.Connect(t.Context(), "node", "device", visitor(ada)))
	eventually(t, "the state waits to be read again", func() bool { return busy.Waiting() > 0 })
	start := time.Now()
	for range 3 {
		began := time.Now()
		eventually(t, "all is confirmed", func() bool { return busy.Confirmed("").After(began) })
	}
	if took := time.Since(start); took > 5*time.Second { // which is what one of them took
		t.Errorf("three tail checks took %v", took)
	}
	giveBack()
	rec.until("ONLINE")
}

package redis_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

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

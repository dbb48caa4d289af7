package redis_test

import (
	"errors"
	"testing"
	"time"

	"parley/chat"
	"parley/eventlog"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// TestWait freezes the only replica: what isn't replicated isn't acknowledged, asked once or again, and
// is there once, when the replica is back.
func TestWait(t *testing.T) {
	for name, start := range map[string]func() (on servers, replica *redistest.Server){
		"with Sentinels": func() (servers, *redistest.Server) {
			s := redistest.StartSentinels(t, 1)
			return s, s.Servers[1]
		},
		"in a cluster": func() (servers, *redistest.Server) {
			c := redistest.StartCluster(t, 1, 1)
			return c, c.Servers[1]
		},
	} {
		t.Run(name, func(t *testing.T) {
			on, replica := start()
			store := open(t, on, redis.Options{Wait: redis.Wait{Replicas: 1, Timeout: 200 * time.Millisecond}})
			room := newRoom(t, store, ada)
			a := sending(room, ada, "hello")
			a.Message.ClientID, a.Message.Fingerprint = "key", "hello"
			seen := chat.ViewQuery{RoomID: room, Sender: ada.ID, ClientID: "key"}

			replica.Freeze()
			for range 2 {
				if _, err := store.Append(t.Context(), a); !errors.Is(err, eventlog.ErrUnavailable) || chat.CodeOf(err) != chat.Unavailable {
					t.Errorf("without the replica: %v", err)
				}
			}
			if _, err := store.View(t.Context(), seen); chat.CodeOf(err) != chat.Unavailable {
				t.Errorf("a repeat without the replica: %v", err)
			}
			replica.Thaw()
			eventually(t, "it is acknowledged", func() bool {
				done, err := store.Append(t.Context(), a)
				return err == nil && done.Repeat && done.Message.Seq == 1
			})
			view, err := store.View(t.Context(), seen)
			must(t, err)
			if view.Room.LastSeq != 1 || view.Repeat == nil {
				t.Errorf("the room has %d messages", view.Room.LastSeq)
			}
		})
	}
}

package redis_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"parley/chat"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// BenchmarkAppend sends messages from many senders at once, into one room and into many.
func BenchmarkAppend(b *testing.B) {
	for _, rooms := range []int{1, 100} {
		b.Run(fmt.Sprintf("rooms=%d", rooms), func(b *testing.B) {
			store := open(b, redistest.Start(b), redis.Options{})
			ids := make([]string, rooms)
			for i := range ids {
				ids[i] = newRoom(b, store, ada)
			}
			var n atomic.Int64
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					if _, err := store.Append(b.Context(), sending(ids[int(i)%rooms], ada, fmt.Sprint("message ", i))); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
		})
	}
}

// BenchmarkAppendAlone sends messages one after the other.
func BenchmarkAppendAlone(b *testing.B) {
	store := open(b, redistest.Start(b), redis.Options{})
	room := newRoom(b, store, ada)
	b.ResetTimer()
	for range b.N {
		if _, err := store.Append(b.Context(), sending(room, ada, "a message")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

var (
	ada = chat.User{ID: "ada", Name: "Ada"}
	bob = chat.User{ID: "bob", Name: "Bob"}
)

// newRoom creates a room and returns its id.
func newRoom(t testing.TB, store *redis.Store, owner chat.User, members ...chat.User) string {
	t.Helper()
	room, err := store.CreateRoom(t.Context(), chat.NewRoom{
		ID: chat.NewRoomID(), Type: chat.Group, Owner: &owner, Members: members,
		Settings: chat.RoomSettings{Name: "A room", Visibility: chat.Private, History: chat.HistoryAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	return room.ID
}

func sending(room string, by chat.User, content string) chat.Append {
	return chat.Append{
		RoomID: room, Kind: chat.KindMessageSent, Actor: by,
		Expect:  chat.Expect{Members: map[string]uint64{by.ID: 1}},
		Message: &chat.NewMessage{Salt: chat.NewSalt(), Type: chat.Text, Content: content},
	}
}

// BenchmarkSweep sweeps a store in which nothing is due.
func BenchmarkSweep(b *testing.B) {
	store := open(b, redistest.Start(b), redis.Options{})
	for range b.N {
		if _, err := store.Sweep(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory measures what Redis needs: for a message of 100 bytes, an empty room of two members, and
// a member more of a room.
func BenchmarkMemory(b *testing.B) {
	server := redistest.Start(b)
	store := open(b, server, redis.Options{})
	used := func() float64 {
		for line := range strings.Lines(server.Do("INFO", "memory").(string)) {
			if text, found := strings.CutPrefix(strings.TrimSpace(line), "used_memory_dataset:"); found {
				n, err := strconv.ParseFloat(text, 64)
				must(b, err)
				return n
			}
		}
		b.Fatal("the server doesn't say what it needs")
		return 0
	}
	const n = 2000
	measure := func(what string, do func(i int)) {
		do(0) // what there is only one of
		before := used()
		for i := range n {
			do(1 + i)
		}
		b.ReportMetric((used()-before)/n, "B/"+what)
	}
	for range b.N {
		measure("room", func(int) { newRoom(b, store, ada, bob) })
		room := newRoom(b, store, ada, bob)
		measure("message", func(i int) {
			a := sending(room, ada, fmt.Sprintf("%0100d", i))
			a.Message.ClientID, a.Message.Fingerprint = fmt.Sprintf("%036d", i), fmt.Sprintf("%032d", i)
			_, err := store.Append(b.Context(), a)
			must(b, err)
		})
		measure("member", func(i int) {
			who := chat.User{ID: fmt.Sprint("user-", i), Name: fmt.Sprint("User ", i)}
			_, err := store.Append(b.Context(), chat.Append{
				RoomID: room, Kind: chat.KindMemberJoined, Actor: who, Target: who, Role: chat.Ordinary,
			})
			must(b, err)
		})
	}
}

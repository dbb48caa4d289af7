package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"parley/chat"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// TestUserIndexIsASuperset lets a user come and go on two nodes at once. Whoever is a member at the end
// is found, and whoever has left leaves nothing behind.
func TestUserIndexIsASuperset(t *testing.T) {
	server := redistest.Start(t)
	stores := []*redis.Store{open(t, server, redis.Options{}), open(t, server, redis.Options{})}
	room := newRoom(t, stores[0], ada)
	change := func(store *redis.Store, kind int) error {
		a := chat.Append{RoomID: room, Kind: chat.KindMemberJoined, Actor: bob, Target: bob, Role: chat.Ordinary}
		if kind%2 == 1 {
			a.Kind = chat.KindMemberLeft
		}
		_, err := store.Append(t.Context(), a)
		return err
	}
	found := func() bool {
		memberships, err := stores[0].RoomsOf(t.Context(), bob.ID)
		must(t, err)
		return slices.ContainsFunc(memberships, func(m chat.Membership) bool { return m.Room.ID == room })
	}
	for range 20 {
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				for j := range 10 {
					if err := change(stores[i%2], i+j); err != nil && !errors.Is(err, chat.ErrMoved) {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		view, err := stores[0].View(t.Context(), chat.ViewQuery{RoomID: room, Users: []string{bob.ID}})
		must(t, err)
		active := view.Members[bob.ID] != nil && view.Members[bob.ID].Active
		if found() != active {
			t.Fatalf("found: %v, a member: %v", found(), active)
		}
		if active {
			must(t, change(stores[0], 1))
		}
		if left := indexed(server, bob.ID); left != 0 {
			t.Fatalf("the index of one who left has %d rooms", left)
		}
		must(t, change(stores[1], 0))
		if !found() {
			t.Fatal("one who has come back isn't found")
		}
	}
}

// indexed returns how many rooms a user's index names.
func indexed(server *redistest.Server, user string) (n int64) {
	for _, prefix := range redis.Prefixes() {
		count, _ := server.Do("ZCARD", prefix+"rooms:"+user).(int64)
		n += count
	}
	return n
}

// TestManyRooms reads lists that take several scripts a bucket, or several keys a script.
func TestManyRooms(t *testing.T) {
	const n = 400
	store := open(t, redistest.Start(t), redis.Options{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := i; j < n; j += 8 {
				_, err := store.CreateRoom(t.Context(), chat.NewRoom{
					ID: chat.NewRoomID(), Type: chat.Group, Owner: &ada,
					Settings: chat.RoomSettings{
						Name: fmt.Sprintf("Room %03d", j), Visibility: chat.Public, History: chat.HistoryAll,
					},
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	t.Run("of a user", func(t *testing.T) {
		memberships, err := store.RoomsOf(t.Context(), ada.ID)
		must(t, err)
		if len(memberships) != n {
			t.Errorf("%d rooms, want %d", len(memberships), n)
		}
	})
	t.Run("public ones, page by page", func(t *testing.T) {
		after, seen := "", 0
		for {
			rooms, err := store.PublicRooms(t.Context(), "room ", after, 30)
			must(t, err)
			if len(rooms) == 0 {
				break
			}
			for _, room := range rooms {
				if want := fmt.Sprintf("Room %03d", seen); room.Name != want {
					t.Fatalf("got %s, want %s", room.Name, want)
				}
				seen, after = seen+1, room.PublicKey()
			}
		}
		if seen != n {
			t.Errorf("%d rooms, want %d", seen, n)
		}
	})
	t.Run("public ones, few of many", func(t *testing.T) {
		rooms, err := store.PublicRooms(t.Context(), "M 39", "", 100)
		must(t, err)
		if len(rooms) != 10 || rooms[0].Name != "Room 390" {
			t.Errorf("%d rooms, the first %+v", len(rooms), rooms)
		}
	})
}

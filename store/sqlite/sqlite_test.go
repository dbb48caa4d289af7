package sqlite_test

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/chat"
	"parley/store/sqlite"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		os.Exit(childMain(dir))
	}
	goleak.VerifyTestMain(m)
}

// open opens a store that is closed with the test.
func open(t testing.TB, o sqlite.Options) *sqlite.Store {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var ada = chat.User{ID: "ada", Name: "Ada"}

// group creates a room owned by Ada and returns its id.
func group(t testing.TB, s *sqlite.Store) string {
	t.Helper()
	r, err := s.CreateRoom(t.Context(), newGroup(chat.NewRoomID()))
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func newGroup(id string) chat.NewRoom {
	return chat.NewRoom{
		ID: id, Type: chat.Group, Owner: &ada,
		Settings: chat.RoomSettings{Name: "Room", Visibility: chat.Public, History: chat.HistoryAll},
	}
}

// sending is an append of a message of Ada's, as the service makes it.
func sending(room, content, clientID string) chat.Append {
	return chat.Append{
		RoomID: room, Kind: chat.KindMessageSent, Actor: ada,
		Expect: chat.Expect{Room: 1, Members: map[string]uint64{ada.ID: 1}},
		Message: &chat.NewMessage{
			Salt: chat.NewSalt(), Type: chat.Text, Content: content, ClientID: clientID, Fingerprint: content,
		},
	}
}

// send sends a message of Ada's.
func send(t testing.TB, s *sqlite.Store, a chat.Append) chat.Appended {
	t.Helper()
	done, err := s.Append(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// eventually waits until fact holds.
func eventually(t testing.TB, what string, fact func() bool) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(20 * time.Second); !fact(); <-poll.C {
		if time.Now().After(deadline) {
			t.Fatal("not in time: " + what)
		}
	}
}

package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"parley/chat"
	"parley/eventlog"
	"parley/presence"
	"parley/store/sqlite"
)

// hands is a clock that the test moves.
type hands struct{ now atomic.Int64 }

func newHands() *hands {
	h := &hands{}
	h.now.Store(fixtureTime.UnixNano())
	return h
}

func (h *hands) Now() time.Time          { return time.Unix(0, h.now.Load()) }
func (h *hands) forward(d time.Duration) { h.now.Add(int64(d)) }

// reopen closes a store and opens its folder again.
func reopen(t *testing.T, s *sqlite.Store, o sqlite.Options) *sqlite.Store {
	t.Helper()
	must(t, s.Close())
	return open(t, o)
}

func TestEarlierInstancesHaveLapsed(t *testing.T) {
	clock := newHands()
	o := sqlite.Options{Dir: t.TempDir(), Now: clock.Now}
	s := open(t, o)
	held(t, s, "earlier", true)
	must(t, s.Connect(t.Context(), "earlier", "device", presence.User{ID: "ada"}))
	held(t, s, "earlier", true)

	s = reopen(t, s, o)
	held(t, s, "earlier", false)
	status(t, s, presence.Online)
	more, err := s.Sweep(t.Context(), time.Minute)
	if more || err != nil {
		t.Fatal(more, err)
	}
	status(t, s, presence.Online)
	clock.forward(time.Minute)
	_, err = s.Sweep(t.Context(), time.Minute)
	must(t, err)
	p := status(t, s, presence.Offline)
	if p.Version != 2 || p.LastSeenAt == nil || !p.LastSeenAt.Equal(fixtureTime) {
		t.Errorf("got %+v, want version 2, last seen %v", p, fixtureTime)
	}
	held(t, s, "later", true)
}

func held(t *testing.T, s *sqlite.Store, instance string, want bool) {
	t.Helper()
	got, err := s.Renew(t.Context(), instance, time.Hour)
	must(t, err)
	if got != want {
		t.Fatalf("lease of %s: held %v, want %v", instance, got, want)
	}
}

func status(t *testing.T, s *sqlite.Store, want presence.Status) presence.Presence {
	t.Helper()
	list, err := s.Presences(t.Context(), []string{"ada"})
	must(t, err)
	if list[0].Status != want {
		t.Fatalf("got %+v, want %s", list[0], want)
	}
	return list[0]
}

func TestOldEntriesGoWhenTheStoreIsOpened(t *testing.T) {
	clock := newHands()
	o := sqlite.Options{Dir: t.TempDir(), Now: clock.Now, Retention: eventlog.Retention{MaxAge: time.Hour}}
	s := open(t, o)
	var rooms []string
	for range 3 {
		room := group(t, s)
		for range 700 {
			send(t, s, sending(room, "text", ""))
		}
		rooms = append(rooms, room)
	}
	clock.forward(2 * time.Hour)
	s = reopen(t, s, o)
	for _, room := range rooms {
		eventually(t, "all entries are trimmed", func() bool {
			_, err := s.Read(t.Context(), room, eventlog.Position{}, 1)
			gap, ok := errors.AsType[*eventlog.GapError](err)
			return ok && gap.Reason == eventlog.Trimmed && gap.Tail.Offset == 701
		})
		tail := send(t, s, sending(room, "text", "")).Event.Position
		page, err := s.Read(t.Context(), room, tail, 1)
		must(t, err)
		if page.Tail != tail || tail.Offset != 702 {
			t.Errorf("the log goes on at %+v", tail)
		}
		messages, err := s.Messages(t.Context(), chat.MessageQuery{
			RoomID: room, Limit: 1000, Readable: eventlog.Everything(),
		})
		must(t, err)
		if len(messages.Messages) != 701 {
			t.Errorf("%d messages are left of 701", len(messages.Messages))
		}
	}
}

func TestRequestKeysLiveADay(t *testing.T) {
	clock := newHands()
	s := open(t, sqlite.Options{Dir: t.TempDir(), Now: clock.Now})
	room := group(t, s)
	first := send(t, s, sending(room, "text", "key"))
	clock.forward(24*time.Hour - time.Millisecond)
	if again := send(t, s, sending(room, "text", "key")); !again.Repeat || again.Message.Seq != first.Message.Seq {
		t.Errorf("within the day: %+v", again)
	}
	clock.forward(2 * time.Millisecond)
	v, err := s.View(t.Context(), chat.ViewQuery{RoomID: room, Sender: ada.ID, ClientID: "key"})
	must(t, err)
	if v.Repeat != nil {
		t.Errorf("after the day the view tells of %+v", v.Repeat)
	}
	if later := send(t, s, sending(room, "another text", "key")); later.Repeat || later.Message.Seq != 2 {
		t.Errorf("after the day: %+v", later)
	}
	if again := send(t, s, sending(room, "another text", "key")); !again.Repeat || again.Message.Seq != 2 {
		t.Errorf("within the next day: %+v", again)
	}
}

func TestIdleStoreEmptiesItsWriteAheadLog(t *testing.T) {
	dir := t.TempDir()
	s := open(t, sqlite.Options{Dir: dir})
	room := group(t, s)
	send(t, s, sending(room, "text", ""))
	wal := filepath.Join(dir, "parley.db-wal")
	if info, err := os.Stat(wal); err != nil || info.Size() == 0 {
		t.Fatalf("before: %v, %v", info, err)
	}
	eventually(t, "the log is empty", func() bool {
		info, err := os.Stat(wal)
		return err == nil && info.Size() == 0
	})
	must(t, s.Close())
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) != 2 {
		t.Errorf("after Close: %v, want the database and the lock", files)
	}
}

func TestFolderOfAnyName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "50% of #1? ä & 'b' \"c\"", "new")
	s := open(t, sqlite.Options{Dir: dir, Synchronous: "FULL"})
	room := group(t, s)
	s = reopen(t, s, sqlite.Options{Dir: dir})
	if _, err := s.View(t.Context(), chat.ViewQuery{RoomID: room}); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(dir, "parley.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// A watcher may use the store while it is called: nothing is held that it could wait for.
func TestWatcherMayRead(t *testing.T) {
	s := open(t, sqlite.Options{Dir: t.TempDir()})
	room := group(t, s)
	read := make(chan error, 1000)
	stop, err := s.Watch(t.Context(), room, published(func(pubs []eventlog.Publication) {
		page, err := s.Read(t.Context(), room, eventlog.Position{}, 1000)
		if last := pubs[len(pubs)-1].Offset; err == nil && page.Tail.Offset < last {
			err = fmt.Errorf("told of %d before it could be read", last)
		}
		read <- err
	}))
	must(t, err)
	for range 200 {
		send(t, s, sending(room, "text", ""))
	}
	must(t, <-read)
	stop()
	close(read)
	for err := range read {
		must(t, err)
	}
}

// published is a watcher of publications.
type published func([]eventlog.Publication)

func (p published) Published(pubs []eventlog.Publication) { p(pubs) }
func (p published) Look()                                 {}

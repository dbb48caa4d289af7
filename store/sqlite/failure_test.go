package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"parley/chat"
	"parley/eventlog"
)

func openForTest(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
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

func newRoom(t *testing.T, s *Store) string {
	t.Helper()
	r, err := s.CreateRoom(t.Context(), chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Group, Owner: &ada})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func sending(room string) chat.Append {
	return chat.Append{
		RoomID: room, Kind: chat.KindMessageSent, Actor: ada,
		Expect:  chat.Expect{Room: 1, Members: map[string]uint64{ada.ID: 1}},
		Message: &chat.NewMessage{Salt: chat.NewSalt(), Type: chat.Text, Content: fmt.Sprintf("%01000d", 0)},
	}
}

// whole fails unless the room has so many messages, and a log without a gap that tells of each.
func whole(t *testing.T, s *Store, room string, messages int) {
	t.Helper()
	page, err := s.Read(t.Context(), room, eventlog.Position{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var at eventlog.Position
	for i, p := range page.Publications {
		if i > 0 && !p.Follows(at) {
			t.Fatalf("%+v doesn't follow %+v", p.Position, at)
		}
		at = p.Position
	}
	if at != page.Tail || page.TailSeq != uint64(messages) || len(page.Publications) != messages+1 {
		t.Fatalf("%d entries up to %+v, tail %+v with %d messages, want %d",
			len(page.Publications), at, page.Tail, page.TailSeq, messages)
	}
}

// As long as the disk is full, requests are answered UNAVAILABLE and leave nothing behind.
func TestFullDisk(t *testing.T) {
	s := openForTest(t)
	room := newRoom(t, s)
	limitPages(t, s, "page_count + 20")
	var acknowledged, refused atomic.Int64
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for refused.Load() < 40 {
				_, err := s.Append(t.Context(), sending(room))
				switch {
				case err == nil:
					acknowledged.Add(1)
				case errors.Is(err, &chat.Error{Code: chat.Unavailable}) && errors.Is(err, eventlog.ErrUnavailable):
					refused.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	senders.Wait()
	whole(t, s, room, int(acknowledged.Load()))

	limitPages(t, s, "1000000")
	if _, err := s.Append(t.Context(), sending(room)); err != nil {
		t.Fatal(err)
	}
	whole(t, s, room, int(acknowledged.Load())+1)
}

// limitPages has the database refuse to grow beyond so many pages.
func limitPages(t *testing.T, s *Store, pages string) {
	t.Helper()
	err := s.writer.do(t.Context(), func(t *tx) error {
		var n int
		if _, err := t.get(context.Background(), into(&n), `SELECT `+pages+` FROM pragma_page_count`); err != nil {
			return err
		}
		_, err := t.exec(context.Background(), fmt.Sprint(`PRAGMA max_page_count = `, n))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A database that can't write may give up the whole transaction in the middle of a step. Then none
// of the group happened, and what the writer remembers is what the file holds.
func TestGroupFailsAsOne(t *testing.T) {
	s := openForTest(t)
	room := newRoom(t, s)
	told := make(chan eventlog.Publication, 100)
	stop, err := s.Watch(t.Context(), room, tell(told))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()

	answers := inOneGroup(t, s,
		func(t *tx) error { _, err := t.append(context.Background(), sending(room)); return err },
		func(t *tx) error { _, err := t.conn.exec(context.Background(), `ROLLBACK`); return err },
		func(t *tx) error { _, err := t.append(context.Background(), sending(room)); return err },
	)
	for i, err := range answers {
		if !errors.Is(err, eventlog.ErrUnavailable) {
			t.Errorf("step %d is answered %v, want unavailable", i, err)
		}
	}
	done, err := s.Append(t.Context(), sending(room))
	if err != nil {
		t.Fatal(err)
	}
	first := <-told
	if first.Offset == 1 { // the room's own beginning may come late
		first = <-told
	}
	if first.Position != done.Event.Position {
		t.Errorf("the watcher was told of %+v first, want %+v", first.Position, done.Event.Position)
	}
	whole(t, s, room, 1)
}

// A step that fails takes nothing of the others of its group with it.
func TestStepFailsAlone(t *testing.T) {
	s := openForTest(t)
	room := newRoom(t, s)
	failed := errors.New("thought better of it")
	answers := inOneGroup(t, s,
		func(t *tx) error { _, err := t.append(context.Background(), sending(room)); return err },
		func(t *tx) error {
			if _, err := t.append(context.Background(), sending(room)); err != nil {
				return err
			}
			return failed
		},
		func(t *tx) error { _, err := t.append(context.Background(), sending(room)); return err },
	)
	if answers[0] != nil || answers[1] != failed || answers[2] != nil {
		t.Fatal(answers)
	}
	whole(t, s, room, 2)
}

// inOneGroup has the writer run steps in one transaction, and returns their answers.
func inOneGroup(t *testing.T, s *Store, runs ...func(*tx) error) []error {
	t.Helper()
	started, goOn := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.writer.do(t.Context(), func(*tx) error { close(started); <-goOn; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-started
	steps := make([]*step, len(runs))
	for i, run := range runs {
		steps[i] = &step{run: run, answer: make(chan error, 1)}
		s.writer.queue <- steps[i]
	}
	close(goOn)
	all.Wait()
	answers := make([]error, len(steps))
	for i, step := range steps {
		answers[i] = <-step.answer
	}
	return answers
}

// tell is a watcher that passes publications on.
type tell chan eventlog.Publication

func (c tell) Published(pubs []eventlog.Publication) {
	for _, p := range pubs {
		c <- p
	}
}
func (c tell) Look() {}

// A migration that fails leaves the file as it was.
func TestMigrationIsAllOrNothing(t *testing.T) {
	s := openForTest(t)
	err := migrateTo(t.Context(), s.db, len(migrations)+1, "CREATE TABLE extra (x INTEGER);\nINSERT INTO nowhere VALUES (1);")
	if err == nil {
		t.Fatal("it succeeded")
	}
	version, err := userVersion(t.Context(), s.db)
	if err != nil || version != len(migrations) {
		t.Errorf("format %d, %v", version, err)
	}
	var extra bool
	_, err = s.db.get(t.Context(), into(&extra), `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'extra')`)
	if err != nil || extra {
		t.Errorf("extra table: %v, %v", extra, err)
	}
}

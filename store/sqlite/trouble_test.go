package sqlite

import (
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"parley/eventlog"
)

// TestQueueIsBounded: those who find it full are answered at once.
func TestQueueIsBounded(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Queue: 3, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	started, goOn := make(chan struct{}), make(chan struct{})
	answers := make(chan error, 4)
	go func() {
		answers <- s.writer.do(t.Context(), func(*tx) error { close(started); <-goOn; return nil })
	}()
	<-started
	for range 3 {
		s.writer.queue <- &step{run: func(*tx) error { return nil }, answer: answers}
	}
	if err := s.writer.do(t.Context(), func(*tx) error { return nil }); !errors.Is(err, errBusy) || !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("one too many got %v", err)
	}
	close(goOn)
	for range 4 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	taken := make([]*conn, maxReaders)
	for i := range taken {
		taken[i] = <-s.readers.free
	}
	s.readers.waiting.Add(3)
	if _, err := s.readers.take(t.Context()); !errors.Is(err, errBusy) {
		t.Errorf("one reader too many got %v", err)
	}
	s.readers.waiting.Add(-3)
	for _, c := range taken {
		s.readers.free <- c
	}
	if shed := s.writer.shed.Load() + s.readers.shed.Load(); shed != 2 {
		t.Errorf("%d were refused, want 2", shed)
	}
}

// TestFilesTaken: nothing is written into a database, or under a lock, that isn't there any more.
func TestFilesTaken(t *testing.T) {
	for name, path := range map[string]func(*Store) string{
		"database": func(s *Store) string { return s.writer.files.database },
		"lock":     func(s *Store) string { return s.writer.files.lock },
	} {
		t.Run(name, func(t *testing.T) {
			s := openForTest(t)
			room := newRoom(t, s)
			taken := path(s)
			if err := os.Rename(taken, taken+".away"); err != nil {
				t.Fatal(err)
			}
			if err := s.Ready(t.Context()); !errors.Is(err, eventlog.ErrUnavailable) {
				t.Errorf("ready: %v", err)
			}
			if err := s.writer.do(t.Context(), func(*tx) error { s.writer.ownedAt = time.Time{}; return nil }); err != nil {
				t.Fatal(err) // it was looked at a moment ago
			}
			if _, err := s.Append(t.Context(), sending(room)); !errors.Is(err, eventlog.ErrUnavailable) {
				t.Errorf("append: %v", err)
			}
			if err := os.Rename(taken+".away", taken); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Append(t.Context(), sending(room)); err != nil {
				t.Errorf("append: %v", err)
			}
			whole(t, s, room, 1)
		})
	}
}

// TestReadyWithFullDisk: only for reading, until something could be written.
func TestReadyWithFullDisk(t *testing.T) {
	s := openForTest(t)
	room := newRoom(t, s)
	limitPages(t, s, "page_count")
	for s.Ready(t.Context()) == nil {
		_, _ = s.Append(t.Context(), sending(room))
	}
	if err := s.Ready(t.Context()); !errors.Is(err, eventlog.ErrReadOnly) {
		t.Errorf("ready: %v", err)
	}
	if err := s.writer.do(t.Context(), func(*tx) error { return nil }); err != nil {
		t.Errorf("an empty step: %v", err)
	}
	if err := s.Ready(t.Context()); !errors.Is(err, eventlog.ErrReadOnly) {
		t.Errorf("ready after an empty step: %v", err)
	}
	limitPages(t, s, "1000000")
	if _, err := s.Append(t.Context(), sending(room)); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
}

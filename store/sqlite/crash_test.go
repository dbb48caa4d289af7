package sqlite_test

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/chat"
	"parley/eventlog"
	"parley/store/sqlite"
)

func TestAcknowledgedMessagesSurviveKill9(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, dir)
	var acks []acknowledged
	for len(acks) < 1000 {
		a, ok := c.next()
		if !ok {
			t.Fatal("the child ended early")
		}
		acks = append(acks, a)
	}
	acks = append(acks, c.end(t)...)

	s := open(t, sqlite.Options{Dir: dir})
	log := readAll(t, s, eventlog.Position{})
	stored := map[string][]acknowledged{}
	for _, p := range log {
		if m := p.Payload.(*chat.Event).Message; m != nil {
			stored[m.ClientID] = append(stored[m.ClientID], acknowledged{m.ClientID, m.Seq, p.Position})
		}
	}
	for _, a := range acks {
		if got := stored[a.clientID]; len(got) != 1 || got[0] != a {
			t.Fatalf("acknowledged %v, stored %v", a, got)
		}
	}
	t.Run("a cursor goes on", func(t *testing.T) {
		middle := acks[len(acks)/2].position
		if rest := readAll(t, s, middle); len(rest) != len(log)-int(middle.Offset) {
			t.Errorf("%d entries after %d of %d", len(rest), middle.Offset, len(log))
		}
	})
	t.Run("a repeated request gets the first answer", func(t *testing.T) {
		again := send(t, s, sending(childRoom, "text", acks[0].clientID))
		if !again.Repeat || again.Message.Seq != acks[0].seq {
			t.Errorf("got %+v, want message %d again", again, acks[0].seq)
		}
	})
}

// readAll reads the child's log after a position and checks that nothing is missing.
func readAll(t *testing.T, s *sqlite.Store, at eventlog.Position) []eventlog.Publication {
	t.Helper()
	var all []eventlog.Publication
	for {
		page, err := s.Read(t.Context(), childRoom, at, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Publications {
			if at.Offset > 0 && !p.Follows(at) {
				t.Fatalf("%+v doesn't follow %+v", p.Position, at)
			}
			at = p.Position
		}
		all = append(all, page.Publications...)
		if at == page.Tail {
			return all
		}
	}
}

func TestFolderBelongsToOneProcess(t *testing.T) {
	t.Run("another process is named", func(t *testing.T) {
		dir := t.TempDir()
		c := startChild(t, dir)
		if _, ok := c.next(); !ok {
			t.Fatal("the child ended early")
		}
		refused(t, dir, c.Process.Pid)
		c.end(t)
		open(t, sqlite.Options{Dir: dir})
	})
	t.Run("so is this one", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, sqlite.Options{Dir: dir})
		refused(t, dir, os.Getpid())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		open(t, sqlite.Options{Dir: dir})
	})
}

// refused fails unless the folder is held by the process.
func refused(t *testing.T, dir string, pid int) {
	t.Helper()
	_, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	inUse, ok := errors.AsType[*sqlite.InUseError](err)
	if !ok {
		t.Fatalf("got %v, want InUseError", err)
	}
	if diff := cmp.Diff(&sqlite.InUseError{Dir: dir, PID: pid}, inUse); diff != "" {
		t.Error(diff)
	}
}

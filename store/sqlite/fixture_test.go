package sqlite_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/chat"
	"parley/eventlog"
	"parley/presence"
	"parley/store/sqlite"
)

// The fixtures are files as released versions of Parley wrote them, and what they hold. One is
// written when its format is released, by
//
//	go test ./store/sqlite -run TestFixture -write-fixture
//
// and never again: today's program must read the files of all earlier ones.
var writeFixture = flag.Bool("write-fixture", false, "write the fixture of the present format anew")

const fixtureRoom = "r_fixture"

// fixtureTime is when the fixtures were written.
var fixtureTime = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestFixture(t *testing.T) {
	if *writeFixture {
		makeFixture(t, filepath.Join("testdata", "format3"))
	}
	fixtures, err := filepath.Glob(filepath.Join("testdata", "*.db"))
	if err != nil || len(fixtures) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, path := range fixtures {
		name := strings.TrimSuffix(path, ".db")
		t.Run(filepath.Base(name), func(t *testing.T) {
			s := openCopy(t, path)
			want, err := os.ReadFile(name + ".json")
			must(t, err)
			got := contentsOf(t, s)
			if diff := cmp.Diff(string(want), got.text(t)); diff != "" {
				t.Error(diff)
			}
			goesOn(t, s, got)
		})
	}
}

// contents is everything that the fixture's store answers.
type contents struct {
	View     chat.View
	Messages chat.MessagePage
	Log      []logged
	// Presences are of all users.
	Presences []presence.Presence
}

// logged is a publication.
type logged struct {
	Position eventlog.Position
	Prev     uint32
	Kind     eventlog.Kind
	Access   []eventlog.AccessChange
	Event    *chat.Event
}

var fixtureUsers = []string{"ada", "bob", "carol"}

func contentsOf(t *testing.T, s *sqlite.Store) (c contents) {
	t.Helper()
	var err error
	c.View, err = s.View(t.Context(), chat.ViewQuery{
		RoomID: fixtureRoom, Users: fixtureUsers, Sender: "ada", ClientID: "key",
	})
	must(t, err)
	c.Messages, err = s.Messages(t.Context(), chat.MessageQuery{
		RoomID: fixtureRoom, Limit: 100, Readable: eventlog.Everything(),
	})
	must(t, err)
	page, err := s.Read(t.Context(), fixtureRoom, eventlog.Position{}, 100)
	must(t, err)
	for _, p := range page.Publications {
		event, _ := p.Payload.(*chat.Event)
		c.Log = append(c.Log, logged{p.Position, p.Prev, p.Kind, p.Access, event})
	}
	c.Presences, err = s.Presences(t.Context(), fixtureUsers)
	must(t, err)
	return c
}

// text is the form in which contents are kept.
func (c contents) text(t *testing.T) string {
	t.Helper()
	b, err := json.MarshalIndent(c, "", "\t")
	must(t, err)
	return string(b) + "\n"
}

// goesOn uses what the file holds: its positions, keys and versions.
func goesOn(t *testing.T, s *sqlite.Store, c contents) {
	t.Helper()
	last := c.Log[len(c.Log)-1].Position
	a := sending(fixtureRoom, "one more", "")
	a.Expect.Room = c.View.Room.Version
	done := send(t, s, a)
	page, err := s.Read(t.Context(), fixtureRoom, last, 100)
	must(t, err)
	if next := page.Publications; len(next) != 1 || next[0].Position != done.Event.Position || !next[0].Follows(last) {
		t.Errorf("after %+v: %+v", last, next)
	}
	again := send(t, s, sending(fixtureRoom, "with a key", "key"))
	if !again.Repeat || again.Message.Seq != c.View.Repeat.Seq {
		t.Errorf("the key is answered by %+v, want message %d", again.Message, c.View.Repeat.Seq)
	}
}

// openCopy opens a copy of a database, at the time of the fixtures.
func openCopy(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	dir := t.TempDir()
	file, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "parley.db"), file, 0o600))
	return open(t, sqlite.Options{Dir: dir, Now: func() time.Time { return fixtureTime.Add(time.Hour) }})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// makeFixture writes a database with something of everything, and what it answers.
func makeFixture(t *testing.T, name string) {
	t.Helper()
	dir, now := t.TempDir(), fixtureTime
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Now: func() time.Time {
		now = now.Add(time.Second)
		return now
	}})
	must(t, err)
	fillFixture(t, s)
	answers := contentsOf(t, s).text(t)
	must(t, s.Close())
	must(t, os.WriteFile(name+".json", []byte(answers), 0o644))
	file, err := os.ReadFile(filepath.Join(dir, "parley.db"))
	must(t, err)
	must(t, os.WriteFile(name+".db", file, 0o644))
}

func fillFixture(t *testing.T, s *sqlite.Store) {
	t.Helper()
	bob := chat.User{ID: "bob", Name: "Bob"}
	carol := chat.User{ID: "carol", Name: "Carol", AvatarURL: "https://pictures.test/c"}
	n := newGroup(fixtureRoom)
	n.Members = []chat.User{bob}
	_, err := s.CreateRoom(t.Context(), n)
	must(t, err)
	settings := chat.RoomSettings{
		Name: "Färbung", Topic: "colours", Visibility: chat.Public, History: chat.HistorySinceJoined,
		Metadata: json.RawMessage(`{"colour":"blue"}`),
	}
	message := func(content, key string, replyTo uint64) *chat.NewMessage {
		return &chat.NewMessage{
			Salt: "salted", Type: chat.Text, Content: content, ReplyToSeq: replyTo, ClientID: key, Fingerprint: content,
		}
	}
	for _, a := range []chat.Append{
		{Kind: chat.KindMessageSent, Actor: ada, Message: message("with a key", "key", 0)},
		{Kind: chat.KindMemberLeft, Actor: bob, Target: bob},
		{Kind: chat.KindMemberJoined, Actor: carol, Target: carol, Role: chat.Ordinary},
		{Kind: chat.KindMessageSent, Actor: carol, Message: message("an answer", "", 1)},
		{Kind: chat.KindMessageEdited, Actor: carol, Seq: 2, Content: "an edited answer"},
		{Kind: chat.KindMessageSent, Actor: ada, Message: message("to be deleted", "", 0)},
		{Kind: chat.KindMessageDeleted, Actor: ada, Seq: 3},
		{Kind: chat.KindMemberRoleChanged, Actor: ada, Target: carol, Role: chat.Admin},
		{Kind: chat.KindMemberJoined, Actor: ada, Target: bob, Role: chat.Ordinary},
		{Kind: chat.KindRoomUpdated, Actor: ada, Settings: &settings},
		{Kind: chat.KindMemberRemoved, Actor: carol, Target: bob},
		{Kind: chat.KindMessageSent, Message: message("by the server", "", 0)},
	} {
		a.RoomID = fixtureRoom
		send(t, s, a)
	}
	view, err := s.View(t.Context(), chat.ViewQuery{RoomID: fixtureRoom})
	must(t, err)
	must(t, s.Fence(t.Context(), fixtureRoom, eventlog.Position{Epoch: view.Room.Tail.Epoch, Offset: 1 << 30, Check: 1}))
	_, err = s.Renew(t.Context(), "node", time.Hour)
	must(t, err)
	for _, user := range []presence.User{{ID: "ada", Name: "Ada"}, {ID: "bob"}} {
		must(t, s.Connect(t.Context(), "node", "device", user))
	}
	must(t, s.Disconnect(t.Context(), "node", "device", "bob", 0))
}

func TestRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Run("a newer format", func(t *testing.T) {
		dir := t.TempDir()
		db, err := sql.Open("sqlite", filepath.Join(dir, "parley.db"))
		must(t, err)
		_, err = db.ExecContext(t.Context(), `PRAGMA user_version = 1000`)
		must(t, err)
		must(t, db.Close())
		refuses(t, sqlite.Options{Dir: dir}, "newer version of Parley")
	})
	t.Run("a file that is something else", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "parley.db"), []byte(strings.Repeat("not a database ", 100)), 0o600))
		refuses(t, sqlite.Options{Dir: dir}, "not a database")
	})
	t.Run("another way to synchronize", func(t *testing.T) {
		refuses(t, sqlite.Options{Dir: t.TempDir(), Synchronous: "OFF"}, "NORMAL or FULL")
	})
}

// refuses fails unless Open fails with an error that says why, and leaves the folder to others.
func refuses(t *testing.T, o sqlite.Options, why string) {
	t.Helper()
	for range 2 {
		s, err := sqlite.Open(context.Background(), o)
		if err == nil {
			_ = s.Close()
			t.Fatal("it opened")
		}
		if !strings.Contains(err.Error(), why) {
			t.Fatalf("it says %q, not %q", err, why)
		}
	}
}

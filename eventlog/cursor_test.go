package eventlog_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley/eventlog"
)

func cursors() *rapid.Generator[eventlog.Cursor] {
	return rapid.Custom(func(t *rapid.T) eventlog.Cursor {
		c := eventlog.Cursor{
			Kind: eventlog.CursorKind(rapid.IntRange(1, 4).Draw(t, "kind")),
			Log:  rapid.StringN(0, 40, 128).Draw(t, "log"),
		}
		if c.Kind != eventlog.CursorLog {
			c.Key = rapid.StringN(0, 100, 256).Draw(t, "key")
			return c
		}
		c.Position = eventlog.Position{
			Epoch:  rapid.Uint32().Draw(t, "epoch"),
			Offset: rapid.Uint64().Draw(t, "offset"),
			Check:  rapid.Uint32().Draw(t, "check"),
		}
		c.Seq, c.State = rapid.Uint64().Draw(t, "seq"), rapid.Uint64().Draw(t, "state")
		return c
	})
}

func TestCursorComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := cursors().Draw(t, "cursor")
		got, err := eventlog.ParseCursor(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestCursorRefuses(t *testing.T) {
	good := eventlog.Cursor{Kind: eventlog.CursorLog, Log: "r_1", Position: eventlog.Position{Epoch: 7, Offset: 3, Check: 9}}.String()
	for name, s := range map[string]string{
		"garbage":              "not a cursor",
		"empty":                "",
		"truncated":            good[:len(good)-3],
		"a changed bit":        "A" + strings.ToUpper(good[1:]),
		"something on the end": good + "AA",
		"too long":             strings.Repeat("A", eventlog.MaxCursorLength+1),
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := eventlog.ParseCursor(s); !errors.Is(err, eventlog.ErrBadCursor) {
				t.Fatalf("got %v, %v", c, err)
			}
		})
	}
}

func TestCursorBelongsToOneListOfOneRoom(t *testing.T) {
	c := eventlog.Cursor{Kind: eventlog.CursorLog, Log: "r_1"}
	if err := c.Of(eventlog.CursorLog, "r_1"); err != nil {
		t.Error(err)
	}
	if err := c.Of(eventlog.CursorLog, "r_2"); !errors.Is(err, eventlog.ErrBadCursor) {
		t.Errorf("another room: %v", err)
	}
	if err := c.Of(eventlog.CursorMembers, "r_1"); !errors.Is(err, eventlog.ErrBadCursor) {
		t.Errorf("another kind: %v", err)
	}
}

func TestCursorInGraphQL(t *testing.T) {
	want := eventlog.Cursor{Kind: eventlog.CursorRooms, Key: "k"}
	var buf bytes.Buffer
	want.MarshalGQL(&buf)
	var got eventlog.Cursor
	if err := got.UnmarshalGQL(strings.Trim(buf.String(), `"`)); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	if err := got.UnmarshalGQL(""); err != nil || got != (eventlog.Cursor{}) {
		t.Errorf("empty: got %v, %v", got, err)
	}
	if err := got.UnmarshalGQL(5); !errors.Is(err, eventlog.ErrBadCursor) {
		t.Errorf("a number: %v", err)
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add("")
	f.Add(eventlog.Cursor{Kind: eventlog.CursorLog, Log: "r_1", Seq: 4}.String())
	f.Add(eventlog.Cursor{Kind: eventlog.CursorMembers, Log: "r_1", Key: "ada"}.String())
	f.Fuzz(func(t *testing.T, s string) {
		c, err := eventlog.ParseCursor(s)
		if err == nil && c.String() != s {
			t.Errorf("%q decodes to %+v, which encodes to %q", s, c, c.String())
		}
	})
}

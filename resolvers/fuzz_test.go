package resolvers_test

import (
	"testing"

	"parley/eventlog"
)

// FuzzResume: whatever a client says about where it stands, it gets what it asked for or BAD_INPUT.
func FuzzResume(f *testing.F) {
	tail := newCompany().room()
	for _, seed := range []string{
		"", "junk", tail.Cursor().String(), tail.Cursor().String() + "\n",
		eventlog.Cursor{Kind: eventlog.CursorLog, Log: club, Position: eventlog.Position{Epoch: 1, Offset: 1 << 60, Check: 2}, Seq: 1 << 60}.String(),
		eventlog.Cursor{Kind: eventlog.CursorLog, Log: "r_other"}.String(),
		eventlog.Cursor{Kind: eventlog.CursorMembers, Log: club, Key: "ada"}.String(),
	} {
		f.Add(seed)
	}
	c := newCompany("ada")
	f.Fuzz(func(t *testing.T, text string) {
		w := newClub(t, c)
		want, err := eventlog.ParseCursor(text)
		switch {
		case text == "":
			want, err = tail.Cursor(), nil
		case err == nil:
			err = want.Of(eventlog.CursorLog, club)
		}
		for field, q := range map[string]request{
			"after":  {variables: map[string]any{"after": text}},
			"resume": {extensions: map[string]any{"resume": text}},
		} {
			q.query = `subscription($after: Cursor) { messageAdded(roomId: "r_club", after: $after) { id } }`
			opened, errs := w.open(q.by("ada"))
			switch {
			case err == nil && (errs != nil || opened.Spec.Start != want):
				t.Errorf("%s: got %+v, %v", field, opened, errs)
			case err != nil && (len(errs) != 1 || w.errors(errs) != "!BAD_INPUT at messageAdded in "+field):
				t.Errorf("%s: got %s", field, w.errors(errs))
			}
		}
	})
}

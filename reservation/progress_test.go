package reservation_test

import (
	"testing"

	"parley/eventlog"
	"parley/reservation"
)

func TestProgress(t *testing.T) {
	var p reservation.Progress
	p.Answers = 41
	for _, n := range []uint64{9, 3, 300, 4} {
		p.Move(n, at("r_a", n))
	}
	p.Move(3, at("r_a", 33))
	p.Move(5, eventlog.Cursor{}) // a state's: nothing to note
	p.Drop(4)
	p.Drop(77)
	got, err := reservation.ParseProgress(string(p.Append(nil, "id")), "id")
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[uint64]eventlog.Cursor{9: at("r_b", 9), 3: at("r_b", 33), 300: at("r_b", 300), 4: {}, 5: {}} {
		if cursor := got.At(n, "r_b"); cursor != want {
			t.Errorf("%d is at %+v, want %+v", n, cursor, want)
		}
	}
	if got.Answers != 41 {
		t.Errorf("%d", got.Answers)
	}
	for _, text := range []string{"", "x", "AAAAAAAA", string(p.Append(nil, "another")), string(p.Append(nil, "id")) + "\n", at("r_a", 1).String()} {
		if _, err := reservation.ParseProgress(text, "id"); err == nil {
			t.Errorf("%q is taken for a position", text)
		}
	}
}

// TestProgressIsBounded: with as many subscriptions as may be, far along, it fits into a header.
func TestProgressIsBounded(t *testing.T) {
	var p reservation.Progress
	for n := range uint64(reservation.MostOperations) {
		p.Move(1<<20+n, eventlog.Cursor{
			Kind: eventlog.CursorLog, Position: eventlog.Position{Epoch: 1 << 31, Offset: 1 << 34, Check: 1 << 31}, Seq: 1 << 34,
		})
	}
	if n := len(p.Append(nil, "id")); n > 4<<10 {
		t.Errorf("%d characters", n)
	}
}

func FuzzProgress(f *testing.F) {
	var p reservation.Progress
	p.Move(1, at("r_a", 7))
	f.Add(string(p.Append(nil, "id")))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := reservation.ParseProgress(text, "id")
		if err != nil {
			return
		}
		if again := string(p.Append(nil, "id")); again != text {
			t.Errorf("%q became %q", text, again)
		}
	})
}

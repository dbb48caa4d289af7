package sqlite

import (
	"context"
	"testing"

	"parley/chat"
	"parley/eventlog"
)

// A newer version's node may have written entries that this one doesn't know: its readers pass over
// them, but the log they read has no gap.
func TestUnknownKindsAreRead(t *testing.T) {
	const unknown eventlog.Kind = 60
	s := openForTest(t)
	room := newRoom(t, s)
	err := s.writer.do(t.Context(), func(t *tx) error {
		r, err := t.room(context.Background(), room)
		if err != nil {
			return err
		}
		return t.appendEntry(context.Background(), r, r.nextEntry(t.at, unknown))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), sending(room)); err != nil {
		t.Fatal(err)
	}
	page, err := s.Read(t.Context(), room, eventlog.Position{}, 10)
	if err != nil || len(page.Publications) != 3 {
		t.Fatalf("%+v, %v", page, err)
	}
	p := page.Publications[1]
	event, ok := p.Payload.(*chat.Event)
	if !ok || p.Kind != unknown || event.Kind != unknown || event.Message != nil || event.Member != nil {
		t.Errorf("%+v with %+v", p, p.Payload)
	}
	if next := page.Publications[2]; !next.Follows(p.Position) {
		t.Errorf("%+v doesn't follow %+v", next, p.Position)
	}
}

package sse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"parley/delivery"
	"parley/eventlog"
	"parley/reservation"
)

// FuzzSingleEvent: whatever the payload and the operation's id hold, an event is one chunk with one block of three
// fields, whose data is a JSON object with both where the payload is JSON; and it moves the id: to its cursor.
func FuzzSingleEvent(f *testing.F) {
	f.Add([]byte(`{"data":null}`), "1", uint64(7))
	f.Add([]byte("{\r\n\"data\":\n\r1}"), "x\n\ndata: {}\n\n", uint64(0))
	f.Add([]byte("x\n\nevent: complete\ndata:\n\n"), `"`, uint64(1<<40))
	f.Fuzz(func(t *testing.T, payload []byte, id string, offset uint64) {
		cursor := eventlog.Cursor{Kind: eventlog.CursorLog, Log: "r_a", Position: eventlog.Position{Epoch: 1, Offset: offset}}
		s := &stream{opened: &reservation.Reservation{ID: "reservation"}, carried: map[string]uint64{id: 3}}
		frame := singleFraming{}.AppendEvent(nil, &delivery.Event{Payload: payload, Cursor: cursor.String()})
		out := s.Stamp(id)(nil, frame)
		size, rest, ok := bytes.Cut(out, []byte("\r\n"))
		var n int
		if _, err := fmt.Sscanf(string(size), "%x", &n); !ok || err != nil || n != len(rest)-2 || !bytes.HasSuffix(rest, []byte("\r\n")) {
			t.Fatalf("not a chunk: %q", out)
		}
		lines := strings.Split(string(rest[:n]), "\n")
		if len(lines) != 5 || !strings.HasPrefix(lines[0], "id: ") || lines[1] != "event: next" || !strings.HasPrefix(lines[2], "data: ") ||
			strings.Join(lines[3:], "") != "" || strings.Contains(string(rest[:n]), "\r") {
			t.Fatalf("not one block: %q", lines)
		}
		p, err := reservation.ParseProgress(strings.TrimPrefix(lines[0], "id: "), "reservation")
		if err != nil || p.At(3, "r_a") != cursor {
			t.Fatalf("%q doesn't say %+v: %v", lines[0], cursor, err)
		}
		if !json.Valid(payload) || !utf8.ValidString(id) {
			return
		}
		var data struct {
			ID      string
			Payload json.RawMessage
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(lines[2], "data: ")), &data); err != nil || data.ID != id || !json.Valid(data.Payload) {
			t.Fatalf("%q is not the event: %v", lines[2], err)
		}
	})
}

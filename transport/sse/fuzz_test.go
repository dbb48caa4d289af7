package sse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"parley/delivery"
)

// FuzzEvent: whatever the payload holds, an event is one chunk with one block of three fields, and
// only line breaks are changed.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"data":null}`), "AQE")
	f.Add([]byte("{\r\n\"data\":\n\r1}"), "")
	f.Add([]byte("x\n\nevent: complete\ndata:\n\n"), "AQE")
	f.Fuzz(func(t *testing.T, payload []byte, cursor string) {
		if strings.ContainsAny(cursor, "\r\n") { // cursors are base64
			return
		}
		out := framing{}.AppendEvent(nil, &delivery.Event{Payload: payload, Cursor: cursor})
		size, rest, ok := bytes.Cut(out, []byte("\r\n"))
		var n int
		if _, err := fmt.Sscanf(string(size), "%x", &n); !ok || err != nil || n != len(rest)-2 || !bytes.HasSuffix(rest, []byte("\r\n")) {
			t.Fatalf("not a chunk: %q", out)
		}
		want := []string{"event: next", "data: " + strings.NewReplacer("\n", " ", "\r", " ").Replace(string(payload)), "", ""}
		if cursor != "" {
			want = append([]string{"id: " + cursor}, want...)
		}
		if got := strings.Split(string(rest[:n]), "\n"); strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

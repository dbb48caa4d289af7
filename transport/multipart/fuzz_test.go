package multipart

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http/httputil"
	"testing"

	"parley/delivery"
	"parley/transport"
)

// FuzzEvent: whatever JSON the payload is, an event is one chunk with one part, from which Go's readers of
// both get the very payload back, followed by what comes next.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"data":null}`), false)
	f.Add([]byte("{\r\n\"data\":\n\r1}\r\n"), true)
	f.Add([]byte("[-\r\n--graphql--\r\n]"), false)
	f.Add([]byte("\"\\r\\n--graphql\\r\\n\""), false)
	f.Add([]byte("[\r\n-1,\r\n-2]"), true)
	f.Fuzz(func(t *testing.T, payload []byte, short bool) {
		if !json.Valid(payload) { // payloads are rendered
			return
		}
		b := boundaryUsual
		if short {
			b = boundaryShort
		}
		body := transport.Chunked.Part(b.stream().Opening())
		body = (framing{boundary: b}).AppendEvent(body, &delivery.Event{Payload: payload})
		body = append(body, wire{framing: framing{boundary: b}}.Farewell(transport.ReasonDone)...)
		reader := multipart.NewReader(httputil.NewChunkedReader(bytes.NewReader(body)), string(b))
		for i, want := range []string{"{}", `{"payload":` + string(payload) + "}", "{}"} {
			part, err := reader.NextRawPart()
			if err != nil {
				t.Fatalf("part %d of %q: %v", i, body, err)
			}
			if got, err := io.ReadAll(part); err != nil || string(got) != want {
				t.Fatalf("part %d: got %q, %v, want %q", i, got, err, want)
			}
		}
		if _, err := reader.NextRawPart(); err != io.EOF {
			t.Fatalf("got %v, want the end of %q", err, body)
		}
	})
}

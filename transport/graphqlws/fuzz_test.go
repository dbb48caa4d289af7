package graphqlws

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"parley/delivery"
	"parley/transport"
)

// FuzzMessage: no text makes the decoder panic, and what it accepts, in either protocol, has what its type needs.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		`{"type":"connection_init","payload":{"a":1}}`, `{"type":"ping"}`, `{"type":"pong","payload":null}`, `{"type":"complete","id":"1"}`,
		`{"type":"subscribe","id":"1","payload":{"query":"{ a }","variables":{"a":1},"operationName":"A","extensions":{}}}`,
		`{"type":"subscribe","id":"","payload":[]}`, `[]`, `null`, `{"type":1}`, `{"type":"ping"}x`, `{"id":"1","id":"2","type":"complete"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Add([]byte(`{"type":"start","id":"1","payload":{"query":"{ a }"}}`))
	f.Add([]byte(`{"type":"stop","id":"1"}`))
	f.Add([]byte(`{"type":"connection_terminate","payload":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, kinds := range []map[kind]content{clientKinds, legacyKinds} {
			m, err := decode(text, kinds)
			if err != nil {
				if reason := transport.ReasonBadMessage.Because(err.Error()); len(reason.Text) == 0 || len(reason.Text) > 123 {
					t.Fatalf("reason %q", reason.Text)
				}
				continue
			}
			has, known := kinds[m.kind]
			switch {
			case !known:
				t.Fatalf("accepted %q", m.kind)
			case m.payload != nil && (has&contentObject == 0 || m.payload[0] != '{'):
				t.Fatalf("payload %s of %q", m.payload, m.kind)
			case (m.id != "") != (has&contentID != 0) || len(m.id) > maxID || (m.params != nil) != (has&contentParams != 0):
				t.Fatalf("got %+v", m)
			}
		}
	})
}

// FuzzFrame: no bytes make the reader panic, hand over more than the limit or what isn't UTF-8, or
// read on for ever.
func FuzzFrame(f *testing.F) {
	text := []byte{0x81, 0x85, 1, 2, 3, 4, 'a' ^ 1, 'b' ^ 2, 'c' ^ 3, 'd' ^ 4, 'e' ^ 1}
	f.Add(text)
	f.Add(append([]byte{0x89, 0x80, 0, 0, 0, 0}, text...))
	f.Add([]byte{0x01, 0x81, 0, 0, 0, 0, '{', 0x89, 0x80, 0, 0, 0, 0, 0x80, 0x81, 0, 0, 0, 0, '}'})
	f.Add([]byte{0x81, 0xfe, 0xff, 0xff, 0, 0, 0, 0})
	f.Add([]byte{0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0x88, 0x82, 0, 0, 0, 0, 3, 0xe8})
	f.Add([]byte{0x82, 0x80, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, bytesIn []byte) { readAll(t, reader{limit: 1000}, bytesIn) })
}

// FuzzDeflatedFrame is FuzzFrame where messages may be compressed.
func FuzzDeflatedFrame(f *testing.F) {
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00" // RFC 7692 §7.2.3.1
	f.Add([]byte("\xc1\x87\x00\x00\x00\x00" + hello))
	f.Add([]byte("\x41\x83\x00\x00\x00\x00" + hello[:3] + "\x80\x84\x00\x00\x00\x00" + hello[3:]))
	f.Add([]byte("\x41\x83\x00\x00\x00\x00" + hello[:3] + "\x89\x80\x00\x00\x00\x00\x80\x84\x00\x00\x00\x00" + hello[3:]))
	f.Add([]byte("\xc1\x8b\x00\x00\x00\x00\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")) // §7.2.3.3
	f.Add([]byte("\xc1\x88\x00\x00\x00\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00"))             // §7.2.3.4
	f.Add([]byte("\xc9\x80\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, bytesIn []byte) { readAll(t, reader{limit: 1000, deflates: true}, bytesIn) })
}

func readAll(t *testing.T, r reader, bytesIn []byte) {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(bytesIn))
	for {
		err := r.message(in, func(m message) error {
			switch {
			case m.op == ws.OpText && (len(m.payload) > r.limit || !utf8.Valid(m.payload)):
				t.Fatalf("handed over %q", m.payload)
			case m.op != ws.OpText && (!m.op.IsControl() || len(m.payload) > 125):
				t.Fatalf("handed over %v of %d bytes", m.op, len(m.payload))
			}
			return nil
		})
		if err == nil {
			continue
		}
		_, breach := errors.AsType[transport.Reason](err)
		if !breach && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("got %v", err)
		}
		return
	}
}

// FuzzInflate: no data make the inflater panic or say more than it may, what it says is what a standard inflater says,
// and what we compress it reads.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), 5)
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), 4)
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), 100)
	f.Add([]byte("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), 100) // RFC 7692 §7.2.3.5
	f.Add([]byte(""), 0)
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		limit = max(0, min(limit, 1<<16))
		got, err := inflate(nil, bytes.Clone(data), limit)
		want, _ := io.ReadAll(io.LimitReader(flate.NewReader(io.MultiReader(bytes.NewReader(data), strings.NewReader(emptyBlock))), int64(limit)+1))
		if err == nil && !bytes.Equal(got, want) || len(got) > limit && !errors.Is(err, tooBig(limit)) {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
		again, err := inflate(nil, deflateTo(nil, -1000, data), len(data))
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%q became %q, %v", data, again, err)
		}
	})
}

// FuzzNext: the shared part and the suffix are one frame, whose header tells its length, with the
// payload and the id as they were.
func FuzzNext(f *testing.F) {
	f.Add("1", "x")
	f.Add("\"\\\u2028<é", "")
	f.Add("1", strings.Repeat("hello there, ", 50))
	f.Fuzz(func(t *testing.T, id, value string) {
		if !utf8.ValidString(id) || !utf8.ValidString(value) {
			return
		}
		payload, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		for _, deflates := range []bool{false, true} {
			checkNext(t, &session{deflates: deflates}, "next", id, value, payload)
			checkNext(t, legacy{&session{deflates: deflates}}, "data", id, value, payload)
		}
	})
}

func checkNext(t *testing.T, wire transport.Wire, kind, id, value string, payload []byte) {
	t.Helper()
	framing, suffix := wire.Framing(id)
	text := unframed(t, append(framing.AppendEvent(nil, &delivery.Event{Payload: payload}), suffix...))
	var m struct{ Type, ID, Payload string }
	if err := json.Unmarshal(text, &m); err != nil || m.Type != kind || m.ID != id || m.Payload != value {
		t.Fatalf("%s: %+v, %v", text, m, err)
	}
}

// unframed returns the text of a frame, inflated if it is marked as compressed.
func unframed(t testing.TB, bytesOut []byte) []byte {
	t.Helper()
	header, err := ws.ReadHeader(bytes.NewReader(bytesOut))
	if err != nil || header.Masked || !header.Fin || header.OpCode != ws.OpText {
		t.Fatalf("%+v, %v", header, err)
	}
	text := bytesOut[ws.HeaderSize(header):]
	if int64(len(text)) != header.Length {
		t.Fatalf("%d bytes, header says %d", len(text), header.Length)
	}
	if !header.Rsv1() {
		return text
	}
	in := bytes.NewReader(append(bytes.Clone(text), emptyBlock...))
	inflated, err := io.ReadAll(flate.NewReader(in))
	if !errors.Is(err, io.ErrUnexpectedEOF) || in.Len() > 0 { // no block is marked as the last one
		t.Fatalf("%x: %v, %d bytes left", text, err, in.Len())
	}
	return inflated
}

func TestHeaders(t *testing.T) {
	for _, length := range []int{0, 125, 126, 1<<16 - 1, 1 << 16, 1 << 20} {
		header, err := ws.ReadHeader(bytes.NewReader(appendHeader(nil, ws.OpText, length)))
		if err != nil || header.Length != int64(length) {
			t.Errorf("%d became %+v, %v", length, header, err)
		}
	}
	if got := closeFrame(4400, "x"); got[0] != 0x88 || binary.BigEndian.Uint16(got[2:]) != 4400 {
		t.Errorf("got %x", got)
	}
}

package graphqlws

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"parley/delivery"
)

// event returns one with a payload that holds a text.
func event(t testing.TB, text string) *delivery.Event {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"data": map[string]any{"messageAdded": map[string]string{"content": text}}})
	if err != nil {
		t.Fatal(err)
	}
	return &delivery.Event{Payload: payload, Offset: 1}
}

// TestSharedEventsAreRead: whatever an event says, and whatever the ids, each connection reads the same from it, whether it
// compresses or not.
func TestSharedEventsAreRead(t *testing.T) {
	words := rapid.SliceOf(rapid.OneOf(rapid.SampledFrom([]string{"hello ", "there ", "cursor\"", "é", "日本"}), rapid.String()))
	rapid.Check(t, func(rt *rapid.T) {
		e := event(t, strings.Join(words.Draw(rt, "words"), ""))
		sessions := []*session{{}, {deflates: true}}
		for range 4 {
			id := rapid.StringN(1, maxID, maxID).Draw(rt, "id")
			var texts []string
			for _, s := range sessions {
				framing, suffix := s.Framing(id)
				frame := append(append([]byte(nil), e.Frame(framing)...), suffix...)
				texts = append(texts, strings.TrimSuffix(string(unframed(t, frame)), " "))
			}
			if texts[0] != texts[1] || !json.Valid([]byte(texts[0])) {
				rt.Fatalf("%s\n%s", texts[0], texts[1])
			}
		}
	})
}

// TestEventsAreCompressedOnce: for all connections and ids together.
func TestEventsAreCompressedOnce(t *testing.T) {
	e := event(t, strings.Repeat("hello there, ", 50))
	s := &session{deflates: true}
	blocks := e.Frame(sharedBlocks{nextPrefix})
	var connections sync.WaitGroup
	for _, id := range []string{"1", "2", "10", "6c0f7d0e-3c1b-4a59-9d7e-0d2b8f0f6a3d"} {
		connections.Go(func() {
			framing, suffix := s.Framing(id)
			if frame := e.Frame(framing); frame[0] != 0xc1 || !strings.Contains(string(frame), string(blocks)) {
				t.Errorf("%x of other blocks than %x", frame, blocks)
			}
			if size := len(e.Frame(framing)) + len(suffix); size >= len(e.Payload)/2 {
				t.Errorf("%d bytes became %d", len(e.Payload), size)
			}
		})
	}
	connections.Wait()
	if again := e.Frame(sharedBlocks{nextPrefix}); &again[0] != &blocks[0] {
		t.Error("compressed again")
	}
	short := event(t, "hello")
	framing, suffix := s.Framing("1")
	if frame := short.Frame(framing); frame[0] != 0x81 || len(frame)+len(suffix) != 2+len(nextPrefix)+len(short.Payload)+len(suffix) {
		t.Errorf("a short event became %q", frame)
	}
}

// TestMessagesOfOneConnection are compressed where they are long.
func TestMessagesOfOneConnection(t *testing.T) {
	long := []byte(`{"data":"` + strings.Repeat("hello there, ", 500) + `"}`)
	for name, test := range map[string]struct {
		payload []byte
		first   byte
	}{"long": {long, 0xc1}, "short": {long[:10], 0x81}} {
		t.Run(name, func(t *testing.T) {
			frame := textFrame(test.payload, true)
			if frame[0] != test.first || string(unframed(t, frame)) != string(test.payload) {
				t.Fatalf("got %q", frame)
			}
			if frame := textFrame(test.payload, false); frame[0] != 0x81 || string(unframed(t, frame)) != string(test.payload) {
				t.Fatalf("got %q without compression", frame)
			}
		})
	}
	t.Run("when too many are being compressed", func(t *testing.T) {
		for range cap(aloneTurns) {
			aloneTurns <- struct{}{}
		}
		defer func() {
			for range cap(aloneTurns) {
				<-aloneTurns
			}
		}()
		if frame := textFrame(long, true); frame[0] != 0x81 || string(unframed(t, frame)) != string(long) {
			t.Fatalf("got %q", frame)
		}
	})
}

// BenchmarkEvent is what an event costs a group: framed once, compressed or not, for connections of one id length.
func BenchmarkEvent(b *testing.B) {
	for name, s := range map[string]*session{"plain": {}, "deflated": {deflates: true}} {
		b.Run(name, func(b *testing.B) {
			framing, suffix := s.Framing("6c0f7d0e-3c1b-4a59-9d7e-0d2b8f0f6a3d")
			payload := []byte(benchPayload)
			size := 0
			b.ReportAllocs()
			for b.Loop() {
				e := &delivery.Event{Payload: payload, Offset: 1}
				size = len(e.Frame(framing)) + len(suffix)
			}
			b.ReportMetric(float64(size), "B/frame")
		})
	}
}

// BenchmarkConnection is what it costs each connection of the group more: nothing is allocated.
func BenchmarkConnection(b *testing.B) {
	for name, s := range map[string]*session{"plain": {}, "deflated": {deflates: true}} {
		b.Run(name, func(b *testing.B) {
			o := &taken{buf: make([]byte, 0, 4096)}
			o.Open(1<<20, o)
			lane := o.NewLane(s.Framing("6c0f7d0e-3c1b-4a59-9d7e-0d2b8f0f6a3d"))
			e := &delivery.Event{Payload: []byte(benchPayload), Offset: 1}
			b.ReportAllocs()
			for b.Loop() {
				if lane.Put(e) {
					lane.Flush()
				}
			}
			b.ReportMetric(float64(o.size), "B/frame")
		})
	}
}

// taken is the outbox of a connection whose peer reads at once.
type taken struct {
	delivery.Outbox
	buf  []byte
	size int // of what was written last
}

func (t *taken) Flush() {
	for more := true; more; {
		if t.buf, more = t.Take(t.buf[:0], 2048); more {
			t.size = len(t.buf)
		}
	}
}

func (t *taken) Overflow() {}

const benchPayload = `{"data":{"messageAdded":{"__typename":"Message","id":"m_AbCdEf123_42_x9","seq":42,` +
	`"content":"hello there, this is a usual message of a chat","sender":{"__typename":"User","id":"ada","name":"Ada Lovelace"},` +
	`"room":{"__typename":"Room","id":"r_AbCdEf123"},"createdAt":"2026-11-26T03:57:34.123Z","updatedAt":"2026-11-26T03:57:34.123Z",` +
	`"editedAt":null,"deletedAt":null,"clientId":"6c0f7d0e-3c1b-4a59-9d7e-0d2b8f0f6a3d","attachments":[],"mentions":[],"reactions":[]}},` +
	`"extensions":{"cursor":"ZXlKaGJHY2lPaUpJVXpJMU5pSjk6MTIz"}}`

package redis

import (
	"strconv"
	"testing"
)

func TestParseHint(t *testing.T) {
	t.Run("a good one", func(t *testing.T) {
		h, ok := parseHint("12\nr_1\n{\"a\":\n1}")
		if want := (hint{n: 12, topic: "r_1", payload: "{\"a\":\n1}"}); !ok || h != want {
			t.Errorf("got %+v, %v, want %+v", h, ok, want)
		}
	})
	for _, text := range []string{
		"", "\n", "12", "12\n", "12\nr_1", "12\n\n{}", "x\nr_1\n{}", "-1\nr_1\n{}", "1.5\nr_1\n{}",
	} {
		t.Run(strconv.Quote(text), func(t *testing.T) {
			if h, ok := parseHint(text); ok {
				t.Errorf("got %+v", h)
			}
		})
	}
}

func FuzzParseHint(f *testing.F) {
	f.Add("12\nr_1\n{}")
	f.Fuzz(func(t *testing.T, text string) {
		h, ok := parseHint(text)
		if !ok {
			return
		}
		again, ok := parseHint(strconv.FormatUint(h.n, 10) + "\n" + h.topic + "\n" + h.payload)
		if !ok || again != h {
			t.Errorf("%q: %+v, then %+v", text, h, again)
		}
	})
}

func FuzzDecodeEvent(f *testing.F) {
	f.Add(`{"epoch":1,"offset":2,"check":3,"prev":4,"at":5,"kind":2,"seq":1,"actor":{"id":"ada"},` +
		`"message":{"seq":1,"version":1,"created":5,"updated":5,"sent":[1,2,3],"salt":"x","sender":{"id":"ada"}}}`)
	f.Add(`{"offset":2,"kind":5,"member":{"id":"ada","row":{"intervals":[[1,0]]},"receipts":[0,0,0]}}`)
	f.Add(`{"kind":1}`)
	f.Add(`{"kind":5}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := decodeEvent("r_1", text)
		if err != nil {
			return
		}
		if p := r.publication("r_1"); p.Payload == nil || p.Position != r.position() {
			t.Errorf("%q: %+v", text, p)
		}
	})
}

func FuzzDecodeStates(f *testing.F) {
	f.Add(`{"version":3,"users":[{"id":"ada","name":"Ada"}]}`)
	f.Add(`{"id":"ada","status":"OFFLINE","version":2,"seen":1700000000000}`)
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := decodeTyping("r_1", text); err == nil && v.Payload == nil {
			t.Errorf("%q: a typing set of nothing", text)
		}
		if v, err := decodePresence(text); err == nil && v == nil {
			t.Errorf("%q: a presence of nothing", text)
		}
	})
}

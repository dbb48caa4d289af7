package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestContent(t *testing.T) {
	for _, s := range []stamp{{0, 1, 1}, {4999, 123_456, 17 * time.Minute}, {3, 0, 0}} {
		for _, size := range []int{1, 100, 6000} {
			text := s.content(size)
			if len(text) < size {
				t.Errorf("%d bytes, not %d", len(text), size)
			}
			got, rest, found := nextStamp([]byte(`{"content":"` + text + `"}` + text))
			if !found || got != s {
				t.Errorf("%v came back as %v", s, got)
			}
			if again, _, found := nextStamp(rest); !found || again != s {
				t.Errorf("the second %v came back as %v", s, again)
			}
		}
	}
	for _, text := range []string{"", "~", "~~", "~1.2~", "~1.2.3", "~1.2.x~", "~.2.3~", "~1.-2.3~", "~1.2.99999999999999999999~"} {
		if got, _, found := nextStamp([]byte(text)); found {
			t.Errorf("%q has the stamp %v", text, got)
		}
	}
	if got, _, _ := nextStamp([]byte("~a~1.2.3~")); got != (stamp{1, 2, 3}) {
		t.Errorf("behind a stray mark: %v", got)
	}
}

func FuzzStamp(f *testing.F) {
	f.Add("~1.2.3~")
	f.Fuzz(func(t *testing.T, text string) {
		s, rest, found := nextStamp([]byte(text))
		if found && (!strings.HasSuffix(text, string(rest)) || s.room < 0 || s.number < 0 || s.sent < 0) {
			t.Errorf("%q: %v and %q", text, s, rest)
		}
	})
}

// What goes wrong on the way must not be overlooked.
func TestAccount(t *testing.T) {
	for _, test := range []struct {
		name          string
		first, second string // what two followers of a room to which three messages were sent receive
		lost, twice   int64
		disordered    int64
		ending        bool
	}{
		{name: "all well", first: "123", second: "123"},
		{name: "a loss", first: "123", second: "13", lost: 1, disordered: 1},
		{name: "a duplicate", first: "123", second: "1223", twice: 1},
		{name: "another order", first: "123", second: "132", disordered: 1},
		{name: "a loss behind a duplicate", first: "123", second: "122", lost: 1, twice: 1, disordered: 1},
		{name: "an end", first: "123", second: "123", ending: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCrowd(inRooms(1, 2))
			c.rooms[0].sent.Store(3)
			w := &window{}
			c.window.Store(w)
			for i, received := range []string{test.first, test.second} {
				for _, n := range received {
					c.followers[i].Received([]byte(stamp{0, int64(n - '0'), 0}.content(50)), time.Now())
				}
			}
			if test.ending {
				c.followers[0].Ended(fmt.Errorf("cut"))
			}
			a, received := c.count()
			if a.lost != test.lost || a.duplicated != test.twice || a.disordered != test.disordered || (a.ended == 1) != test.ending {
				t.Errorf("%+v", a)
			}
			if received != w.deliveries.Load() || received != 6-test.lost {
				t.Errorf("%d received, %d delivered", received, w.deliveries.Load())
			}
		})
	}
}

func TestRefusalsAreNoticed(t *testing.T) {
	c := newCrowd(inRooms(1, 1))
	c.followers[0].Received([]byte(`{"type":"ping"}`), time.Now())
	if c.refused.Load() != nil {
		t.Error("a ping is taken for a refusal")
	}
	c.followers[0].Received([]byte(`{"type":"error","id":"1"}`), time.Now())
	if c.refused.Load() == nil {
		t.Error("a refusal isn't noticed")
	}
}

func TestPlan(t *testing.T) {
	for _, p := range []plan{inRooms(1, 1000), inRooms(100, 100), inRooms(5000, 4), inRooms(1, 1)} {
		follows := map[[2]int]int{}
		for connection := range p.connections {
			for _, room := range p.roomsOf(connection) {
				follows[[2]int{room, connection}]++
			}
		}
		for room := range p.rooms {
			connections := p.connectionsOf(room)
			if len(connections) != p.followers {
				t.Fatalf("%+v: room %d has %d followers", p, room, len(connections))
			}
			for _, connection := range connections {
				if follows[[2]int{room, connection}] != 1 {
					t.Fatalf("%+v: connection %d and room %d", p, connection, room)
				}
			}
		}
		if len(follows) != p.subscriptions() {
			t.Errorf("%+v: %d subscriptions", p, len(follows))
		}
	}
}

func TestHistogram(t *testing.T) {
	h := &histogram{}
	if h.at(.5) != 0 {
		t.Error("of nothing")
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	for share, want := range map[float64]time.Duration{.5: 501 * time.Millisecond, .99: 991 * time.Millisecond, 0: time.Millisecond} {
		if got := h.at(share); got < want*98/100 || got > want*102/100 {
			t.Errorf("%v: %v, not %v", share, got, want)
		}
	}
	for _, d := range []time.Duration{0, 1, 127, 128, 129, 1 << 20, 1<<62 + 5, -1} {
		if got, want := middle(class(d)), max(d, 0); got < want*98/100 && want < 1<<55 || class(d) >= len(h.counts) {
			t.Errorf("%d is in the class of %d", d, got)
		}
	}
}

func TestRepliesOfProtocols(t *testing.T) {
	for _, test := range []struct {
		protocol protocol
		ping     string
		pong     string
		other    string
	}{
		{&graphqlWS{}, `{"type":"ping","payload":{}}`, `{"type":"pong"}`, `{"type":"next"}`},
		{centrifuge{}, "{}", "{}", `{"push":{}}`},
		{socketIOProtocol{}, "2", "3", `42["message",{}]`},
	} {
		d := test.protocol.decoder()
		frame := append([]byte{0x81, byte(len(test.ping))}, test.ping...)
		if _, m, err := d.Next(frame); err != nil || !strings.HasSuffix(string(m.Reply), test.pong) {
			t.Errorf("%T answers %s by %q, %v", test.protocol, test.ping, m.Reply, err)
		}
		frame = append([]byte{0x81, byte(len(test.other))}, test.other...)
		if _, m, err := d.Next(frame); err != nil || m.Reply != nil {
			t.Errorf("%T answers %s by %q, %v", test.protocol, test.other, m.Reply, err)
		}
	}
}

func TestCursorIn(t *testing.T) {
	got, err := cursorIn([]byte(`{"data":{"roomEvents":{"events":[{"cursor":"no"}],"cursor":"a\"b","reset":false}}}`))
	if err != nil || got != `a"b` {
		t.Errorf("%q, %v", got, err)
	}
	for _, text := range []string{"", `{"data":null}`, `"cursor":`, `"cursor":1`} {
		if _, err := cursorIn([]byte(text)); err == nil {
			t.Errorf("%s has a cursor", text)
		}
	}
}

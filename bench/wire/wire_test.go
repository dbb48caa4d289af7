package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"parley/bench/wire"
)

// frame is a server's.
func frame(op byte, payload string) string {
	switch n := len(payload); {
	case n < 126:
		return string([]byte{0x80 | op, byte(n)}) + payload
	case n < 1<<16:
		return string([]byte{0x80 | op, 126, byte(n >> 8), byte(n)}) + payload
	default:
		return string([]byte{0x80 | op, 127, 0, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + payload
	}
}

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// all decodes what arrives, piece bytes at a time, as a reader would.
func all(d wire.Decoder, received string, piece int) (texts, replies []string, err error) {
	var rest []byte
	for len(received) > 0 {
		n := min(piece, len(received))
		rest, received = append(rest, received[:n]...), received[n:]
		for {
			size, m, err := d.Next(rest)
			if err != nil {
				return texts, replies, err
			}
			if size == 0 {
				break
			}
			if m.Text != nil {
				texts = append(texts, string(m.Text))
			}
			if m.Reply != nil {
				replies = append(replies, string(m.Reply))
			}
			rest = rest[size:]
		}
	}
	return texts, replies, nil
}

func TestDecoders(t *testing.T) {
	long, longer := strings.Repeat("a", 200), strings.Repeat("b", 70_000)
	hello, two := "\xf2\x48\xcd\xc9\xc9\x07\x00", "\x00\x01\x00\xfe\xff2\x00" // RFC 7692 §7.2.3.1, and a stored block
	pong := wire.WebSocket{Reply: func(text []byte) []byte {
		if string(text) == "2" {
			return []byte("3")
		}
		return nil
	}}
	deflating := wire.WebSocket{Reply: pong.Reply, Inflater: wire.NewInflater()}
	for _, test := range []struct {
		name           string
		decoder        wire.Decoder
		received       string
		texts, replies []string
		err            error
	}{
		{"frames of each length", wire.WebSocket{}, frame(1, "short") + frame(1, long) + frame(1, longer), []string{"short", long, longer}, nil, nil},
		{"a ping and a pong", wire.WebSocket{}, frame(9, "hm") + frame(10, "") + frame(1, "a"), []string{"a"}, []string{"\x8a\x82\x00\x00\x00\x00hm"}, nil},
		{"a ping of the protocol's own", pong, frame(1, "2") + frame(1, "a"), []string{"2", "a"}, []string{"\x81\x81\x00\x00\x00\x003"}, nil},
		{"compressed frames", deflating, frame(0x41, hello) + frame(1, "a") + frame(0x41, hello), []string{"Hello", "a", "Hello"}, nil, nil},
		{"compressed, and answered", deflating, frame(0x41, two), []string{"2"}, []string{"\x81\x81\x00\x00\x00\x003"}, nil},
		{"compressed, but nobody offered it", wire.WebSocket{}, frame(0x41, hello), nil, nil, wire.ErrProtocol},
		{"no compressed data", deflating, frame(0x41, "Hello"), nil, nil, wire.ErrProtocol},
		{"a close", wire.WebSocket{}, frame(1, "a") + frame(8, "\x03\xf4going"), []string{"a"}, nil, wire.ErrEnded},
		{"a fragment", wire.WebSocket{}, "\x01\x01a", nil, nil, wire.ErrProtocol},
		{"a masked frame", wire.WebSocket{}, "\x81\x81\x00\x00\x00\x00a", nil, nil, wire.ErrProtocol},
		{"a frame without end", wire.WebSocket{}, "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", nil, nil, wire.ErrProtocol},
		{"lines", wire.Lines{}, "a\n\nbc\nd", []string{"a", "", "bc"}, nil, nil},
		{"chunks", wire.Chunks{}, chunk("data: a\n\n") + chunk(long) + "5\r\nab", []string{"data: a\n\n", long}, nil, nil},
		{"the last chunk", wire.Chunks{}, chunk("a") + "0\r\n\r\n", []string{"a"}, nil, wire.ErrEnded},
		{"no chunk", wire.Chunks{}, "HTTP/1.1 200 OK\r\n", nil, nil, wire.ErrProtocol},
		{"a line without end", wire.Chunks{}, strings.Repeat("0", 30), nil, nil, wire.ErrProtocol},
		{"a chunk of another length", wire.Chunks{}, "1\r\nabc\r\n", nil, nil, wire.ErrProtocol},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, piece := range []int{1, 3, 1 << 20} {
				texts, replies, err := all(test.decoder, test.received, piece)
				if !errors.Is(err, test.err) {
					t.Errorf("pieces of %d: %v, not %v", piece, err, test.err)
				}
				if got, want := strings.Join(texts, "|"), strings.Join(test.texts, "|"); got != want {
					t.Errorf("pieces of %d: %.100q, not %.100q", piece, got, want)
				}
				if got, want := strings.Join(replies, "|"), strings.Join(test.replies, "|"); got != want {
					t.Errorf("pieces of %d: replies %q, not %q", piece, got, want)
				}
			}
		})
	}
}

func TestFrame(t *testing.T) {
	for _, n := range []int{0, 125, 126, 65_535, 65_536} {
		payload := bytes.Repeat([]byte("x"), n)
		got := wire.Text(payload)
		// Without the mask it is a server's frame, which the decoder has been tested on.
		keyAt := len(got) - n - 4
		server := append(append([]byte{got[0], got[1] &^ 0x80}, got[2:keyAt]...), got[keyAt+4:]...)
		size, m, err := wire.WebSocket{}.Next(server)
		if err != nil || size != len(server) || !bytes.Equal(m.Text, payload) {
			t.Errorf("%d bytes: %d of %d, %v", n, size, len(server), err)
		}
	}
}

// However the bytes are cut into pieces, a decoder finds the same in them, and never more than they are.
func FuzzDecoders(f *testing.F) {
	f.Add([]byte(frame(1, "hello")+frame(9, "p")+frame(8, "")), 1)
	f.Add([]byte(chunk("data: a\n\n")+"0\r\n\r\n"), 2)
	f.Add([]byte("a\nb\n"), 3)
	f.Add([]byte(frame(0x41, "\xf2\x48\xcd\xc9\xc9\x07\x00")), 2)
	inflater := wire.NewInflater()
	f.Fuzz(func(t *testing.T, received []byte, piece int) {
		if piece < 1 || piece > len(received) {
			return
		}
		for name, d := range map[string]wire.Decoder{"frames": wire.WebSocket{}, "compressed": wire.WebSocket{Inflater: inflater}, "lines": wire.Lines{}, "chunks": wire.Chunks{}} {
			if size, _, _ := d.Next(received); size < 0 || size > len(received) {
				t.Fatalf("%s: a message of %d bytes in %d", name, size, len(received))
			}
			texts, replies, err := all(d, string(received), len(received))
			texts2, replies2, err2 := all(d, string(received), piece)
			if fmt.Sprint(texts, replies) != fmt.Sprint(texts2, replies2) || (err == nil) != (err2 == nil) {
				t.Fatalf("%s: %q %q %v at once, %q %q %v in pieces of %d", name, texts, replies, err, texts2, replies2, err2, piece)
			}
		}
	})
}

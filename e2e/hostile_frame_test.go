package e2e

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"parley/e2e/parleytest"
)

// TestHostileFrames sends over WebSockets what RFC 6455 doesn't allow.
func TestHostileFrames(t *testing.T) {
	t.Parallel()
	node := startHostile(t, quickTimes)
	ada := person(t, node, "ada")
	before := settled(t, node)
	seen := newTable("case", "end")
	cases := append(badFrames(initWith(ada.Token)), badCompression(t, initWith(ada.Token))...)
	ends := make([]string, len(cases))
	crowd(len(cases), func(i int) {
		conn, in := rawSocketWith(t, node, cases[i].handshake)
		_, _ = conn.Write(cases[i].bytes) // the server may have closed before all is sent
		ends[i] = endOf(in)
		_ = conn.Close()
	})
	for i, c := range cases {
		seen.row(c.name, ends[i])
		if ends[i] != c.want {
			t.Errorf("%s: %q instead of %q", c.name, ends[i], c.want)
		}
	}
	t.Log(seen)
	nothingLeft(t, node, before)
}

type frameCase struct {
	name  string
	bytes []byte
	want  string
	// handshake: lines of the upgrade's head.
	handshake string
}

// masked is a client's frame, its first byte as given.
func masked(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, 0, 0, 0, 0) // a mask that changes nothing
	return append(b, payload...)
}

// promised is the header of a frame that promises n bytes, and nothing behind it.
func promised(first byte, n uint64) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, n), 0, 0, 0, 0)
}

const (
	finalText, openText, openMore, finalMore = 0x81, 0x01, 0x00, 0x80
	finalBinary, finalClose                  = 0x82, 0x88
	finalPing, finalPong                     = 0x89, 0x8a
)

func badFrames(init string) []frameCase {
	closing := func(code uint16, text string) string { return string(binary.BigEndian.AppendUint16(nil, code)) + text }
	pieces := bytes.Repeat(masked(openMore, strings.Repeat("x", 60_000)), 3)
	return []frameCase{
		{"a frame without mask", []byte{finalText, 2, '{', '}'}, "close 1002", ""},
		{"reserved bit 1: compression nobody agreed on", masked(0x40|finalText, init), "close 1002", ""},
		{"reserved bit 2", masked(0x20|finalText, init), "close 1002", ""},
		{"reserved bit 3", masked(0x10|finalText, init), "close 1002", ""},
		{"opcode 3", masked(0x83, init), "close 1002", ""},
		{"opcode 11", masked(0x8b, ""), "close 1002", ""},
		{"a fragmented ping", masked(0x09, "x"), "close 1002", ""},
		{"a ping of 126 bytes", masked(finalPing, strings.Repeat("x", 126)), "close 1002", ""},
		{"a continuation of nothing", masked(finalMore, init), "close 1002", ""},
		{"a message inside another", append(masked(openText, "{"), masked(finalText, init)...), "close 1002", ""},
		{"a length of 2^64-1", promised(finalText, 1<<64-1), "close 1002", ""},
		{"a length of 2^62", promised(finalText, 1<<62), "close 1009", ""},
		{"a length of 1 GiB, and silence", promised(finalText, 1<<30), "close 1009", ""},
		{"a ping of 1 GiB", promised(finalPing, 1<<30), "close 1002", ""},
		{"too much in pieces", append(masked(openText, "x"), pieces...), "close 1009", ""},
		{"a binary message", masked(finalBinary, init), "close 1003", ""},
		{"text that isn't UTF-8", masked(finalText, "\xc0\xaf"), "close 1007", ""},
		{"UTF-8 cut off", masked(finalText, "\"\xe2\x82"), "close 1007", ""},
		{"a surrogate in UTF-8", masked(finalText, "\"\xed\xa0\x80\""), "close 1007", ""},
		{"a close frame of 1 byte", masked(finalClose, "x"), "close 1002", ""},
		{"a close code of 999", masked(finalClose, closing(999, "")), "close 1002", ""},
		{"a close code of 1005", masked(finalClose, closing(1005, "")), "close 1002", ""},
		{"a close code of 1006", masked(finalClose, closing(1006, "")), "close 1002", ""},
		{"a close reason that isn't UTF-8", masked(finalClose, closing(1000, "\xff")), "close 1002", ""},
		{"a close frame", masked(finalClose, closing(1000, "")), "close 1000", ""},
		{"a close frame of an application", masked(finalClose, closing(4999, "bye")), "close 4999", ""},
		{"an empty close frame", masked(finalClose, ""), "close without code", ""},
		{"half a frame, and silence", masked(finalText, init)[:20], "close 4408", ""},
		{"half a header, and silence", []byte{finalText}, "close 4408", ""},
		{"a message that never ends", append(masked(openText, ""), bytes.Repeat(masked(openMore, ""), 10_000)...), "close 1009", ""},
		{"pings that never end", bytes.Repeat(masked(finalPing, "x"), 10_000), "close 4408", ""},
	}
}

// badCompression sends what RFC 7692 doesn't allow to somebody who has agreed on it, and bombs.
func badCompression(t *testing.T, init string) []frameCase {
	t.Helper()
	const agreed = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
	deflated := func(text string) string {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestCompression)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err == nil {
			err = w.Flush()
		}
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
	}
	bomb := deflated(strings.Repeat(" ", 100<<20))
	return []frameCase{
		{"a bomb of 100 MB in 100 kB", masked(0x40|finalText, bomb), "close 1009", agreed},
		{"a bomb in pieces", append(masked(0x40|openText, bomb[:1000]), masked(finalMore, bomb[1000:])...), "close 1009", agreed},
		{"a bomb that nobody agreed on", masked(0x40|finalText, bomb), "close 1002", ""},
		{"compressed, the last byte too many", masked(0x40|finalText, deflated(init+strings.Repeat(" ", 128<<10))), "close 1009", agreed},
		{"not compressed, but marked so", masked(0x40|finalText, init), "close 1007", agreed},
		{"compressed, cut off", masked(0x40|finalText, deflated(init)[:50]), "close 1007", agreed},
		{"compressed, and nothing", masked(0x40|finalText, ""), "close 1007", agreed},
		{"compressed text that isn't UTF-8", masked(0x40|finalText, deflated("\xc0\xaf")), "close 1007", agreed},
		{"a compressed ping", masked(0x40|finalPing, deflated("x")), "close 1002", agreed},
		{"a continuation marked as compressed", append(masked(0x40|openText, deflated(init)[:5]), masked(0x40|finalMore, deflated(init)[5:])...), "close 1002", agreed},
		{"compressed, with reserved bit 2", masked(0x60|finalText, deflated(init)), "close 1002", agreed},
		{"compressed nonsense", masked(0x40|finalText, deflated("nonsense")), "close 4400", agreed},
		{"an init twice, compressed", bytes.Repeat(masked(0x40|finalText, deflated(init)), 2), "close 4429", agreed},
	}
}

// rawSocket opens a WebSocket by hand.
func rawSocket(t testing.TB, node *parleytest.Node) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	return rawSocketWith(t, node, "")
}

// rawSocketWith sends lines of its own in the head of the upgrade.
func rawSocketWith(t testing.TB, node *parleytest.Node, lines string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	conn := dialRaw(t, node)
	in := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, strings.TrimSuffix(upgradeRequest, "\r\n")+lines+"\r\n") // that it failed shows when reading
	response, err := http.ReadResponse(in, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake failed: %v, %v", response, err)
	}
	return conn, in
}

// endOf reads frames up to the server's farewell. After it the socket must be closed.
func endOf(in *bufio.Reader) string {
	for {
		//lint:ignore SA1019 the advice is for frames of strangers, which may be of any length: this peer is our own server
		f, err := ws.ReadFrame(in)
		switch {
		case err != nil && isTimeout(err):
			return "silence"
		case err != nil:
			return "cut"
		case f.Header.OpCode != ws.OpClose:
			continue
		}
		word := "close without code"
		if len(f.Payload) >= 2 {
			word = fmt.Sprintf("close %d", binary.BigEndian.Uint16(f.Payload))
		}
		if _, err := io.Copy(io.Discard, in); isTimeout(err) {
			return word + ", but open"
		}
		return word
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

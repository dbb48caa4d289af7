package graphqlws_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"parley/transport"
)

const ping = `{"type":"ping"}`

func TestFrames(t *testing.T) {
	rig := newRig(t, transport.Options{MaxFrame: 64 << 10})
	t.Run("fragments make a message", func(t *testing.T) {
		c := dialRaw(t, rig)
		c.write(c.frame(ws.OpText, false, `{"ty`))
		c.write(c.frame(ws.OpContinuation, false, ``))
		c.write(c.frame(ws.OpContinuation, true, `pe":"ping"}`))
		c.wantPong()
	})
	t.Run("control frames between fragments are handled", func(t *testing.T) {
		c := dialRaw(t, rig)
		c.write(c.frame(ws.OpText, false, `{"ty`))
		c.write(c.frame(ws.OpPing, true, "now"))
		if op, payload := c.readFrame(); op != ws.OpPong || payload != "now" {
			t.Fatalf("got %v %q", op, payload)
		}
		c.write(c.frame(ws.OpPong, true, ""))
		c.write(c.frame(ws.OpContinuation, true, `pe":"ping"}`))
		c.wantPong()
	})
	t.Run("a character may be split between fragments", func(t *testing.T) {
		c := dialRaw(t, rig)
		c.write(c.frame(ws.OpText, false, "{\"type\":\"ping\",\"payload\":{\"a\":\"\xc3"))
		c.write(c.frame(ws.OpContinuation, true, "\xa9\"}}"))
		if _, payload := c.readFrame(); payload != `{"type":"pong","payload":{"a":"é"}}` {
			t.Fatalf("got %s", payload)
		}
	})
	t.Run("byte by byte", func(t *testing.T) {
		c := dialRaw(t, rig)
		for _, b := range c.text(ping) {
			c.write([]byte{b})
		}
		c.wantPong()
	})
	t.Run("many in one write", func(t *testing.T) {
		c := dialRaw(t, rig)
		c.write(bytes.Repeat(c.text(ping), 500))
		for range 500 {
			c.wantPong()
		}
	})
	t.Run("right behind the handshake", func(t *testing.T) {
		frames := string(masked(t, ws.Header{OpCode: ws.OpText, Fin: true}, []byte(ping)))
		c := dialRawWith(t, rig, strings.Repeat(frames, 3))
		for range 3 {
			c.wantPong()
		}
		c.init()
	})
	t.Run("as large as is allowed", func(t *testing.T) {
		c := dialRaw(t, rig)
		fill := strings.Repeat(" ", 64<<10-len(ping))
		c.write(c.text(ping + fill))
		c.wantPong()
	})
}

func (c *rawClient) wantPong() {
	c.t.Helper()
	if op, payload := c.readFrame(); op != ws.OpText || payload != `{"type":"pong"}` {
		c.t.Fatalf("got %v %q, want a pong", op, payload)
	}
}

func TestBadFrames(t *testing.T) {
	rig := newRig(t, transport.Options{MaxFrame: 64 << 10})
	build := func(header ws.Header, payload string) []byte { return masked(t, header, []byte(payload)) }
	text := func(fin bool, payload string) []byte { return build(ws.Header{OpCode: ws.OpText, Fin: fin}, payload) }
	more := func(fin bool, payload string) []byte {
		return build(ws.Header{OpCode: ws.OpContinuation, Fin: fin}, payload)
	}
	huge := func(length uint64) []byte {
		return append(binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, length), 1, 2, 3, 4)
	}
	for name, test := range map[string]struct {
		bytes []byte
		code  int
	}{
		"unmasked":                      {[]byte{0x81, 2, '{', '}'}, 1002},
		"reserved bit":                  {build(ws.Header{OpCode: ws.OpText, Fin: true, Rsv: 4}, ping), 1002},
		"reserved opcode":               {build(ws.Header{OpCode: 3, Fin: true}, ping), 1002},
		"continuation of nothing":       {more(true, ping), 1002},
		"text inside a text":            {append(text(false, "{"), text(true, ping)...), 1002},
		"fragmented ping":               {build(ws.Header{OpCode: ws.OpPing}, ""), 1002},
		"long ping":                     {build(ws.Header{OpCode: ws.OpPing, Fin: true}, strings.Repeat("x", 126)), 1002},
		"length with the highest bit":   {huge(1 << 63), 1002},
		"binary":                        {build(ws.Header{OpCode: ws.OpBinary, Fin: true}, ping), 1003},
		"not UTF-8":                     {text(true, "{\"type\":\"\xff\"}"), 1007},
		"not UTF-8 in fragments":        {append(text(false, "{\"type\":\"\xc3"), more(true, "\"}")...), 1007},
		"too big by its header alone":   {huge(64<<10 + 1), 1009},
		"absurdly big by its header":    {huge(1<<63 - 1), 1009},
		"fragments that are too big":    {append(text(false, strings.Repeat(" ", 60<<10)), more(true, strings.Repeat(" ", 5<<10))...), 1009},
		"close with half a code":        {build(ws.Header{OpCode: ws.OpClose, Fin: true}, "\x03"), 1002},
		"close with a code not in use":  {build(ws.Header{OpCode: ws.OpClose, Fin: true}, "\x00\x01"), 1002},
		"close with a reserved code":    {build(ws.Header{OpCode: ws.OpClose, Fin: true}, "\x03\xed"), 1002},
		"close with a text not UTF-8":   {build(ws.Header{OpCode: ws.OpClose, Fin: true}, "\x03\xe8\xff"), 1002},
		"close in the middle of a text": {append(text(false, "{"), build(ws.Header{OpCode: ws.OpClose, Fin: true}, "\x03\xe8")...), 1000},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, rig)
			c.write(test.bytes)
			c.wantClose(test.code)
			c.hangUp()
		})
	}
}

// hangUp says no more, and waits for the server to do the same.
func (c *rawClient) hangUp() {
	c.t.Helper()
	if half, ok := c.socket.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			c.t.Fatal(err)
		}
	}
	c.wantEOF()
}

func TestClose(t *testing.T) {
	rig := newRig(t, transport.Options{})
	for name, test := range map[string]struct {
		payload string
		code    int
	}{
		"with a code":                     {"\x03\xe8bye", 1000},
		"with an application's code":      {"\x11\x94", 4500},
		"without a code":                  {"", 1005},
		"with a code that nobody defined": {"\x0f\xa0", 4000},
	} {
		t.Run(name+" is answered with the same, and the socket closed", func(t *testing.T) {
			c := dialRaw(t, rig)
			c.init()
			c.write(c.frame(ws.OpClose, true, test.payload))
			c.wantClose(test.code)
			c.wantEOF()
		})
	}
	t.Run("the server closes once its close was answered", func(t *testing.T) {
		c := dialRaw(t, rig)
		c.write(c.text(`{"type":"nonsense"}`))
		c.wantClose(4400)
		c.write(c.frame(ws.OpClose, true, "\x11\x30"))
		c.wantEOF()
	})
	t.Run("reason texts fit into a frame", func(t *testing.T) {
		c := dialRaw(t, rig)
		c.init()
		id := strings.Repeat("é", 60)
		for range 2 {
			c.write(c.text(`{"type":"subscribe","id":"` + id + `","payload":{"query":"subscription { ticks(log: \"a\") }"}}`))
		}
		c.wantClose(4409) // checks the length
	})
}

package graphqlws_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"parley/transport"
	"parley/transport/transporttest"
)

// inflated inflates a message as RFC 7692 §7.2.2 says, by a standard inflater that takes nothing amiss in silence.
func inflated(t testing.TB, data []byte) []byte {
	t.Helper()
	in := bytes.NewReader(append(bytes.Clone(data), 0, 0, 0xff, 0xff))
	text, err := io.ReadAll(flate.NewReader(in))
	// No block was marked as the last one, so the inflater would like more when all is said.
	if !errors.Is(err, io.ErrUnexpectedEOF) || in.Len() > 0 {
		t.Fatalf("%x: %v, %d bytes left", data, err, in.Len())
	}
	return text
}

// deflate compresses a message as RFC 7692 §7.2.1 says.
func deflate(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// rsv1 marks a compressed message.
var rsv1 = ws.Rsv(true, false, false)

func TestCompressedMessages(t *testing.T) {
	rig := transporttest.NewRig(t, transport.Options{MaxFrame: 64 << 10}, deflating)
	build := func(header ws.Header, payload string) []byte { return masked(t, header, []byte(payload)) }
	whole := func(payload string) []byte { return build(ws.Header{OpCode: ws.OpText, Fin: true, Rsv: rsv1}, payload) }
	last := "\x01\x10\x00\xef\xff" + "{\"type\":\"ping\"} " + "\x00" // a stored block, marked as the last; an empty one
	for name, messages := range map[string][][]byte{
		"compressed":                    {whole(deflate(t, ping))},
		"as it is":                      {build(ws.Header{OpCode: ws.OpText, Fin: true}, ping)},
		"one by one":                    {whole(deflate(t, ping)), build(ws.Header{OpCode: ws.OpText, Fin: true}, ping), whole(deflate(t, ping))},
		"in a stored block":             {whole("\x00\x0f\x00\xf0\xff" + ping + "\x00")},
		"with a block that is the last": {whole(last)},
		"as large as is allowed":        {whole(deflate(t, ping+strings.Repeat(" ", 64<<10-len(ping))))},
		"in fragments": {
			append(build(ws.Header{OpCode: ws.OpText, Rsv: rsv1}, deflate(t, ping)[:5]),
				build(ws.Header{OpCode: ws.OpContinuation, Fin: true}, deflate(t, ping)[5:])...),
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialDeflating(t, rig)
			for _, message := range messages {
				c.write(message)
				c.wantPong()
			}
		})
	}
	t.Run("control frames between fragments are handled", func(t *testing.T) {
		c := dialDeflating(t, rig)
		c.write(build(ws.Header{OpCode: ws.OpText, Rsv: rsv1}, deflate(t, ping)[:5]))
		c.write(c.frame(ws.OpPing, true, "now"))
		if op, payload := c.readFrame(); op != ws.OpPong || payload != "now" {
			t.Fatalf("got %v %q", op, payload)
		}
		c.write(build(ws.Header{OpCode: ws.OpContinuation, Fin: true}, deflate(t, ping)[5:]))
		c.wantPong()
	})
}

func TestBadCompressedMessages(t *testing.T) {
	rig := transporttest.NewRig(t, transport.Options{MaxFrame: 64 << 10}, deflating)
	build := func(header ws.Header, payload string) []byte { return masked(t, header, []byte(payload)) }
	whole := func(payload string) []byte { return build(ws.Header{OpCode: ws.OpText, Fin: true, Rsv: rsv1}, payload) }
	begun := build(ws.Header{OpCode: ws.OpText, Rsv: rsv1}, deflate(t, ping)[:5])
	for name, test := range map[string]struct {
		bytes []byte
		code  int
	}{
		"the mark on a continuation": {append(bytes.Clone(begun), build(ws.Header{OpCode: ws.OpContinuation, Fin: true, Rsv: rsv1}, deflate(t, ping)[5:])...), 1002},
		"the mark on a ping":         {build(ws.Header{OpCode: ws.OpPing, Fin: true, Rsv: rsv1}, ""), 1002},
		"the mark on a close":        {build(ws.Header{OpCode: ws.OpClose, Fin: true, Rsv: rsv1}, ""), 1002},
		"another reserved bit":       {build(ws.Header{OpCode: ws.OpText, Fin: true, Rsv: ws.Rsv(true, true, false)}, deflate(t, ping)), 1002},
		"a compressed binary":        {build(ws.Header{OpCode: ws.OpBinary, Fin: true, Rsv: rsv1}, deflate(t, ping)), 1003},
		"no data":                    {whole(""), 1007},
		"no deflate data":            {whole(ping), 1007},
		"data cut off":               {whole(deflate(t, ping)[:10]), 1007},
		"a block of no kind":         {whole("\x07"), 1007},
		"a match before the text":    {whole("\x03\x02\x00"), 1007},
		"more behind the last block": {whole("\x01\x01\x00\xfe\xff{" + "\x00\x01\x00\xfe\xff}" + "\x00"), 1007},
		"text that isn't UTF-8":      {whole(deflate(t, "{\"type\":\"\xff\"}")), 1007},
		"one byte too many":          {whole(deflate(t, strings.Repeat(" ", 64<<10+1))), 1009},
		"a bomb":                     {whole(deflate(t, strings.Repeat("\x00", 50<<20))), 1009},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialDeflating(t, rig)
			c.write(test.bytes)
			c.wantClose(test.code)
			c.hangUp()
		})
	}
	t.Run("the mark where nothing was agreed on", func(t *testing.T) {
		c := dialRaw(t, rig)
		c.write(whole(deflate(t, ping)))
		c.wantClose(1002)
		c.hangUp()
	})
}

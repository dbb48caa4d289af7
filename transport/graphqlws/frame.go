package graphqlws

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"parley/transport"
)

// Server frames are final and unmasked (RFC 6455 §5.2), so a frame is a header and the payload.

const maxHeader = 10

// deflated, beside an opcode, is the bit that marks a compressed message (RFC 7692 §6).
const deflated ws.OpCode = 0x40

// appendHeader appends the header of a final, unmasked frame.
func appendHeader(dst []byte, op ws.OpCode, length int) []byte {
	dst = append(dst, 0x80|byte(op))
	switch {
	case length < 126:
		return append(dst, byte(length))
	case length < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 127), uint64(length))
	}
}

// frame returns a final, unmasked frame.
func frame(op ws.OpCode, payload []byte) []byte {
	return append(appendHeader(make([]byte, 0, maxHeader+len(payload)), op, len(payload)), payload...)
}

// closeFrame returns a close frame; code 1005 means that there is none to be sent.
func closeFrame(code int, text string) []byte {
	if code == int(ws.StatusNoStatusRcvd) {
		return frame(ws.OpClose, nil)
	}
	return frame(ws.OpClose, append(binary.BigEndian.AppendUint16(nil, uint16(code)), text...))
}

// message is a whole message of the peer.
type message struct {
	op      ws.OpCode
	payload []byte
}

// messageBuffers hold a message while it is being handled.
var messageBuffers = sync.Pool{New: func() any { return new([]byte) }}

const maxPooledMessage = 16 << 10

// maxFragments bounds the frames of one message, which may be empty.
const maxFragments = 1000

// withBuffer lends a buffer, and keeps it for the next message unless it has become large.
func withBuffer(use func(buffer *[]byte) error) error {
	pooled := messageBuffers.Get().(*[]byte)
	defer func() {
		if cap(*pooled) <= maxPooledMessage {
			messageBuffers.Put(pooled)
		}
	}()
	*pooled = (*pooled)[:0]
	return use(pooled)
}

// reader reads messages. The bytes of one, as it came and inflated, are both within limit.
type reader struct {
	limit int
	// deflates: messages may be compressed.
	deflates bool
}

// message reads frames until a text message or a control frame is whole, and has it handled.
// Control frames between the fragments of a message are handled on the way (RFC 6455 §5.4). The
// payload is only valid while handle runs.
func (r reader) message(in *bufio.Reader, handle func(message) error) error {
	return withBuffer(func(text *[]byte) error {
		whole, compressed, err := r.text(in, text, handle)
		switch {
		case err != nil || !whole:
			return err
		case !compressed:
			return handleText(*text, handle)
		}
		return withBuffer(func(inflated *[]byte) (err error) {
			if *inflated, err = inflate(*inflated, *text, r.limit); err != nil {
				return err
			}
			return handleText(*inflated, handle)
		})
	})
}

func handleText(text []byte, handle func(message) error) error {
	if !utf8.Valid(text) {
		return transport.ReasonNotUTF8
	}
	return handle(message{ws.OpText, text})
}

// text reads into buf until a text message is whole, or else only a control frame was.
func (r reader) text(in *bufio.Reader, buf *[]byte, handle func(message) error) (whole, compressed bool, err error) {
	fragments := 0
	state := ws.StateServerSide
	for {
		header, marked, err := r.header(in, state)
		if err != nil {
			return false, false, err
		}
		if header.OpCode.IsControl() {
			if err := handleControl(in, header, handle); err != nil || !state.Fragmented() {
				return false, false, err
			}
			continue
		}
		if header.OpCode == ws.OpBinary {
			return false, false, transport.ReasonNotText
		}
		compressed = compressed || marked
		if fragments++; fragments > maxFragments {
			return false, false, transport.ReasonTooBig.Because(fmt.Sprintf("Messages are limited to %d fragments", maxFragments))
		}
		if header.Length > int64(r.limit-len(*buf)) {
			return false, false, tooBig(r.limit)
		}
		if *buf, err = readPayload(in, header, *buf); err != nil {
			return false, false, err
		}
		if header.Fin {
			return true, compressed, nil
		}
		state = state.Set(ws.StateFragmented)
	}
}

func tooBig(limit int) error {
	return transport.ReasonTooBig.Because(fmt.Sprintf("Messages are limited to %d bytes", limit))
}

// header reads a frame's header. Marked is one that begins a compressed message.
func (r reader) header(in *bufio.Reader, state ws.State) (header ws.Header, marked bool, err error) {
	header, err = ws.ReadHeader(in)
	if err == nil {
		begins := header.OpCode == ws.OpText || header.OpCode == ws.OpBinary
		if marked = r.deflates && begins && header.Rsv1(); marked {
			header.Rsv &^= ws.Rsv(true, false, false)
		}
		err = ws.CheckHeader(header, state)
	}
	if _, breach := errors.AsType[ws.ProtocolError](err); breach ||
		errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
		return header, false, transport.ReasonBadFrame.Because(err.Error())
	}
	return header, marked, err
}

// readPayload appends a frame's unmasked payload. The buffer grows with what comes, not with what
// the header promises.
func readPayload(in io.Reader, header ws.Header, dst []byte) ([]byte, error) {
	const step = 4 << 10
	start := len(dst)
	for left := int(header.Length); left > 0; {
		n := min(left, step)
		dst = append(dst, make([]byte, n)...)
		if _, err := io.ReadFull(in, dst[len(dst)-n:]); err != nil {
			return dst, err
		}
		left -= n
	}
	ws.Cipher(dst[start:], header.Mask, 0)
	return dst, nil
}

func handleControl(in io.Reader, header ws.Header, handle func(message) error) error {
	payload, err := readPayload(in, header, nil) // at most 125 bytes: the header was checked
	if err != nil {
		return err
	}
	return handle(message{header.OpCode, payload})
}

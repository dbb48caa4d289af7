package graphqlws

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"runtime"
	"sync"

	"github.com/gobwas/ws"

	"parley/delivery"
)

// Messages are compressed each by itself (RFC 7692, server_no_context_takeover), so that no connection keeps a context
// and many share the result. Of an event everything but the operation's id is compressed once for all:
//
//	blocks of prefix and payload │ a stored block of the suffix (,"id":"…"}) │ the beginning of an empty one
//
// The suffix is a lane's, and the same whether an event is compressed or not: what begins the empty block is a space,
// of which a deflate stream reads the lower three bits only, 000, and JSON nothing.

const (
	// minShared is how long an event's message must be to be compressed, once for all connections of a group: shorter
	// ones repeat too little to become shorter.
	minShared = 256
	// minAlone is that of all other messages, each compressed for one connection.
	minAlone = 1024
)

// deflater compresses messages. It takes 1.2 MB, so there are few.
type deflater struct {
	out   bytes.Buffer
	flate *flate.Writer
}

var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.flate, _ = flate.NewWriter(&d.out, flate.BestSpeed) // no other level is reset as quickly; this one exists
	return d
}}

// Turns to use a deflater. A result that finds none is sent as it is: it may be long, and events wait for nothing that is.
var (
	sharedTurns = make(chan struct{}, runtime.GOMAXPROCS(0))
	aloneTurns  = make(chan struct{}, runtime.GOMAXPROCS(0))
)

// deflateTo appends blocks of a text, and what begins an empty one: a compressed message, unless more follows. It
// appends nothing if less than spare bytes are saved by that.
func deflateTo(dst []byte, spare int, text ...[]byte) []byte {
	d := deflaters.Get().(*deflater)
	defer d.release()
	d.out.Reset()
	d.flate.Reset(&d.out)
	length := 0
	for _, part := range text {
		length += len(part)
		_, _ = d.flate.Write(part) // a buffer takes everything
	}
	_ = d.flate.Flush()
	blocks := bytes.TrimSuffix(d.out.Bytes(), []byte(emptyBlock))
	if len(blocks)+spare > length {
		return dst
	}
	return append(dst, blocks...)
}

func (d *deflater) release() {
	if d.out.Cap() <= maxPooledMessage {
		deflaters.Put(d)
	}
}

// textFrame returns the frame of a text message of a connection that deflates.
func textFrame(text []byte, deflates bool) []byte {
	if deflates && len(text) >= minAlone {
		select {
		case aloneTurns <- struct{}{}:
			defer func() { <-aloneTurns }()
			if compressed := deflateTo(nil, 1, text); compressed != nil {
				return frame(ws.OpText|deflated, compressed)
			}
		default:
		}
	}
	return frame(ws.OpText, text)
}

// deflatedFraming is how an event becomes a compressed message, or one as it is if that isn't longer.
type deflatedFraming framing

// blockHead is the length of a stored block's, which follows its first three bits and padding.
const blockHead = 4

// AppendEvent implements delivery.Framing.
func (d deflatedFraming) AppendEvent(dst []byte, e *delivery.Event) []byte {
	blocks := e.Frame(sharedBlocks{d.prefix})
	if len(blocks) == 0 {
		return framing(d).AppendEvent(dst, e)
	}
	dst = appendHeader(dst, ws.OpText|deflated, len(blocks)+blockHead+d.suffix)
	dst = append(dst, blocks...)
	stored := uint16(d.suffix - 1) // an id is short
	return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(dst, stored), ^stored)
}

// sharedBlocks is what the messages of an event have in common, whatever the ids: blocks, and the first byte of a stored
// one. There is nothing if that isn't worth it.
type sharedBlocks struct{ prefix string }

// AppendEvent implements delivery.Framing.
func (s sharedBlocks) AppendEvent(dst []byte, e *delivery.Event) []byte {
	if len(s.prefix)+len(e.Payload) < minShared {
		return dst
	}
	sharedTurns <- struct{}{}
	defer func() { <-sharedTurns }()
	return deflateTo(dst, blockHead, []byte(s.prefix), e.Payload)
}

package wire

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"sync/atomic"
)

// Inflater inflates what a server compresses, each message by itself (RFC 7692). It remembers what came last, since a
// message for many is the same bytes for each: so it is inflated once, and looked up by all others.
type Inflater struct {
	seed   maphash.Seed
	recent [1 << 10]atomic.Pointer[inflated]
}

type inflated struct{ data, text []byte }

// NewInflater returns one that remembers nothing.
func NewInflater() *Inflater { return &Inflater{seed: maphash.MakeSeed()} }

// Text returns the text of a message, which isn't to be changed.
func (i *Inflater) Text(data []byte) ([]byte, error) {
	slot := &i.recent[maphash.Bytes(i.seed, data)%uint64(len(i.recent))]
	if known := slot.Load(); known != nil && bytes.Equal(known.data, data) {
		return known.text, nil
	}
	in := bytes.NewReader(append(bytes.Clone(data), 0, 0, 0xff, 0xff))
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(in), maxPayload))
	if !errors.Is(err, io.ErrUnexpectedEOF) || in.Len() > 0 { // no block is marked as the last one
		return nil, fmt.Errorf("%w: compressed data: %v", ErrProtocol, err)
	}
	slot.Store(&inflated{bytes.Clone(data), text})
	return text, nil
}

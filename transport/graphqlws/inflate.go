package graphqlws

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"slices"
	"sync"

	"parley/transport"
)

const (
	// emptyBlock is the rest of an empty block, which compressed messages leave out at their end (RFC 7692 §7.2.1).
	emptyBlock = "\x00\x00\xff\xff"
	// lastBlock is one more, marked as the last, which tells the inflater that this was all.
	lastBlock = "\x01\x00\x00\xff\xff"
)

// inflater inflates messages, each of them by itself.
type inflater struct {
	in    bytes.Reader
	flate io.ReadCloser
}

var inflaters = sync.Pool{New: func() any {
	i := new(inflater)
	i.flate = flate.NewReader(&i.in)
	return i
}}

// inflate appends what a compressed message says, and stops where that is more than limit bytes. It writes behind data,
// where there is room.
func inflate(dst, data []byte, limit int) ([]byte, error) {
	i := inflaters.Get().(*inflater)
	defer inflaters.Put(i)
	i.in.Reset(append(append(data, emptyBlock...), lastBlock...))
	defer i.in.Reset(nil)
	if err := i.flate.(flate.Resetter).Reset(&i.in, nil); err != nil {
		return dst, err
	}
	const step = 4 << 10
	for start := len(dst); ; {
		dst = slices.Grow(dst, step)
		n, err := i.flate.Read(dst[len(dst):min(cap(dst), start+limit+1)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst)-start > limit:
			return dst, tooBig(limit)
		case errors.Is(err, io.EOF):
			return dst, i.atEnd()
		case err != nil:
			return dst, transport.ReasonNotDeflated
		}
	}
}

// atEnd checks that nothing is left. A client may have marked a block of its own as the last one (§7.2.3.4); what
// follows that is the empty block's beginning only.
func (i *inflater) atEnd() error {
	left := i.in.Len()
	if left == 0 || left == 1+len(emptyBlock)+len(lastBlock) {
		return nil
	}
	return transport.ReasonNotDeflated
}

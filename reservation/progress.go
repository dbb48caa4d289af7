package reservation

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strings"

	"parley/eventlog"
)

// ErrBadProgress says that a string isn't a position on a stream of the reservation.
var ErrBadProgress = errors.New("this is not a position on this stream")

// Progress is what the client has got of all operations on a stream. Clients hold it as an opaque string, the
// stream's id: and Last-Event-ID. It proves nothing and widens nobody's access.
type Progress struct {
	// Answers is twice the number of the last answer; one less when of that answer the response has come, but
	// not the end.
	Answers uint64

	reached []reached // by number, ascending
}

// reached is how far one subscription to a log has come.
type reached struct {
	number uint64
	cursor eventlog.Cursor // without the log, which the reservation knows
}

const (
	progressVersion = 1
	// maxProgress bounds what is decoded, in characters: more than [MostOperations] positions take.
	maxProgress = 8192
)

// Move notes how far a subscription has come; a cursor that is none is nothing to note.
func (p *Progress) Move(number uint64, to eventlog.Cursor) {
	if to.Kind != eventlog.CursorLog {
		return
	}
	to.Log = ""
	i, found := p.place(number)
	if found {
		p.reached[i].cursor = to
		return
	}
	p.reached = slices.Insert(p.reached, i, reached{number, to})
}

// Drop forgets a subscription that has ended.
func (p *Progress) Drop(number uint64) {
	if i, found := p.place(number); found {
		p.reached = slices.Delete(p.reached, i, i+1)
	}
}

// At returns how far a subscription to a log has come; the zero Cursor if that isn't known.
func (p *Progress) At(number uint64, log string) eventlog.Cursor {
	i, found := p.place(number)
	if !found {
		return eventlog.Cursor{}
	}
	cursor := p.reached[i].cursor
	cursor.Log = log
	return cursor
}

func (p *Progress) place(number uint64) (int, bool) {
	return slices.BinarySearchFunc(p.reached, number, func(r reached, n uint64) int {
		switch {
		case r.number < n:
			return -1
		case r.number > n:
			return 1
		}
		return 0
	})
}

// Append appends the opaque form, for the reservation with an id.
func (p *Progress) Append(dst []byte, id string) []byte {
	b := make([]byte, 0, 16+24*len(p.reached))
	b = binary.AppendUvarint(append(b, progressVersion), p.Answers)
	for _, r := range p.reached {
		at := r.cursor.Position
		b = binary.AppendUvarint(b, r.number)
		b = binary.BigEndian.AppendUint32(b, at.Epoch)
		b = binary.AppendUvarint(b, at.Offset)
		b = binary.BigEndian.AppendUint32(b, at.Check)
		b = binary.AppendUvarint(b, r.cursor.Seq)
		b = binary.AppendUvarint(b, r.cursor.State)
	}
	b = binary.BigEndian.AppendUint32(b, sum(b, id))
	return base64.RawURLEncoding.AppendEncode(dst, b)
}

// sum is wrong for another reservation's.
func sum(b []byte, id string) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte(id)), crc32.IEEETable, b)
}

// ParseProgress decodes the opaque form of the reservation with an id; anything else is [ErrBadProgress].
func ParseProgress(text, id string) (Progress, error) {
	if len(text) > maxProgress || strings.ContainsAny(text, "\r\n") { // base64 skips line breaks
		return Progress{}, ErrBadProgress
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 6 || b[0] != progressVersion {
		return Progress{}, ErrBadProgress
	}
	body := b[:len(b)-4]
	if binary.BigEndian.Uint32(b[len(b)-4:]) != sum(body, id) {
		return Progress{}, ErrBadProgress
	}
	d := decoder{rest: body[1:]}
	p := Progress{Answers: d.uvarint()}
	for len(d.rest) > 0 && !d.bad {
		r := reached{number: d.uvarint(), cursor: eventlog.Cursor{Kind: eventlog.CursorLog}}
		r.cursor.Position = eventlog.Position{Epoch: d.uint32(), Offset: d.uvarint(), Check: d.uint32()}
		r.cursor.Seq, r.cursor.State = d.uvarint(), d.uvarint()
		if n := len(p.reached); n > 0 && p.reached[n-1].number >= r.number {
			d.bad = true
		}
		p.reached = append(p.reached, r)
	}
	if d.bad {
		return Progress{}, ErrBadProgress
	}
	return p, nil
}

// decoder reads the binary form; the first thing that doesn't fit makes all of it bad.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uint32() uint32 {
	if d.bad || len(d.rest) < 4 {
		d.bad = true
		return 0
	}
	v := binary.BigEndian.Uint32(d.rest)
	d.rest = d.rest[4:]
	return v
}

// uvarint refuses what Go's own encoder wouldn't have written, so that one position has one form.
func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.bad || n <= 0 || len(binary.AppendUvarint(nil, v)) != n {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

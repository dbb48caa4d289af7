package eventlog

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
)

// ErrBadCursor says that a string isn't a cursor of ours, or not one of the kind asked for.
var ErrBadCursor = errors.New("not a valid cursor")

// CursorKind says which list a cursor belongs to; the wrong kind is refused.
type CursorKind uint8

const (
	// CursorLog is a position in a room's log, good for resuming and for paging messages.
	CursorLog CursorKind = iota + 1
	// CursorMembers, CursorRooms and CursorPublicRooms are places in lists; Key sorts them.
	CursorMembers
	CursorRooms
	CursorPublicRooms
)

// Cursor is what clients hold, as an opaque string, and give back to go on from. It proves
// nothing and widens nobody's access: whoever gives it back is authorized anew.
type Cursor struct {
	Kind CursorKind
	// Log is the room the cursor belongs to; empty for lists that span rooms.
	Log string
	// Position and Seq are for CursorLog: the log's position, by which to resume, and the count
	// of messages up to it, by which to page.
	Position Position
	Seq      uint64
	// State is the version of the room's receipts seen so far; 0 when not known.
	State uint64
	// Key is for lists: the sort key of the row.
	Key string
}

const (
	cursorVersion = 1
	// MaxCursorLength bounds what is decoded, in characters.
	MaxCursorLength = 1024
)

// String returns the opaque form.
func (c Cursor) String() string { return string(c.Append(make([]byte, 0, 128))) }

// Append appends the opaque form, which needs no escapes in JSON.
func (c Cursor) Append(dst []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(dst, c.appendBinary(make([]byte, 0, 96)))
}

func (c Cursor) appendBinary(b []byte) []byte {
	b = append(b, cursorVersion, byte(c.Kind))
	b = appendText(b, c.Log)
	if c.Kind == CursorLog {
		b = binary.BigEndian.AppendUint32(b, c.Position.Epoch)
		b = binary.AppendUvarint(b, c.Position.Offset)
		b = binary.BigEndian.AppendUint32(b, c.Position.Check)
		b = binary.AppendUvarint(b, c.Seq)
		b = binary.AppendUvarint(b, c.State)
	} else {
		b = appendText(b, c.Key)
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// ParseCursor decodes the opaque form; anything else is ErrBadCursor.
func ParseCursor(s string) (Cursor, error) {
	if len(s) > MaxCursorLength {
		return Cursor{}, fmt.Errorf("%w: too long", ErrBadCursor)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < 6 || strings.ContainsAny(s, "\r\n") { // base64 skips line breaks
		return Cursor{}, ErrBadCursor
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.ChecksumIEEE(body) != sum || body[0] != cursorVersion {
		return Cursor{}, ErrBadCursor
	}
	c := Cursor{Kind: CursorKind(body[1])}
	d := decoder{rest: body[2:]}
	c.Log = d.text()
	switch c.Kind {
	case CursorLog:
		c.Position = Position{Epoch: d.uint32(), Offset: d.uvarint(), Check: d.uint32()}
		c.Seq, c.State = d.uvarint(), d.uvarint()
	case CursorMembers, CursorRooms, CursorPublicRooms:
		c.Key = d.text()
	default:
		d.bad = true
	}
	if d.bad || len(d.rest) > 0 {
		return Cursor{}, ErrBadCursor
	}
	return c, nil
}

// Of returns ErrBadCursor unless the cursor is of the kind and log given.
func (c Cursor) Of(kind CursorKind, log string) error {
	if c.Kind != kind {
		return fmt.Errorf("%w: it belongs to another kind of list", ErrBadCursor)
	}
	if c.Log != log {
		return fmt.Errorf("%w: it belongs to another room", ErrBadCursor)
	}
	return nil
}

// MarshalGQL writes the cursor as a GraphQL string (gqlgen's graphql.Marshaler).
func (c Cursor) MarshalGQL(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(c.String())) }

// UnmarshalGQL reads a cursor from a GraphQL value (gqlgen's graphql.Unmarshaler). The empty
// string is the zero Cursor: no cursor at all.
func (c *Cursor) UnmarshalGQL(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("%w: a string is expected", ErrBadCursor)
	}
	if s == "" {
		*c = Cursor{}
		return nil
	}
	parsed, err := ParseCursor(s)
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}

// decoder reads the binary form; the first thing that doesn't fit makes all of it bad.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.rest)) {
		d.bad = true
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// uvarint refuses what Go's own encoder wouldn't have written, so that one cursor has one form.
func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || len(binary.AppendUvarint(nil, v)) != n {
		d.bad = true
		return 0
	}
	d.take(uint64(n))
	return v
}

func (d *decoder) text() string { return string(d.take(d.uvarint())) }

package wire

import (
	"bytes"
	"fmt"
	"strconv"
)

// Lines decodes texts that end with a newline each.
type Lines struct{}

// Next cuts off a line.
func (Lines) Next(received []byte) (int, Message, error) {
	end := bytes.IndexByte(received, '\n')
	if end < 0 {
		return 0, Message{}, nil
	}
	return end + 1, Message{Text: received[:end]}, nil
}

// Chunks decodes a body in chunks (RFC 9112 §7.1), without extensions and trailers. Each chunk is a message:
// Parley's event streams put no event across two.
type Chunks struct{}

const maxChunkLine = 18 // 16 hexadecimal digits, CR, LF

// Next cuts off a chunk.
func (Chunks) Next(received []byte) (int, Message, error) {
	end := bytes.IndexByte(received, '\n')
	if end < 0 && len(received) < maxChunkLine {
		return 0, Message{}, nil
	}
	if end < 1 || end >= maxChunkLine || received[end-1] != '\r' {
		return 0, Message{}, fmt.Errorf("%w: the chunk %.18q", ErrProtocol, received)
	}
	length, err := strconv.ParseUint(string(received[:end-1]), 16, 32)
	switch {
	case err != nil || length > maxPayload:
		return 0, Message{}, fmt.Errorf("%w: the chunk %.18q", ErrProtocol, received)
	case length == 0:
		return 0, Message{}, ErrEnded
	}
	from, size := end+1, end+1+int(length)+2
	if len(received) < size {
		return 0, Message{}, nil
	}
	if received[size-2] != '\r' || received[size-1] != '\n' {
		return 0, Message{}, fmt.Errorf("%w: a chunk without its end", ErrProtocol)
	}
	return size, Message{Text: received[from : size-2]}, nil
}

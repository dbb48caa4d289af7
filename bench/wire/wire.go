// Package wire cuts what servers send into messages, in place: a decoder keeps nothing between calls, so that
// thousands of connections need no buffer each.
package wire

import "errors"

// Message is one whole unit of a protocol: a frame, a chunk, a line.
type Message struct {
	// Text is what was sent, without its frame. It is a part of what was given, or shared with others if that was
	// compressed.
	Text []byte
	// Reply is what the server waits for, such as the answer to a ping; nil for nothing.
	Reply []byte
}

// Decoder knows a protocol. Implementations are safe for concurrent use.
type Decoder interface {
	// Next cuts the first message off what was received, and returns how long it was on the wire: 0 while its
	// end isn't there yet. An error means that the connection is of no use any more.
	Next(received []byte) (size int, m Message, err error)
}

// ErrProtocol is sent for what this package doesn't understand; [ErrEnded] for an end by the server.
var (
	ErrProtocol = errors.New("not what the protocol says")
	ErrEnded    = errors.New("the server ended the stream")
)

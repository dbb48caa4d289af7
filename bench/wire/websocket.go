package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The opcodes of RFC 6455 §5.2 that servers send.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xa

	final      = 0x80
	compressed = 0x40
	masked     = 0x80
	maxPayload = 1 << 24
)

// WebSocket decodes a server's frames: not masked, and each a whole message, as all the servers here send them.
type WebSocket struct {
	// Reply says what a text has to be answered by, as a text; nil for nothing. A nil Reply answers nothing.
	// Pings of the WebSocket itself are answered anyway.
	Reply func(text []byte) []byte
	// Inflater is for texts that are compressed; nil where that wasn't offered.
	Inflater *Inflater
}

// Next cuts off a frame.
func (w WebSocket) Next(received []byte) (int, Message, error) {
	if len(received) < 2 {
		return 0, Message{}, nil
	}
	header, length := 2, uint64(received[1]&^masked)
	switch length {
	case 126:
		if header = 4; len(received) < header {
			return 0, Message{}, nil
		}
		length = uint64(binary.BigEndian.Uint16(received[2:]))
	case 127:
		if header = 10; len(received) < header {
			return 0, Message{}, nil
		}
		length = binary.BigEndian.Uint64(received[2:])
	}
	if received[0]&final == 0 || received[1]&masked != 0 || length > maxPayload {
		return 0, Message{}, fmt.Errorf("%w: the frame %x", ErrProtocol, received[:header])
	}
	size := header + int(length)
	if len(received) < size {
		return 0, Message{}, nil
	}
	payload := received[header:size:size]
	if received[0]&compressed != 0 {
		if w.Inflater == nil || received[0]&0xf != opText {
			return 0, Message{}, fmt.Errorf("%w: the compressed frame %x", ErrProtocol, received[:header])
		}
		var err error
		if payload, err = w.Inflater.Text(payload); err != nil {
			return 0, Message{}, err
		}
	}
	m, err := w.message(received[0]&0xf, payload)
	return size, m, err
}

func (w WebSocket) message(op byte, payload []byte) (Message, error) {
	switch op {
	case opText:
		m := Message{Text: payload}
		if w.Reply != nil {
			if reply := w.Reply(payload); reply != nil {
				m.Reply = Frame(opText, reply)
			}
		}
		return m, nil
	case opPing:
		return Message{Reply: Frame(opPong, payload)}, nil
	case opPong:
		return Message{}, nil
	case opClose:
		return Message{}, fmt.Errorf("%w: %q", ErrEnded, bytes.ToValidUTF8(payload[min(2, len(payload)):], nil))
	default:
		return Message{}, fmt.Errorf("%w: opcode %d", ErrProtocol, op)
	}
}

// Text is a client's frame with a text.
func Text(text []byte) []byte { return Frame(opText, text) }

// Frame is a client's frame: masked, as it must be (RFC 6455 §5.3), by the key 0, which changes nothing and is
// no less work for the server.
func Frame(op byte, payload []byte) []byte {
	frame := append(make([]byte, 0, len(payload)+14), final|op)
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, masked|byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, masked|126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, masked|127), uint64(n))
	}
	return append(append(frame, 0, 0, 0, 0), payload...)
}

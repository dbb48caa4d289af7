package transport

import (
	"net/http"
	"strconv"
)

// Body is how the body of a response that goes on is coded.
type Body uint8

const (
	// Chunked is HTTP/1.1's chunked transfer coding (RFC 9112 §7.1).
	Chunked Body = iota
	// Plain is for HTTP/2, which frames bodies itself (RFC 9113 §8.1).
	Plain
)

// BodyOf returns how the response to a request is coded.
func BodyOf(r *http.Request) Body {
	if r.ProtoMajor >= 2 {
		return Plain
	}
	return Chunked
}

// Part codes a part of the body.
func (b Body) Part(data []byte) []byte { return b.Append(make([]byte, 0, len(data)+12), data) }

// Append appends what Part returns.
func (b Body) Append(dst, data []byte) []byte {
	if b == Plain {
		return append(dst, data...)
	}
	dst = append(strconv.AppendInt(dst, int64(len(data)), 16), '\r', '\n')
	return append(append(dst, data...), '\r', '\n')
}

// End returns what ends the body.
func (b Body) End() string {
	if b == Plain {
		return "" // the stream does
	}
	return "0\r\n\r\n"
}

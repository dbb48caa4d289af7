package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// contentSize is how long a message's content is, in bytes, where a workload says nothing else.
const contentSize = 100

// mark stands on both sides of what a content says of its message, and nowhere else in what servers send.
const mark = '~'

// stamp is what a content says of its message: which of its room's it is, counted from 1, or 0 for a probe; and when
// it was sent, since the crowd began.
type stamp struct {
	room   int
	number int64
	sent   time.Duration
}

// content is a message's, of so many bytes.
func (s stamp) content(size int) string {
	text := fmt.Sprintf("%c%d.%d.%d%c ", mark, s.room, s.number, s.sent.Nanoseconds(), mark)
	return text + strings.Repeat("x", max(0, size-len(text)))
}

// nextStamp finds the first stamp in what was received, and returns what comes behind it.
func nextStamp(text []byte) (s stamp, rest []byte, found bool) {
	for {
		from := bytes.IndexByte(text, mark)
		if from < 0 {
			return stamp{}, nil, false
		}
		text = text[from+1:]
		room, text1, ok1 := digits(text, '.')
		number, text2, ok2 := digits(text1, '.')
		sent, text3, ok3 := digits(text2, mark)
		if ok1 && ok2 && ok3 {
			return stamp{int(room), number, time.Duration(sent)}, text3, true
		}
	}
}

// digits reads a number that ends with that character.
func digits(text []byte, end byte) (n int64, rest []byte, ok bool) {
	for i, c := range text {
		if c == end {
			return n, text[i+1:], i > 0
		}
		if c < '0' || c > '9' || i > 18 {
			break
		}
		n = n*10 + int64(c-'0')
	}
	return 0, nil, false
}

package redis

import (
	"bytes"
	"encoding/json"
	"sync"
)

// encoder is a buffer and what writes JSON into it, used again and again.
type encoder struct {
	text bytes.Buffer
	json *json.Encoder
}

// maxPooled bounds the buffers that are kept.
const maxPooled = 16 << 10

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.json = json.NewEncoder(&e.text)
	e.json.SetEscapeHTML(false)
	return e
}}

// encode returns v as JSON for scripts, without the escapes that are for web pages.
func encode(v any) string {
	e := encoders.Get().(*encoder)
	e.text.Reset()
	if err := e.json.Encode(v); err != nil {
		panic(err) // our own structs of strings and numbers
	}
	text := string(bytes.TrimSuffix(e.text.Bytes(), []byte("\n")))
	if e.text.Cap() <= maxPooled {
		encoders.Put(e)
	}
	return text
}

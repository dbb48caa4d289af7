package redis

import (
	"bytes"
	"encoding/json"
)

// encode returns v as JSON for scripts, without the escapes that are for web pages.
func encode(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // our own structs of strings and numbers
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

package transport_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"parley/transport"
)

// FuzzObject: what is taken for an object, its members, and what they decode to, are those of encoding/json.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { } `, `null`, `[{}]`, `{"a":1}x`, `{"a":"b","a":[1,-2.5e+9,true,false,null,"\u00e9\ud83d\ude00\ud800\"\\"],"":{"c":{}}}`,
		"{\t\"a\"\r\n:\n{ \"b\" : [ ] , \"c\" : [ [ ] , { } ] } , \"\\u0061\" : 0 }", `{"a":1,}`, `{"a"}`, `{"a":01}`, `{"":""}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !utf8.Valid(text) {
			return
		}
		object, valid := transport.ParseObject(text)
		var want map[string]json.RawMessage
		err := json.Unmarshal(text, &want)
		if valid != json.Valid(text) || (object != nil) != (err == nil && want != nil) {
			t.Fatalf("object %q, valid: %v; want %v, %v", object, valid, want, err)
		}
		if object == nil {
			return
		}
		got := map[string]json.RawMessage{}
		for name, value := range object.Members() {
			got[name] = value
			var text string
			if decoded, ok := transport.DecodeString(value); ok != (json.Unmarshal(value, &text) == nil && value[0] == '"') || decoded != text {
				t.Fatalf("%s is %q, want %q", value, decoded, text)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		for _, value := range got {
			var want map[string]any
			decoder := json.NewDecoder(bytes.NewReader(value))
			decoder.UseNumber()
			err := decoder.Decode(&want)
			got, failed := transport.ParseParams([]byte(`{"query":"","variables":` + string(value) + `}`))
			if (err == nil) != (failed == nil) {
				t.Fatalf("%v, want %v", failed, err)
			}
			if failed == nil {
				if diff := cmp.Diff(want, got.Variables); diff != "" {
					t.Fatal(diff)
				}
			}
		}
	})
}

package transport_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley/transport"
)

func TestParamsKeepNumbersAsWritten(t *testing.T) {
	got, err := transport.ParseParams([]byte(`{"query":"q","variables":{"n":12345678901234567890,"f":1.50}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &graphql.RawParams{Query: "q", Variables: map[string]any{
		"n": json.Number("12345678901234567890"), "f": json.Number("1.50"),
	}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(graphql.RawParams{}, "ReadTime")); diff != "" {
		t.Error(diff)
	}
}

// FuzzParseParams: no input makes the decoder panic, or return both or neither of its results; what
// it accepts is JSON with a query, and means the same in canonical form.
func FuzzParseParams(f *testing.F) {
	for _, seed := range []string{
		`{"query":"{ a }"}`, `{"query":"","operationName":"A","variables":{"a":1e9},"extensions":{"x":[null]}}`, `{"query":null}`,
		`{"QUERY":"x"}`, `[]`, `{"query":"\ud800"}`, `{"query":"a"} `, "{\"query\":\"\xff\"}", `{"variables":{},"query":"a","query":"b"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		params, err := transport.ParseParams(body)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without a text")
			}
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatalf("accepted %q", body)
		}
		canonical, err := json.Marshal(params)
		if err != nil {
			t.Fatal(err)
		}
		again, err := transport.ParseParams(canonical)
		if err != nil {
			t.Fatalf("%v for %s", err, canonical)
		}
		if diff := cmp.Diff(params, again, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(graphql.RawParams{}, "ReadTime")); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		"query=%7Ba%7D", "query=a&variables=%7B%22a%22%3A1%7D&extensions=%7B%7D&operationName=A", "variables=null&query=", "query=%zz", "&&=", "query=%ff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		params, err := transport.ParseQuery(query)
		if err == nil && !utf8.ValidString(params.Query) {
			t.Fatalf("accepted %q", params.Query)
		}
	})
}

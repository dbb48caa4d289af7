package document

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
)

const viewerQuery = `query Viewer { viewer { id } }`

func writeTrusted(t *testing.T, content any) string {
	t.Helper()
	text, isText := content.(string)
	if !isText {
		encoded, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		text = string(encoded)
	}
	path := filepath.Join(t.TempDir(), "documents.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadTrustedRefuses(t *testing.T) {
	schema, l := loadSchema(t), defaults(t)
	for name, test := range map[string]struct {
		content any
		want    string
	}{
		"not JSON":              {`{`, "must be a JSON object"},
		"a list":                {`["x"]`, "must be a JSON object"},
		"nothing":               {`{}`, "there is none"},
		"a syntax error":        {map[string]string{"one": `{ viewer {`}, `"one"`},
		"no operation":          {map[string]string{"one": `fragment F on User { id }`}, "it has no operation"},
		"against the schema":    {map[string]string{"one": `{ nobody }`}, "Cannot query field"},
		"beyond a limit":        {map[string]string{"one": `{ viewer { ` + strings.Repeat("id ", 51) + `} }`}, "at most 50"},
		"another document's id": {map[string]string{"sha256:" + hashOf("x"): viewerQuery}, "isn't the document's SHA-256"},
		"one id of two":         {map[string]string{"sha256:" + hashOf(viewerQuery): viewerQuery, hashOf(viewerQuery): `{ viewer { name } }`}, "is the id of two documents"},
	} {
		_, err := LoadTrusted(writeTrusted(t, test.content), schema, l)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "trusted documents: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadTrusted(filepath.Join(t.TempDir(), "none"), schema, l); err == nil {
		t.Error("a file that isn't there")
	}
}

func TestTrusted(t *testing.T) {
	hash := hashOf(viewerQuery)
	trusted, err := LoadTrusted(writeTrusted(t, map[string]string{"sha256:" + hash: viewerQuery, "rooms": `{ rooms { cursor: __typename } }`}), loadSchema(t), defaults(t))
	if err != nil {
		t.Fatal(err)
	}
	persisted := func(id any) map[string]any {
		return map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": id}}
	}
	named := func(id any) map[string]any { return map[string]any{idExtension: id} }
	for name, test := range map[string]struct {
		trusted    Trusted
		query      string
		extensions map[string]any
		want, text string
	}{
		"by id":                  {trusted, "", named("sha256:" + hash), "", viewerQuery},
		"by bare id":             {trusted, "", named(hash), "", viewerQuery},
		"by another id":          {trusted, "", named("rooms"), "", `{ rooms { cursor: __typename } }`},
		"by hash":                {trusted, "", persisted(hash), "", viewerQuery},
		"by hash, with the text": {trusted, viewerQuery, persisted(hash), "", viewerQuery},
		"by hash, another text":  {trusted, `{ viewer { name } }`, persisted(hash), codeForbidden, ""},
		"an unknown id":          {trusted, "", named("x"), codeBadInput, ""},
		"an unknown id and text": {trusted, viewerQuery, named("x"), codeBadInput, ""},
		"a text only":            {trusted, viewerQuery, nil, codeForbidden, ""},
		"an odd id":              {trusted, "", persisted(7), codeForbidden, ""},
		"an odd extension":       {trusted, viewerQuery, map[string]any{"persistedQuery": "x"}, codeForbidden, ""},
		"none kept":              {nil, "", named(hash), codeBadInput, ""},
		"none kept, a hash":      {nil, "", persisted(hash), codeBadInput, ""},
		"none kept, with a text": {nil, viewerQuery, persisted(hash), "", viewerQuery},
	} {
		gate := NewGate(loadSchema(t), defaults(t), NewCache(1, 1), test.trusted)
		params := &graphql.RawParams{Query: test.query, Extensions: test.extensions}
		err := gate.MutateOperationParameters(t.Context(), params)
		if codeOf(err) != test.want || test.text != "" && params.Query != test.text {
			t.Errorf("%s: %v, %q", name, err, params.Query)
		}
	}
}

// FuzzLoadTrusted: a file of trusted documents is refused with an error, or each of its documents is what
// its id stands for, and passes the gate.
func FuzzLoadTrusted(f *testing.F) {
	for _, seed := range []string{
		``, `{`, `null`, `[]`, `{}`, `{"one":7}`, `{"":""}`, `{"one":"{ viewer { id } }"}`, `{"one":"fragment F on User { id }"}`,
		`{"sha256:` + hashOf(viewerQuery) + `":"` + viewerQuery + `"}`,
		`{"sha256:` + hashOf(viewerQuery) + `":"` + viewerQuery + `","` + hashOf(viewerQuery) + `":"{ viewer { name } }"}`,
		`{"a":"query A { viewer { id } } query B { viewer { name } }","b":"subscription { typing(roomId: \"r_1\") { users { id } } }"}`,
		`{"x":"{ nobody }"}`, "{\"x\":\"{ viewer { ...F } } fragment F on User { id \\ud800 }\"}",
	} {
		f.Add([]byte(seed))
	}
	schema, l := loadSchema(f), defaults(f)
	path := filepath.Join(f.TempDir(), "documents.json")
	f.Fuzz(func(t *testing.T, file []byte) {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		trusted, err := LoadTrusted(path, schema, l)
		if err != nil {
			return
		}
		var kept map[string]string
		if err := json.Unmarshal(file, &kept); err != nil || len(kept) == 0 {
			t.Fatalf("%d documents were read: %v", len(trusted), err)
		}
		gate := NewGate(schema, l, NewCache(1, 1), trusted)
		for id, text := range kept {
			params := &graphql.RawParams{Extensions: map[string]any{idExtension: id}}
			if err := gate.MutateOperationParameters(t.Context(), params); err != nil || params.Query != text {
				t.Fatalf("%q stands for %q: %v, %q", id, text, err, params.Query)
			}
		}
	})
}

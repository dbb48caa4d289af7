package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layout is who may import whom: arrows point inwards. A folder that isn't here may not exist.
var layout = map[string][]string{
	"":                      {"*"},
	"eventlog":              {},
	"document":              {},
	"presence":              {},
	"auth":                  {},
	"web":                   {},
	"ratelimit":             {},
	"reservation":           {"eventlog"},
	"worker":                {},
	"chat":                  {"eventlog", "ratelimit"},
	"graph":                 {"chat", "presence", "eventlog"},
	"delivery":              {"eventlog", "worker"},
	"render":                {"eventlog", "delivery"},
	"resolvers":             {"graph", "chat", "presence", "eventlog", "delivery", "render", "auth", "ratelimit"},
	"transport":             {"delivery", "render", "ratelimit", "worker"},
	"transport/graphqlws":   {"transport", "delivery", "render"},
	"transport/sse":         {"transport", "delivery", "eventlog", "reservation"},
	"transport/multipart":   {"transport", "delivery"},
	"transport/graphqlhttp": {"transport", "delivery", "render"},
	"store/sqlite":          {"chat", "eventlog", "presence", "auth", "ratelimit", "reservation"},
	"store/redis":           {"chat", "eventlog", "presence", "auth", "ratelimit", "reservation"},
	// Support for tests; nothing that ships imports these.
	"store/storetest":             {"chat", "eventlog", "presence", "auth", "ratelimit", "reservation"},
	"store/redis/redistest":       {},
	"reservation/reservationtest": {"reservation"},
	"transport/transporttest":     {"transport", "transport/graphqlws", "transport/sse", "transport/graphqlhttp", "delivery", "render", "eventlog"},
	"e2e":                         {"store/redis/redistest"},
	"e2e/parleytest":              {"store/redis/redistest"},
	// Our schema on gqlgen's own transports, to stand beside ours.
	"e2e/conformance/stockgqlgen": {"graph", "chat", "eventlog"},
}

func TestImportsPointInwards(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		folder := strings.TrimPrefix(strings.TrimPrefix(pkg.ImportPath, "parley"), "/")
		allowed, known := layout[folder]
		if !known {
			t.Errorf("%s isn't in the layout", pkg.ImportPath)
			continue
		}
		for _, imported := range pkg.Imports {
			name, ours := strings.CutPrefix(imported, "parley/")
			if ours && !slices.Contains(allowed, name) && !slices.Contains(allowed, "*") {
				t.Errorf("%s may not import %s", pkg.ImportPath, imported)
			}
		}
	}
}

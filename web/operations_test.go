package web_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// TestOperations holds the playground's tabs, and what it asks itself, to the schema.
func TestOperations(t *testing.T) {
	schema := loadSchema(t)
	files := append(glob(t, "playground/src/*.graphql"), glob(t, "playground/src/examples/*.graphql")...)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".graphql")
		t.Run(name, func(t *testing.T) {
			document, problems := gqlparser.LoadQueryWithRules(schema, read(t, file), rules.NewDefaultRules())
			if problems != nil {
				t.Fatal(problems)
			}
			if len(document.Operations) != 1 || document.Operations[0].Name != name {
				t.Errorf("not one operation, named like its file")
			}
		})
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
}

func loadSchema(t *testing.T) *ast.Schema {
	t.Helper()
	const file = "../schema.graphqls"
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: file, Input: read(t, file)})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

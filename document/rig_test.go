package document

import (
	"os"
	"reflect"
	"strconv"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// defaults are the limits that servers run with.
func defaults(t testing.TB) Limits {
	t.Helper()
	var l Limits
	v := reflect.ValueOf(&l).Elem()
	for i := range v.NumField() {
		n, err := strconv.Atoi(v.Type().Field(i).Tag.Get("default"))
		if err != nil {
			t.Fatal(err)
		}
		v.Field(i).SetInt(int64(n))
	}
	return l
}

func loadSchema(t testing.TB) *ast.Schema {
	t.Helper()
	source, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	return gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(source)})
}

package document

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

func TestCacheKeepsThoseUsedLast(t *testing.T) {
	ctx, c, docs := context.Background(), NewCache(2, 1<<20), [3]ast.QueryDocument{}
	c.Add(ctx, "a", &docs[0])
	c.Add(ctx, "b", &docs[1])
	c.Get(ctx, "a")
	c.Add(ctx, "c", &docs[2])
	for text, want := range map[string]*ast.QueryDocument{"a": &docs[0], "b": nil, "c": &docs[2]} {
		if got, ok := c.Get(ctx, text); got != want || ok != (want != nil) {
			t.Errorf("%s: %v", text, ok)
		}
	}
}

func TestCacheIsBoundedInBytes(t *testing.T) {
	ctx, c := context.Background(), NewCache(1000, 100_000)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			for range 200 {
				text := fmt.Sprintf("{ %s }", strings.Repeat("a ", random.IntN(150)))
				c.Add(ctx, text, &ast.QueryDocument{})
				c.Get(ctx, text)
			}
		})
	}
	all.Wait()
	count, bytes := c.Size()
	if bytes > 100_000 || count == 0 {
		t.Errorf("%d documents, %d bytes", count, bytes)
	}
	sum := 0
	for text := range c.entries {
		sum += weigh(text)
	}
	if sum != bytes || c.recent.Len() != count {
		t.Errorf("%d bytes and %d documents are counted for %d and %d", bytes, count, sum, c.recent.Len())
	}
	c.Add(ctx, "{ "+strings.Repeat("a ", 1000)+"}", &ast.QueryDocument{})
	if _, bytes := c.Size(); bytes > 100_000 {
		t.Errorf("a document too large for the cache is kept")
	}
}

// TestWeight: the estimate isn't less than what documents take, nor many times more.
func TestWeight(t *testing.T) {
	for name, text := range map[string]string{
		"fields":    "{ viewer { " + strings.Repeat("id ", 900) + "} }",
		"aliases":   "{ viewer { " + repeat(900, "a%d: id ") + "} }",
		"arguments": "{ " + strings.Repeat(`room(id: "x") { id } `, 300) + "}",
		"lists":     `{ nodes(ids: [` + strings.Repeat(`"x" `, 900) + `]) { id } }`,
		"fragments": "{ viewer { id } }" + fragments(200, "id"),
		"ordinary":  strings.Repeat(ordinary, 20),
	} {
		const copies = 20
		docs := make([]*ast.QueryDocument, copies)
		before := heap()
		for i := range docs {
			doc, err := parser.ParseQuery(&ast.Source{Input: strings.Clone(text)})
			if err != nil {
				t.Fatal(err)
			}
			docs[i] = doc
		}
		took, estimate := (heap()-before)/copies, weigh(text)
		runtime.KeepAlive(docs)
		t.Logf("%s: %d bytes, %d estimated", name, took, estimate)
		if took > estimate || estimate > 12*took {
			t.Errorf("%s takes %d bytes, %d are estimated", name, took, estimate)
		}
	}
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

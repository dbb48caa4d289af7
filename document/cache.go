package document

import (
	"container/list"
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/lexer"
)

// tokenBytes is about what a parsed document takes of memory for each of its tokens, at most: that
// of a field, which is one token.
const tokenBytes = 512

// Cache keeps documents that have been found valid, by their text, those used last: no more than a
// number of them, and no more than an estimate of bytes (graphql.Cache).
type Cache struct {
	maxCount, maxBytes int

	mu      sync.Mutex
	entries map[string]*list.Element
	recent  list.List // of *cached, those used last in front
	bytes   int
}

type cached struct {
	text  string
	doc   *ast.QueryDocument
	bytes int
}

var _ graphql.Cache[*ast.QueryDocument] = (*Cache)(nil)

// NewCache returns an empty cache.
func NewCache(maxCount, maxBytes int) *Cache {
	return &Cache{maxCount: maxCount, maxBytes: maxBytes, entries: map[string]*list.Element{}}
}

// Get implements graphql.Cache.
func (c *Cache) Get(_ context.Context, text string) (*ast.QueryDocument, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.entries[text]
	if found == nil {
		return nil, false
	}
	c.recent.MoveToFront(found)
	return found.Value.(*cached).doc, true
}

// Add implements graphql.Cache. A document that alone would be too much isn't kept.
func (c *Cache) Add(_ context.Context, text string, doc *ast.QueryDocument) {
	entry := &cached{text: text, doc: doc, bytes: weigh(text)}
	if entry.bytes > c.maxBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.entries[text]; known != nil {
		c.remove(known)
	}
	c.entries[text] = c.recent.PushFront(entry)
	c.bytes += entry.bytes
	for len(c.entries) > c.maxCount || c.bytes > c.maxBytes {
		c.remove(c.recent.Back())
	}
}

func (c *Cache) remove(e *list.Element) {
	entry := c.recent.Remove(e).(*cached)
	delete(c.entries, entry.text)
	c.bytes -= entry.bytes
}

// Size returns how many documents are kept, and about how many bytes they take.
func (c *Cache) Size() (count, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries), c.bytes
}

// weigh estimates the memory of a document that could be parsed.
func weigh(text string) int {
	in, tokens := lexer.New(&ast.Source{Input: text}), 0
	for {
		token, err := in.ReadToken()
		if err != nil || token.Kind == lexer.EOF {
			return len(text) + tokenBytes*(tokens+1)
		}
		tokens++
	}
}

package main

import (
	"github.com/vektah/gqlparser/v2/ast"

	"parley/document"
)

// newGate returns what judges documents before they are executed.
func newGate(c *config, schema *ast.Schema) (*document.Gate, error) {
	var trusted document.Trusted
	if c.Trusted != "" {
		var err error
		if trusted, err = document.LoadTrusted(c.Trusted, schema, c.Documents); err != nil {
			return nil, err
		}
	}
	return document.NewGate(schema, c.Documents, document.NewCache(c.QueryCache, c.QueryCacheBytes), trusted), nil
}

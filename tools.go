//go:build tools

// Package tools pins the generator, so that `go run github.com/99designs/gqlgen generate` runs the
// version in go.mod.
package tools

import _ "github.com/99designs/gqlgen"

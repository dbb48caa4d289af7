// Package web holds the pages that Parley serves, built into the binary: today
// GraphiQL as the playground.
//
// The sources of a page lie in a folder of its own, playground/src, and are built
// there by `npm run build` into playground/dist, which is committed so that the
// program needs no Node. A page loads nothing from other hosts.
package web

import (
	"embed"
	"net/http"
)

//go:embed all:playground/dist
var playground embed.FS

// Playground serves GraphiQL with a sign-in box and example operations. It answers
// /playground and everything below: mount it at both "/playground" and
// "/playground/". The page talks to /graphql, by fetch and WebSocket, and to
// /dev/token of the same host.
//
// GET and HEAD are answered, 404 where there is no file, other methods 405.
func Playground() http.Handler {
	return newSite("/playground", playground, "playground/dist")
}

package web

import (
	"fmt"
	"io/fs"
	"net/http"
	"strings"
)

// site serves one page and its assets below a path of the server.
type site struct {
	prefix string
	assets map[string]*asset // by path below the prefix; the page itself is ""
}

// newSite serves the files below root. They are part of the program: it panics when
// they can't be read.
func newSite(prefix string, files fs.FS, root string) *site {
	assets, err := loadAssets(files, root)
	if err != nil {
		panic(fmt.Sprintf("web: the built files of %s: %v", prefix, err))
	}
	return &site{prefix: prefix, assets: assets}
}

// ServeHTTP implements [http.Handler].
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header(), r.Host)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	asset, ok := s.find(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	asset.serve(w, r)
}

// find compares names whole, so no path climbs out of the site.
func (s *site) find(path string) (*asset, bool) {
	below, ok := strings.CutPrefix(path, s.prefix)
	if !ok || (below != "" && below[0] != '/') {
		return nil, false
	}
	asset, ok := s.assets[strings.TrimPrefix(below, "/")]
	return asset, ok
}

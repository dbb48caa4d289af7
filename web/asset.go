package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// page is the file that a site shows at its root.
const page = "index.html"

// hashed is the folder of the files whose names change with their content.
const hashed = "assets/"

// contentTypes are ours rather than package mime's, which asks the machine.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".md":   "text/markdown; charset=utf-8",
	".svg":  "image/svg+xml",
	".ttf":  "font/ttf",
}

// asset is one file of a site.
type asset struct {
	open         func() (fs.File, error) // of what isn't kept in memory
	gzipped      bool                    // it is the gzip form
	tag          string
	contentType  string
	cacheControl string
}

// loadAssets reads the files below root, by the path that they are served at. Those
// that end in .gz are kept as they are and served without that ending.
func loadAssets(files fs.FS, root string) (map[string]*asset, error) {
	assets := map[string]*asset{}
	err := fs.WalkDir(files, root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, gzipped := strings.CutSuffix(strings.TrimPrefix(file, root+"/"), ".gz")
		contentType, known := contentTypes[path.Ext(name)]
		if !known {
			return fmt.Errorf("%s has no known content type", file)
		}
		open := func() (fs.File, error) { return files.Open(file) }
		tag, err := tagOf(open)
		if err != nil {
			return err
		}
		assets[strings.TrimSuffix(name, page)] = &asset{
			open:         open,
			gzipped:      gzipped,
			tag:          tag,
			contentType:  contentType,
			cacheControl: cacheControl(name),
		}
		return nil
	})
	return assets, err
}

// tagOf names what a file holds.
func tagOf(open func() (fs.File, error)) (string, error) {
	file, err := open()
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, file)
	return hex.EncodeToString(sum.Sum(nil)[:16]), err
}

func cacheControl(name string) string {
	if strings.HasPrefix(name, hashed) {
		return "public, max-age=31536000, immutable"
	}
	return "no-cache"
}

// serve answers with the asset: its gzip form as it lies in the program, unpacked
// for the rare client that doesn't take it. Conditional requests are honoured; the
// two forms have tags of their own (RFC 9110 §8.8.3.3).
func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	file, err := a.open()
	if err != nil {
		http.Error(w, "the program's own file is missing", http.StatusInternalServerError)
		return
	}
	defer file.Close()
	content, tag := file.(io.ReadSeeker), a.tag // as those of package embed are
	if a.gzipped {
		header.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header) {
			header.Set("Content-Encoding", "gzip")
			tag += "-gzip"
		} else if plain, err := unpack(file); err == nil {
			content = bytes.NewReader(plain)
		} else {
			http.Error(w, "the program's own file is damaged", http.StatusInternalServerError)
			return
		}
	}
	header.Set("Content-Type", a.contentType)
	header.Set("Cache-Control", a.cacheControl)
	header.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, content)
}

func unpack(packed io.Reader) ([]byte, error) {
	reader, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"parley/web"
)

const immutable = "public, max-age=31536000, immutable"

// get asks the playground as the server mounts it; header is in pairs.
func get(t testing.TB, method, path string, header ...string) *http.Response {
	t.Helper()
	request := httptest.NewRequest(method, "http://parley.test:8080/", nil)
	request.URL.Path = path // as it is, whether or not a client would send it so
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	recorder := httptest.NewRecorder()
	web.Playground().ServeHTTP(recorder, request)
	return recorder.Result()
}

func body(t testing.TB, response *http.Response) []byte {
	t.Helper()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// assetPaths are the files that the page names.
func assetPaths(t testing.TB) []string {
	t.Helper()
	html := body(t, get(t, http.MethodGet, "/playground"))
	var paths []string
	for _, match := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllSubmatch(html, -1) {
		paths = append(paths, string(match[1]))
	}
	if len(paths) < 3 {
		t.Fatalf("the page names only %q", paths)
	}
	return paths
}

func script(t testing.TB) string {
	t.Helper()
	for _, path := range assetPaths(t) {
		if strings.HasSuffix(path, ".js") {
			return path
		}
	}
	t.Fatal("the page names no script")
	return ""
}

func TestPage(t *testing.T) {
	for _, path := range []string{"/playground", "/playground/"} {
		t.Run(path, func(t *testing.T) {
			response := get(t, http.MethodGet, path, "Accept-Encoding", "gzip")
			if response.StatusCode != http.StatusOK {
				t.Fatalf("status %d", response.StatusCode)
			}
			expectHeader(t, response, "Content-Type", "text/html; charset=utf-8")
			expectHeader(t, response, "Cache-Control", "no-cache")
			expectHeader(t, response, "Content-Encoding", "")
			if !bytes.Contains(body(t, response), []byte("<title>Parley playground</title>")) {
				t.Error("not the playground's page")
			}
		})
	}
}

func TestAssetsOfThePage(t *testing.T) {
	types := map[string]string{
		"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml",
	}
	for _, path := range assetPaths(t) {
		t.Run(path, func(t *testing.T) {
			packed := get(t, http.MethodGet, path, "Accept-Encoding", "br, gzip")
			expectHeader(t, packed, "Content-Type", types[path[strings.LastIndex(path, ".")+1:]])
			expectHeader(t, packed, "Cache-Control", immutable)
			expectHeader(t, packed, "Content-Encoding", "gzip")
			expectHeader(t, packed, "Vary", "Accept-Encoding")

			plain := get(t, http.MethodGet, path)
			expectHeader(t, plain, "Cache-Control", immutable)
			expectHeader(t, plain, "Content-Encoding", "")
			expectHeader(t, plain, "Vary", "Accept-Encoding")
			if packed.Header.Get("ETag") == plain.Header.Get("ETag") {
				t.Error("both forms have the same tag")
			}
			if !bytes.Equal(gunzip(t, body(t, packed)), body(t, plain)) {
				t.Error("the two forms differ")
			}
		})
	}
}

func TestAcceptEncoding(t *testing.T) {
	path := script(t)
	for accept, want := range map[string]string{
		"":                        "",
		"gzip":                    "gzip",
		"GZIP":                    "gzip",
		"x-gzip":                  "gzip",
		"deflate, gzip;q=0.5, br": "gzip",
		"gzip; q=1.0":             "gzip",
		"gzip;q=0":                "",
		"gzip;q=0.000, *":         "",
		"*":                       "gzip",
		"*;q=0":                   "",
		"identity":                "",
		"gzip;q=much":             "",
		"gzipped":                 "",
	} {
		t.Run(accept, func(t *testing.T) {
			expectHeader(t, get(t, http.MethodGet, path, "Accept-Encoding", accept), "Content-Encoding", want)
		})
	}
}

func TestConditionalRequests(t *testing.T) {
	for name, path := range map[string]string{"page": "/playground", "script": script(t)} {
		t.Run(name, func(t *testing.T) {
			tag := get(t, http.MethodGet, path, "Accept-Encoding", "gzip").Header.Get("ETag")
			again := get(t, http.MethodGet, path, "Accept-Encoding", "gzip", "If-None-Match", `"other", W/`+tag)
			if again.StatusCode != http.StatusNotModified || len(body(t, again)) != 0 {
				t.Errorf("status %d for the tag just given", again.StatusCode)
			}
			expectHeader(t, again, "ETag", tag)
			changed := get(t, http.MethodGet, path, "If-None-Match", `"other"`)
			if changed.StatusCode != http.StatusOK {
				t.Errorf("status %d for another tag", changed.StatusCode)
			}
		})
	}
}

func TestHead(t *testing.T) {
	for _, accept := range []string{"gzip", ""} {
		head := get(t, http.MethodHead, script(t), "Accept-Encoding", accept)
		full := get(t, http.MethodGet, script(t), "Accept-Encoding", accept)
		if head.StatusCode != http.StatusOK || len(body(t, head)) != 0 {
			t.Errorf("HEAD: status %d with a body", head.StatusCode)
		}
		for name := range full.Header {
			expectHeader(t, head, name, full.Header.Get(name))
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		method, path string
		want         int
	}{
		"unknown asset":           {http.MethodGet, "/playground/assets/none.js", http.StatusNotFound},
		"a folder":                {http.MethodGet, "/playground/assets/", http.StatusNotFound},
		"the stored form":         {http.MethodGet, script(t) + ".gz", http.StatusNotFound},
		"another prefix":          {http.MethodGet, "/playgrounds", http.StatusNotFound},
		"outside":                 {http.MethodGet, "/", http.StatusNotFound},
		"two slashes":             {http.MethodGet, "/playground//", http.StatusNotFound},
		"climbing out":            {http.MethodGet, "/playground/../web.go", http.StatusNotFound},
		"climbing to the sources": {http.MethodGet, "/playground/assets/../../package.json", http.StatusNotFound},
		"climbing on Windows":     {http.MethodGet, `/playground/..\package.json`, http.StatusNotFound},
		"a zero byte":             {http.MethodGet, "/playground/index.html\x00", http.StatusNotFound},
		"POST":                    {http.MethodPost, "/playground", http.StatusMethodNotAllowed},
		"OPTIONS":                 {http.MethodOptions, "/playground", http.StatusMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			response := get(t, test.method, test.path)
			if response.StatusCode != test.want {
				t.Errorf("status %d, want %d", response.StatusCode, test.want)
			}
			expectHeader(t, response, "X-Content-Type-Options", "nosniff")
			expectHeader(t, response, "Cache-Control", "")
		})
	}
}

func TestSecurityHeaders(t *testing.T) {
	for _, path := range []string{"/playground", script(t), "/playground/none"} {
		response := get(t, http.MethodGet, path)
		expectHeader(t, response, "Referrer-Policy", "no-referrer")
		policy := response.Header.Get("Content-Security-Policy")
		for _, directive := range []string{
			"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'",
			"connect-src 'self' ws://parley.test:8080 wss://parley.test:8080",
		} {
			if !strings.Contains(policy+";", directive+";") {
				t.Errorf("%s: no %q in %q", path, directive, policy)
			}
		}
	}
}

func TestHostInPolicy(t *testing.T) {
	for host, want := range map[string]string{
		"localhost":            " ws://localhost wss://localhost",
		"[::1]:8080":           " ws://[::1]:8080 wss://[::1]:8080",
		"":                     "",
		"a;script-src *":       "",
		"a b":                  "",
		"*":                    "",
		"a\r\nSet-Cookie: b=c": "",
	} {
		t.Run(host, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodGet, "/playground", nil)
			request.Host = host
			recorder := httptest.NewRecorder()
			web.Playground().ServeHTTP(recorder, request)
			policy := recorder.Header().Get("Content-Security-Policy")
			if !strings.Contains(policy, "connect-src 'self'"+want+";") {
				t.Errorf("policy %q", policy)
			}
		})
	}
}

// FuzzAcceptEncoding: whatever is accepted, the answer decodes to the same bytes.
func FuzzAcceptEncoding(f *testing.F) {
	for _, accept := range []string{"gzip", "*;q=0.1, gzip;q=0", ";q=", "gzip;q=1e999", ",,;,"} {
		f.Add(accept)
	}
	path := assetPaths(f)[0]
	want := body(f, get(f, http.MethodGet, path))
	f.Fuzz(func(t *testing.T, accept string) {
		response := get(t, http.MethodGet, path, "Accept-Encoding", accept)
		got := body(t, response)
		if response.Header.Get("Content-Encoding") == "gzip" {
			got = gunzip(t, got)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("other bytes for %q", accept)
		}
	})
}

func expectHeader(t testing.TB, response *http.Response, name, want string) {
	t.Helper()
	if got := response.Header.Get(name); got != want {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
}

func gunzip(t testing.TB, data []byte) []byte {
	t.Helper()
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

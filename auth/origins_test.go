package auth_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley/auth"
)

func newOrigins(t testing.TB, dev bool, allowed ...string) *auth.Origins {
	t.Helper()
	origins, err := auth.NewOrigins(allowed, dev)
	if err != nil {
		t.Fatal(err)
	}
	return origins
}

func TestNewOrigins(t *testing.T) {
	for _, good := range []string{
		"https://chat.example", "https://chat.example:8443", "HTTPS://Chat.Example", " https://chat.example ",
		"http://10.0.0.1:80", "http://[2001:DB8::1]:3000", "capacitor://localhost", "https://xn--bcher-kva.example", "*",
	} {
		t.Run("good "+good, func(t *testing.T) { newOrigins(t, false, good) })
	}
	for _, bad := range []string{
		"", " ", "null", "chat.example", "chat.example:443", "//chat.example", "https://", "https://:443", "https:chat.example",
		"https://chat.example/", "https://chat.example/path", "https://chat.example?q", "https://chat.example?",
		"https://chat.example#f", "https://chat.example#", "https://ada@chat.example", "https://*.chat.example", "https://*", "**",
		"https://chat.example:", "https://chat.example:0", "https://chat.example:65536", "https://chat.example:-1",
		"https://chat.example:https", "https://bücher.example", "https://chat example", "https://chat.example,https://b.example",
		"https://chat.example https://b.example", "http://::1", "http://[::1", "http://[fe80::1%25eth0]", "https://%61.example",
		"https://chat\n.example", "https://chat\x00.example",
	} {
		t.Run("bad "+bad, func(t *testing.T) {
			_, err := auth.NewOrigins([]string{"https://good.example", bad}, false)
			if err == nil || !strings.HasPrefix(err.Error(), "allowed origin") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestOriginsAllowed(t *testing.T) {
	const listed = "https://chat.example"
	for _, test := range []struct {
		name   string
		list   []string
		dev    bool
		host   string
		tls    bool
		origin string
		want   bool
	}{
		{name: "listed", list: []string{listed}, origin: listed, want: true},
		{name: "listed with default port", list: []string{listed + ":443"}, origin: listed, want: true},
		{name: "listed in capitals", list: []string{"HTTPS://CHAT.EXAMPLE"}, origin: listed, want: true},
		{name: "listed address in long form", list: []string{"http://[0:0:0:0:0:0:0:1]:80"}, origin: "http://[::1]", want: true},
		{name: "listed scheme of an app", list: []string{"capacitor://localhost"}, origin: "capacitor://localhost", want: true},
		{name: "second of the list", list: []string{"https://a.example", listed}, origin: listed, want: true},
		{name: "other scheme", list: []string{listed}, origin: "http://chat.example"},
		{name: "other port", list: []string{listed}, origin: listed + ":8443"},
		{name: "subdomain", list: []string{listed}, origin: "https://evil.chat.example"},
		{name: "longer name", list: []string{listed}, origin: "https://chat.example.evil.example"},
		{name: "longer name before", list: []string{listed}, origin: "https://evilchat.example"},
		{name: "userinfo", list: []string{listed}, origin: "https://chat.example@evil.example"},
		{name: "userinfo of the listed", list: []string{listed}, origin: "https://evil@chat.example"},
		{name: "path", list: []string{listed}, origin: listed + "/"},
		{name: "two in one header", list: []string{listed}, origin: listed + " https://evil.example"},
		{name: "null", list: []string{listed}, origin: "null"},
		{name: "null in development", dev: true, origin: "null"},
		{name: "file", dev: true, origin: "file://"},
		{name: "garbage", list: []string{listed}, origin: "\x00%"},
		{name: "nothing listed", origin: listed},

		{name: "everyone", list: []string{"*"}, origin: "https://evil.example", want: true},
		{name: "everyone and more", list: []string{listed, "*"}, origin: "https://evil.example", want: true},
		{name: "everyone, null too", list: []string{"*"}, origin: "null", want: true},

		{name: "own", host: "parley.example", origin: "http://parley.example", want: true},
		{name: "own in capitals", host: "Parley.Example", origin: "http://parley.example", want: true},
		{name: "own with port", host: "parley.example:8080", origin: "http://parley.example:8080", want: true},
		{name: "own with explicit default port", host: "parley.example:443", origin: "https://parley.example", want: true},
		{name: "own behind a TLS proxy", host: "parley.example", origin: "https://parley.example", want: true},
		{name: "own by TLS", host: "parley.example", tls: true, origin: "https://parley.example", want: true},
		{name: "own address", host: "[2001:db8::1]:8080", origin: "http://[2001:db8::1]:8080", want: true},
		{name: "own without TLS, served by TLS", host: "parley.example", tls: true, origin: "http://parley.example"},
		{name: "own name, other port", host: "parley.example:8080", origin: "http://parley.example"},
		{name: "own name, other default port", host: "parley.example:80", origin: "https://parley.example"},
		{name: "own by loopback name", host: "localhost:8080", origin: "http://localhost:8080", want: true},
		{name: "loopback under another name", host: "localhost:8080", origin: "http://127.0.0.1:8080"},
		{name: "malformed host", host: "a b", origin: "http://a b"},
		{name: "no host", host: "", origin: "http://"},

		{name: "development: localhost", dev: true, origin: "http://localhost:3000", want: true},
		{name: "development: localhost by TLS", dev: true, origin: "https://localhost", want: true},
		{name: "development: IPv4", dev: true, origin: "http://127.8.9.1:5173", want: true},
		{name: "development: IPv6", dev: true, origin: "http://[::1]:3000", want: true},
		{name: "development: below localhost", dev: true, origin: "http://evil.localhost"},
		{name: "development: like localhost", dev: true, origin: "http://localhost.evil.example"},
		{name: "development: like a loopback address", dev: true, origin: "http://127.0.0.1.evil.example"},
		{name: "development: other address", dev: true, origin: "http://128.0.0.1"},
		{name: "development: other scheme", dev: true, origin: "chrome-extension://localhost"},
		{name: "development: listed", dev: true, list: []string{listed}, origin: listed, want: true},
		{name: "development: own", dev: true, host: "127.0.0.1:8080", origin: "http://127.0.0.1:8080", want: true},
		{name: "development: rebound name", dev: true, host: "evil.example:8080", origin: "http://evil.example:8080"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := get(http.Header{"Origin": {test.origin}})
			r.Host = test.host
			if test.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if got := newOrigins(t, test.dev, test.list...).Allowed(r); got != test.want {
				t.Errorf("allowed = %v, want %v", got, test.want)
			}
		})
	}
	t.Run("no Origin header", func(t *testing.T) {
		if !newOrigins(t, false).Allowed(get(nil)) {
			t.Error("refused")
		}
	})
	for name, sent := range map[string][]string{"empty": {""}, "twice": {listed, listed}} {
		t.Run("header "+name, func(t *testing.T) {
			if newOrigins(t, true, listed).Allowed(get(http.Header{"Origin": sent})) {
				t.Error("allowed")
			}
		})
	}
}

// FuzzOrigins: whatever a header holds, an origin is allowed only when it is spelled
// like the listed one.
func FuzzOrigins(f *testing.F) {
	for _, seed := range []string{
		"https://chat.example", "https://chat.example:443", "https://evil@chat.example", "https://chat.example\t", "null", "",
	} {
		f.Add(seed)
	}
	origins := newOrigins(f, false, "https://chat.example")
	f.Fuzz(func(t *testing.T, sent string) {
		r := get(http.Header{"Origin": {sent}})
		r.Host = "" // no origin is the server's own
		name, port, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(sent), "https://"), ":")
		isListed := name == "chat.example" && (port == "" || strings.TrimLeft(port, "0") == "443")
		if origins.Allowed(r) && !isListed {
			t.Errorf("allowed %q", sent)
		}
	})
}

func TestCORS(t *testing.T) {
	const good, foreign = "https://chat.example", "https://evil.example"
	serve := func(origins *auth.Origins, method string, header http.Header) (got *httptest.ResponseRecorder, reached bool) {
		got = httptest.NewRecorder()
		next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if w != http.ResponseWriter(got) {
				t.Error("the response writer was wrapped")
			}
			reached = true
			w.WriteHeader(http.StatusTeapot)
		})
		r := get(header)
		r.Method = method
		origins.CORS(next).ServeHTTP(got, r)
		return got, reached
	}
	preflight := func(origin string) http.Header {
		return http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"POST"},
			"Access-Control-Request-Headers": {"authorization,content-type"}}
	}
	listed := newOrigins(t, false, good)
	for _, test := range []struct {
		name    string
		origins *auth.Origins
		method  string
		header  http.Header
		status  int
		allow   string // Access-Control-Allow-Origin
	}{
		{"no origin", listed, "POST", nil, http.StatusTeapot, ""},
		{"allowed", listed, "POST", http.Header{"Origin": {good}}, http.StatusTeapot, good},
		{"foreign", listed, "POST", http.Header{"Origin": {foreign}}, http.StatusTeapot, ""},
		{"everyone", newOrigins(t, false, "*"), "GET", http.Header{"Origin": {foreign}}, http.StatusTeapot, "*"},
		{"everyone, no origin", newOrigins(t, false, "*"), "GET", nil, http.StatusTeapot, ""},
		{"development", newOrigins(t, true), "GET", http.Header{"Origin": {"http://localhost:3000"}}, http.StatusTeapot, "http://localhost:3000"},
		{"options", listed, "OPTIONS", nil, http.StatusTeapot, ""},
		{"options of a page, no preflight", listed, "OPTIONS", http.Header{"Origin": {good}}, http.StatusTeapot, good},
		{"preflight", listed, "OPTIONS", preflight(good), http.StatusNoContent, good},
		{"preflight, everyone", newOrigins(t, false, "*"), "OPTIONS", preflight(foreign), http.StatusNoContent, "*"},
		{"preflight of a foreign origin", listed, "OPTIONS", preflight(foreign), http.StatusForbidden, ""},
		{"preflight of null", listed, "OPTIONS", preflight("null"), http.StatusForbidden, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, reached := serve(test.origins, test.method, test.header)
			if got.Code != test.status || reached != (test.status == http.StatusTeapot) {
				t.Errorf("status %d, reached the handler: %v; want status %d", got.Code, reached, test.status)
			}
			want := http.Header{"Vary": {"Origin"}}
			if test.allow != "" {
				want.Set("Access-Control-Allow-Origin", test.allow)
			}
			if test.status == http.StatusNoContent {
				want.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
				want.Set("Access-Control-Allow-Headers", "Content-Type, Authorization, Accept, Last-Event-ID, X-GraphQL-Event-Stream-Token")
				want.Set("Access-Control-Max-Age", "7200")
			}
			if test.status == http.StatusForbidden {
				mustBeError(t, got, http.StatusForbidden, "FORBIDDEN")
				want.Set("Content-Type", "application/json")
			}
			mustEqual(t, want, got.Header())
		})
	}
	t.Run("a page may read a refused token", func(t *testing.T) {
		got := httptest.NewRecorder()
		guarded := listed.CORS(auth.Authenticate(newVerifier(t, auth.Options{}), nil)(http.NotFoundHandler()))
		guarded.ServeHTTP(got, get(http.Header{"Origin": {good}, "Authorization": {"Bearer x"}}))
		mustBeError(t, got, http.StatusUnauthorized, "UNAUTHENTICATED")
		if allow := got.Header().Get("Access-Control-Allow-Origin"); allow != good {
			t.Errorf("Access-Control-Allow-Origin = %q", allow)
		}
	})
}

// TestGuard: whoever isn't allowed doesn't get through, by no method.
func TestGuard(t *testing.T) {
	reached := 0
	guard := newOrigins(t, false, "https://friend.example").Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	for origin, want := range map[string]int{
		"": http.StatusOK, "https://friend.example": http.StatusOK, "http://example.com": http.StatusOK, // which the request is for
		"https://evil.example": http.StatusForbidden, "null": http.StatusForbidden,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
			r, w := httptest.NewRequest(method, "/graphql", nil), httptest.NewRecorder()
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			before := reached
			guard.ServeHTTP(w, r)
			if w.Code != want || (reached > before) != (want == http.StatusOK) {
				t.Errorf("%s from %q: %d", method, origin, w.Code)
			}
		}
	}
}

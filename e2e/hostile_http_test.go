package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/e2e/parleytest"
)

// httpCase is a request that HTTP, or what Parley makes of it, doesn't allow.
type httpCase struct {
	name, method, path string
	header             http.Header
	body               string
	// want is the status, and the code of the error in the body where there is one.
	want string
	// absent are headers that the answer may not have.
	absent []string
}

const jsonBody = `{"query":"{ viewer { id } }"}`

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// TestHostileHTTP sends what isn't GraphQL over HTTP.
func TestHostileHTTP(t *testing.T) {
	t.Parallel()
	node := startHostile(t, map[string]string{"PARLEY_ORIGINS": "https://friend.example"})
	token := tokenOf(t, "ada")
	before := settled(t, node)
	seen := newTable("case", "request", "answer")
	cases := append(append(methods(), bodies(token)...), append(append(pathsAround(), origins()...), friends()...)...)
	for _, c := range cases {
		r, err := http.NewRequestWithContext(t.Context(), c.method, node.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.body == "" {
			r.Body, r.ContentLength = nil, 0
		}
		r.Header = c.header.Clone()
		response, err := http.DefaultTransport.RoundTrip(r) // which follows no redirects
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := c.answer(t, response)
		seen.row(c.name, fmt.Sprintf("%s %.40s", c.method, c.path), got)
		if got != c.want {
			t.Errorf("%s: %q instead of %q", c.name, got, c.want)
		}
	}
	t.Log(seen)
	nothingLeft(t, node, before)
}

func (c httpCase) answer(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		t.Errorf("%s: %v", c.name, err)
	}
	for _, name := range c.absent {
		if value := response.Header.Get(name); value != "" {
			t.Errorf("%s: %s: %s", c.name, name, value)
		}
	}
	if strings.Contains(string(body), "root:") || strings.Contains(string(body), "module parley") {
		t.Errorf("%s: a file of the machine: %.100s", c.name, body)
	}
	word := fmt.Sprint(response.StatusCode)
	if result := asResult(body); len(result.Errors) > 0 {
		word += " " + result.Code()
	}
	return word
}

// methods are ways to ask that GraphQL over HTTP doesn't know.
func methods() []httpCase {
	var cases []httpCase
	for _, accept := range []string{"application/json", "text/event-stream", parleytest.AcceptMultipart} {
		for method, want := range map[string]string{
			"PATCH": "405 BAD_INPUT", "OPTIONS": "405 BAD_INPUT", "TRACE": "405 BAD_INPUT", "PROPFIND": "405 BAD_INPUT", "post": "405 BAD_INPUT",
			"PUT": "406 BAD_INPUT", "DELETE": "404 NOT_FOUND", // a reservation is text, and there is none
		} {
			cases = append(cases, httpCase{name: method + " for " + accept, method: method, path: "/graphql",
				header: headers("Accept", accept, "Content-Type", "application/json"), body: jsonBody, want: want})
		}
	}
	get := func(name, query, accept, want string) {
		cases = append(cases, httpCase{name: name, method: "GET", path: "/graphql" + query, header: headers("Accept", accept), want: want})
	}
	get("nothing asked", "", "application/json", "400 BAD_INPUT")
	get("a broken query string", "?query=%zz", "application/json", "400 BAD_INPUT")
	get("semicolons", "?query={viewer{id}};variables={}", "application/json", "400 BAD_INPUT")
	get("a query string of 128 KiB", "?query=%7Bviewer%7Bid%7D%7D%23"+strings.Repeat("x", 128<<10), "application/json", "414 LIMIT_EXCEEDED")
	get("a link followed to a mutation", "?query=mutation%7BjoinRoom(input:%7BroomId:%22r_1%22%7D)%7Broom%7Bid%7D%7D%7D", "text/html,*/*", "405 BAD_INPUT")
	get("pages only", "?query=%7Bviewer%7Bid%7D%7D", "text/html", "406 BAD_INPUT")
	get("nothing acceptable", "?query=%7Bviewer%7Bid%7D%7D", "application/json;q=0", "406 BAD_INPUT")
	get("multipart for @defer", "?query=subscription%7Btyping(roomId:%22r_1%22)%7Busers%7Bid%7D%7D%7D",
		`multipart/mixed;boundary="-";deferSpec=20220824,application/json`, "406 BAD_INPUT")
	get("an upgrade to nothing", "?query=%7Bviewer%7Bid%7D%7D", "", "200")
	cases[len(cases)-1].header = headers("Connection", "Upgrade", "Upgrade", "h2c")
	return cases
}

// bodies are those that no POST may have.
func bodies(token string) []httpCase {
	var cases []httpCase
	post := func(name, want, body string, header ...string) {
		cases = append(cases, httpCase{name: name, method: "POST", path: "/graphql", header: headers(header...), body: body, want: want})
	}
	const asJSON = "application/json"
	for _, media := range []string{
		"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/graphql", "text/json",
		"application/json; charset=utf-16", "application/json; charset=iso-8859-1", "application/json, text/plain", "application", ";;", "",
	} {
		for _, accept := range []string{asJSON, "text/event-stream"} {
			post(fmt.Sprintf("a body of %q", media), "415 BAD_INPUT", jsonBody, "Content-Type", media, "Accept", accept)
		}
	}
	post("a compressed body", "415 BAD_INPUT", jsonBody, "Content-Type", asJSON, "Content-Encoding", "gzip")
	post("an upload", "415 BAD_INPUT", "--b\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{}\r\n--b--\r\n", "Content-Type", "multipart/form-data; boundary=b")
	large := `{"query":"{ viewer { id } }","pad":"` + strings.Repeat("x", 128<<10) + `"}`
	post("a body of 128 KiB", "413 LIMIT_EXCEEDED", large, "Content-Type", asJSON)
	post("a body of 128 KiB, for a stream", "413 LIMIT_EXCEEDED", large, "Content-Type", asJSON, "Accept", "text/event-stream")
	post("headers of 2 MiB", "431", jsonBody, "Content-Type", asJSON, "X-Pad", strings.Repeat("x", 2<<20))
	post("two tokens", "401 UNAUTHENTICATED", jsonBody, "Content-Type", asJSON, "Authorization", "Bearer "+token, "Authorization", "Bearer "+token)
	for _, credentials := range []string{"Basic YWRhOng=", "Bearer", "Bearer ", token, "Bearer " + token + ", Bearer " + token, "Bearer \"" + token + "\""} {
		post(fmt.Sprintf("credentials %.12q…", credentials), "401 UNAUTHENTICATED", jsonBody, "Content-Type", asJSON, "Authorization", credentials)
	}
	post("a token in a cookie", "200 UNAUTHENTICATED", `{"query":"{ rooms { __typename } }"}`, "Content-Type", asJSON, "Cookie", "Authorization=Bearer "+token+"; token="+token)
	return cases
}

// pathsAround are those that lead, or should lead, nowhere.
func pathsAround() []httpCase {
	var cases []httpCase
	for path, want := range map[string]string{
		"/dev/token": "404", "/metrics": "404", "/debug/pprof/": "404", "/debug/pprof/heap": "404", "/graphql/": "404", "/graphql/x": "404",
		"/nothing": "404", "/.git/config": "404", "/parley.db": "404", "/data/parley.db": "404", "/playground/../../../../etc/passwd": "307",
		"/playground/..%2f..%2f..%2fetc%2fpasswd": "404", "/playground/%2e%2e/%2e%2e/go.mod": "404", "/playground/....//go.mod": "307",
		"/playground/..%5c..%5cgo.mod": "404", "/playground/index.html%00": "404", "/playground/assets/": "404", "/playground/../routes.go": "307",
		"//etc/passwd": "307", "/playground/" + strings.Repeat("x", 100_000): "404",
	} {
		cases = append(cases, httpCase{name: fmt.Sprintf("the path %.42s", path), method: "GET", path: path, header: headers(), want: want})
	}
	for _, path := range []string{"/playground", "/schema.graphqls", "/healthz", "/readyz"} {
		cases = append(cases, httpCase{name: "DELETE of " + path, method: "DELETE", path: path, header: headers(), want: "405"})
	}
	return append(cases, httpCase{name: "signing in as anybody", method: "POST", path: "/dev/token", header: headers("Content-Type", "application/json"),
		body: `{"user":"ada"}`, want: "404"})
}

// origins are those of pages that nobody invited.
func origins() []httpCase {
	allow := []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Credentials"}
	var cases []httpCase
	for _, origin := range []string{
		"https://evil.example", "http://friend.example", "https://friend.example.evil.example", "https://friend.example:8443", "https://friend.example/", "null",
		"http://localhost:8080", "http://127.0.0.1", "https://evilfriend.example", "file://", "garbage",
	} {
		cases = append(cases,
			httpCase{name: "a preflight from " + origin, method: "OPTIONS", path: "/graphql", want: "403 FORBIDDEN", absent: allow,
				header: headers("Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")},
			httpCase{name: "a WebSocket from " + origin, method: "GET", path: "/graphql", want: "403 FORBIDDEN", absent: allow,
				header: headers("Origin", origin, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
					"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol", "graphql-transport-ws")},
			httpCase{name: "a query from " + origin, method: "GET", path: "/graphql?query=%7Bviewer%7Bid%7D%7D", want: "403 FORBIDDEN", absent: allow,
				header: headers("Origin", origin, "Accept", "application/json")},
			httpCase{name: "a stream from " + origin, method: "GET", path: "/graphql?query=%7Bviewer%7Bid%7D%7D", want: "403 FORBIDDEN", absent: allow,
				header: headers("Origin", origin, "Accept", "text/event-stream")},
			httpCase{name: "a form from " + origin, method: "POST", path: "/graphql", want: "403 FORBIDDEN", absent: allow, body: jsonBody,
				header: headers("Origin", origin, "Content-Type", "text/plain")},
			httpCase{name: "a post from " + origin, method: "POST", path: "/graphql", want: "403 FORBIDDEN", absent: allow, body: jsonBody,
				header: headers("Origin", origin, "Content-Type", "application/json")},
			httpCase{name: "a posted stream from " + origin, method: "POST", path: "/graphql", want: "403 FORBIDDEN", absent: allow, body: jsonBody,
				header: headers("Origin", origin, "Content-Type", "application/json", "Accept", "text/event-stream", "Authorization", "Bearer x")})
	}
	return cases
}

// friends are requests of a page that was invited: served, and its to read.
func friends() []httpCase {
	var cases []httpCase
	for _, accept := range []string{"application/json", "text/event-stream"} {
		cases = append(cases,
			httpCase{name: "a query from a friend for " + accept, method: "GET", path: "/graphql?query=%7Bviewer%7Bid%7D%7D", want: "200",
				header: headers("Origin", "https://friend.example", "Accept", accept)},
			httpCase{name: "a post from a friend for " + accept, method: "POST", path: "/graphql", want: "200", body: jsonBody,
				header: headers("Origin", "https://friend.example", "Accept", accept, "Content-Type", "application/json")})
	}
	return cases
}

// rawCases are bytes that no HTTP client of good manners sends, and the status they deserve;
// "closed" for none.
var rawCases = []struct{ name, bytes, want string }{
	{"garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", "400"},
	{"a preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
	{"HTTP/0.9", "GET /graphql\r\n\r\n", "400"},
	{"HTTP/9", "GET /graphql HTTP/9.9\r\nHost: x\r\n\r\n", "505"},
	{"no host", "GET /graphql HTTP/1.1\r\n\r\n", "400"},
	{"two hosts", "GET /graphql HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
	{"a host with a space", "GET /graphql HTTP/1.1\r\nHost: a b\r\n\r\n", "400"},
	{"a header without name", "GET /graphql HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n", "400"},
	{"a header with a zero byte", "GET /graphql HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", "400"},
	{"two lengths", "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
	{"a negative length", "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "400"},
	{"an unknown coding", "POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", "501"},
	{"a broken chunk", "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
	{"endless chunks", "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
		strings.Repeat("1000\r\n"+strings.Repeat("x", 4096)+"\r\n", 40), "413"},
	{"a stream over HTTP/1.0", "GET /graphql?query=subscription%7Btyping(roomId:%22r_1%22)%7Busers%7Bid%7D%7D%7D HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n", "505"},
	{"a WebSocket without key", "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", "400"},
	{"a WebSocket of version 8", "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", "426"},
	{"a WebSocket by POST", "POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 0\r\n\r\n", "405"},
	{"a path that isn't one", "GET graphql HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
	{"climbing out of the playground", "GET /playground/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "307"},
}

// TestHostileBytes sends what isn't HTTP.
func TestHostileBytes(t *testing.T) {
	t.Parallel()
	node := startHostile(t, nil)
	before := settled(t, node)
	seen := newTable("case", "answer")
	for _, c := range rawCases {
		got := sayRaw(t, node, c.bytes)
		seen.row(c.name, got)
		if got != c.want {
			t.Errorf("%s: %q instead of %q", c.name, got, c.want)
		}
	}
	t.Log(seen)
	nothingLeft(t, node, before)
}

// dialRaw opens a TCP connection that is closed when the test ends.
func dialRaw(t testing.TB, node *parleytest.Node) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(node.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * parleytest.Patience)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// sayRaw sends bytes and returns the status of what comes back.
func sayRaw(t *testing.T, node *parleytest.Node, bytes string) string {
	t.Helper()
	conn := dialRaw(t, node)
	defer conn.Close()
	_, _ = conn.Write([]byte(bytes)) // the server may answer before all is sent
	return statusOf(conn)
}

func statusOf(conn net.Conn) string {
	line, err := bufio.NewReader(conn).ReadString('\n')
	if _, rest, ok := strings.Cut(line, " "); ok && strings.HasPrefix(line, "HTTP/") {
		return rest[:3]
	}
	if err != nil && strings.Contains(err.Error(), "timeout") {
		return "silence"
	}
	return "closed"
}

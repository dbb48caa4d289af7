package graphqlhttp_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"go.uber.org/goleak"

	"parley/transport"
	"parley/transport/graphqlhttp"
	"parley/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newRig(t testing.TB, options transport.Options) *transporttest.Rig {
	t.Helper()
	return transporttest.NewRig(t, options, func(s *transport.Service) graphql.Transport {
		return graphqlhttp.Transport{Service: s}
	})
}

const (
	legacy  = "application/json"
	current = "application/graphql-response+json"
)

// want checks a response: its status, and either its whole body or, if that is an error code, the
// code of the error in it.
func want(t *testing.T, response *http.Response, body string, status int, bodyOrCode string) {
	t.Helper()
	if response.StatusCode != status {
		t.Errorf("got status %d %s, want %d", response.StatusCode, body, status)
	}
	matches := body == bodyOrCode
	if !strings.HasPrefix(bodyOrCode, "{") {
		matches = strings.HasPrefix(body, `{"errors":[{"message":"`) && strings.Contains(body, `"extensions":{"code":"`+bodyOrCode+`"}`) &&
			!strings.Contains(body, `"data"`)
	}
	if !matches {
		t.Errorf("got %s, want %s", body, bodyOrCode)
	}
}

func get(t *testing.T, rig *transporttest.Rig, query url.Values, header http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rig.Server.URL+"?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return rig.Do(t, request, header)
}

func TestOperations(t *testing.T) {
	rig := newRig(t, transport.Options{})
	for name, test := range map[string]struct {
		body   string
		legacy int
		strict int
		want   string
	}{
		"query":                       {`{"query":"{ hello }"}`, 200, 200, `{"data":{"hello":"hello"}}`},
		"mutation":                    {`{"query":"mutation { say(text: \"x\") }"}`, 200, 200, `{"data":{"say":"x"}}`},
		"variables":                   {`{"query":"query($n: String) { hello(name: $n) }","variables":{"n":"ada"}}`, 200, 200, `{"data":{"hello":"hello ada"}}`},
		"operationName":               {`{"query":"query A { hello } query B { fail }","operationName":"A"}`, 200, 200, `{"data":{"hello":"hello"}}`},
		"nulls":                       {`{"query":"{ hello }","operationName":null,"variables":null,"extensions":null}`, 200, 200, `{"data":{"hello":"hello"}}`},
		"extensions":                  {`{"query":"{ hello }","extensions":{"a":{"b":1}}}`, 200, 200, `{"data":{"hello":"hello"}}`},
		"unknown members":             {`{"query":"{ hello }","doc_id":1}`, 200, 200, `{"data":{"hello":"hello"}}`},
		"error of a field":            {`{"query":"{ fail }"}`, 200, 200, `{"errors":[{"message":"it failed","extensions":{"code":"INTERNAL"}}],"data":{"fail":null}}`},
		"syntax error":                {`{"query":"{"}`, 200, 400, "BAD_INPUT"},
		"validation error":            {`{"query":"{ nothing }"}`, 200, 400, "BAD_INPUT"},
		"variable of the wrong type":  {`{"query":"query($n: Int!) { big(size: $n) }","variables":{"n":"x"}}`, 200, 400, "BAD_INPUT"},
		"no such operation":           {`{"query":"query A { hello } query B { fail }","operationName":"C"}`, 200, 400, "BAD_INPUT"},
		"empty query":                 {`{"query":""}`, 200, 400, "BAD_INPUT"},
		"@defer":                      {`{"query":"query { ...F } fragment F on Query { ... @defer { hello } }"}`, 200, 400, "BAD_INPUT"},
		"panic":                       {`{"query":"query Secretive { panic }"}`, 200, 500, "INTERNAL"},
		"malformed JSON":              {`{"query":`, 400, 400, "BAD_INPUT"},
		"no body":                     {``, 400, 400, "BAD_INPUT"},
		"array (batching)":            {`[{"query":"{ hello }"}]`, 400, 400, "BAD_INPUT"},
		"null":                        {`null`, 400, 400, "BAD_INPUT"},
		"not UTF-8":                   {"{\"query\":\"{ hello(name: \\\"\xff\\\") }\"}", 400, 400, "BAD_INPUT"},
		"something behind the object": {`{"query":"{ hello }"}{}`, 400, 400, "BAD_INPUT"},
		"query missing":               {`{}`, 400, 400, "BAD_INPUT"},
		"query in capitals":           {`{"QUERY":"{ hello }"}`, 400, 400, "BAD_INPUT"},
		"query a number":              {`{"query":1}`, 400, 400, "BAD_INPUT"},
		"operationName an object":     {`{"query":"{ hello }","operationName":{}}`, 400, 400, "BAD_INPUT"},
		"variables a string":          {`{"query":"{ hello }","variables":"{}"}`, 400, 400, "BAD_INPUT"},
		"variables an array":          {`{"query":"{ hello }","variables":[]}`, 400, 400, "BAD_INPUT"},
		"extensions a boolean":        {`{"query":"{ hello }","extensions":true}`, 400, 400, "BAD_INPUT"},
		"subscription":                {`{"query":"subscription { ticks(log: \"a\") }"}`, 406, 406, "BAD_INPUT"},
	} {
		t.Run(name, func(t *testing.T) {
			for accept, status := range map[string]int{legacy: test.legacy, current: test.strict} {
				response, body := rig.Post(t, test.body, http.Header{"Accept": {accept}})
				want(t, response, body, status, test.want)
			}
		})
	}
	if log := rig.Log.String(); !strings.Contains(log, "operation=Secretive") {
		t.Errorf("the panic isn't logged with its operation's name:\n%s", log)
	}
}

func TestGet(t *testing.T) {
	rig := newRig(t, transport.Options{})
	for name, test := range map[string]struct {
		query  url.Values
		status int
		want   string
	}{
		"query":                {url.Values{"query": {"{ hello }"}}, 200, `{"data":{"hello":"hello"}}`},
		"variables":            {url.Values{"query": {"query A($n: String) { hello(name: $n) } query B { fail }"}, "operationName": {"A"}, "variables": {`{"n":"ada"}`}}, 200, `{"data":{"hello":"hello ada"}}`},
		"empty parameters":     {url.Values{"query": {"{ hello }"}, "operationName": {""}, "variables": {""}, "extensions": {""}}, 200, `{"data":{"hello":"hello"}}`},
		"no query":             {url.Values{}, 400, "BAD_INPUT"},
		"malformed variables":  {url.Values{"query": {"{ hello }"}, "variables": {"{"}}, 400, "BAD_INPUT"},
		"variables an array":   {url.Values{"query": {"{ hello }"}, "variables": {"[]"}}, 400, "BAD_INPUT"},
		"malformed extensions": {url.Values{"query": {"{ hello }"}, "extensions": {"x"}}, 400, "BAD_INPUT"},
		"mutation":             {url.Values{"query": {`mutation { say(text: "x") }`}}, 405, "BAD_INPUT"},
		"subscription":         {url.Values{"query": {`subscription { ticks(log: "a") }`}}, 406, "BAD_INPUT"},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := get(t, rig, test.query, nil)
			want(t, response, body, test.status, test.want)
		})
	}
	t.Run("a query string that can't be decoded", func(t *testing.T) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rig.Server.URL+"?query=%zz", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, body := rig.Do(t, request, nil)
		want(t, response, body, 400, "BAD_INPUT")
	})
}

func TestAccept(t *testing.T) {
	rig := newRig(t, transport.Options{})
	for accept, media := range map[string]string{
		"":                            legacy,
		"*/*":                         legacy,
		"application/*":               legacy,
		legacy:                        legacy,
		current:                       current,
		current + ", " + legacy:       current,
		legacy + ", " + current:       legacy,
		current + ";q=0.5, " + legacy: legacy,
		legacy + ";q=0.5, " + current: current,
		"text/html, */*;q=0.8":        legacy,
		current + ";charset=utf-8":    current,
		"multipart/mixed;boundary=graphql;subscriptionSpec=1.0," + current + "," + legacy + ";q=0.9": current,
	} {
		t.Run("takes "+accept, func(t *testing.T) {
			response, body := rig.Post(t, `{"query":"{ hello }"}`, http.Header{"Accept": {accept}})
			want(t, response, body, 200, `{"data":{"hello":"hello"}}`)
			if got := response.Header.Get("Content-Type"); got != media+"; charset=utf-8" {
				t.Errorf("got %s", got)
			}
		})
	}
	for _, accept := range []string{"text/html", "application/xml", "*/*;q=0", legacy + ";q=0", "multipart/mixed"} {
		t.Run("can't please "+accept, func(t *testing.T) {
			response, body := rig.Post(t, `{"query":"{ hello }"}`, http.Header{"Accept": {accept}})
			want(t, response, body, 406, "BAD_INPUT")
		})
	}
	t.Run("multipart for a subscription is told what would do", func(t *testing.T) {
		response, body := rig.Post(t, `{"query":"subscription { ticks(log: \"a\") }"}`, http.Header{"Accept": {"multipart/mixed, " + legacy}})
		want(t, response, body, 406, "BAD_INPUT")
		if !strings.Contains(body, "multipart/mixed;subscriptionSpec=1.0") || !strings.Contains(body, "text/event-stream") {
			t.Errorf("got %s", body)
		}
	})
}

func TestRequests(t *testing.T) {
	rig := newRig(t, transport.Options{MaxBody: 1000})
	hello := `{"query":"{ hello }"}`
	for name, test := range map[string]struct {
		header http.Header
		status int
	}{
		"charset utf-8":       {http.Header{"Content-Type": {"application/json; charset=UTF-8"}}, 200},
		"identity":            {http.Header{"Content-Encoding": {"identity"}}, 200},
		"another charset":     {http.Header{"Content-Type": {"application/json; charset=latin1"}}, 415},
		"compressed":          {http.Header{"Content-Encoding": {"gzip"}}, 415},
		"no content type":     {http.Header{"Content-Type": {""}}, 415},
		"text/plain":          {http.Header{"Content-Type": {"text/plain"}}, 415},
		"a form":              {http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, 415},
		"a multipart form":    {http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, 415},
		"application/graphql": {http.Header{"Content-Type": {"application/graphql"}}, 415},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := rig.Post(t, hello, test.header)
			if test.status == 200 {
				want(t, response, body, 200, `{"data":{"hello":"hello"}}`)
			} else {
				want(t, response, body, test.status, "BAD_INPUT")
			}
		})
	}
	t.Run("large body", func(t *testing.T) {
		response, body := rig.Post(t, `{"query":"`+strings.Repeat("#", 1000)+`"}`, nil)
		want(t, response, body, 413, "LIMIT_EXCEEDED")
	})
	t.Run("large query string", func(t *testing.T) {
		response, body := get(t, rig, url.Values{"query": {strings.Repeat("#", 1000)}}, nil)
		want(t, response, body, 414, "LIMIT_EXCEEDED")
	})
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions} {
		t.Run(method, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), method, rig.Server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, body := rig.Do(t, request, nil)
			want(t, response, body, 405, "BAD_INPUT")
			if response.Header.Get("Allow") != "GET, POST" {
				t.Errorf("got %v", response.Header)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	rig := newRig(t, transport.Options{OperationTimeout: 30 * time.Millisecond, InitTimeout: 50 * time.Millisecond})
	t.Run("an operation", func(t *testing.T) {
		response, body := rig.Post(t, `{"query":"{ slow }"}`, nil)
		if response.StatusCode != 200 || !strings.Contains(body, `"errors"`) {
			t.Fatalf("got %d %s", response.StatusCode, body)
		}
	})
	t.Run("a body that doesn't come", func(t *testing.T) {
		in, out := io.Pipe()
		defer out.Close()
		go func() { _, _ = io.WriteString(out, `{"query":`) }() // ends when the client has read it, or given up
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, rig.Server.URL, in)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		response, body := rig.Do(t, request, nil)
		want(t, response, body, 408, "BAD_INPUT")
	})
}

package transport_test

import (
	"net/http"
	"testing"

	"parley/transport"
)

func TestMultipartSubscription(t *testing.T) {
	type asked struct {
		boundary string
		ok       bool
	}
	for accept, want := range map[string]asked{
		"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9": {"graphql", true},
		`multipart/mixed; boundary="-"; subscriptionSpec="1.0", application/json`:                                        {"-", true},
		"multipart/mixed;subscriptionSpec=1.0":                                                                           {"", true},
		"multipart/mixed;deferSpec=20220824, Multipart/Mixed;SUBSCRIPTIONSPEC=1.0;boundary=graphql":                      {"graphql", true},
		"multipart/mixed;boundary=graphql;deferSpec=20220824":                                                            {},
		"multipart/mixed;subscriptionSpec=2.0":                                                                           {},
		"multipart/mixed;subscriptionSpec=1.0;q=0":                                                                       {},
		"multipart/mixed":           {},
		"*/*;subscriptionSpec=1.0":  {},
		"application/json":          {},
		"multipart/*;boundary=blue": {},
	} {
		boundary, ok := transport.ParseAccept(http.Header{"Accept": {accept}}).MultipartSubscription()
		if got := (asked{boundary, ok}); got != want {
			t.Errorf("%s: got %+v, want %+v", accept, got, want)
		}
	}
}

// FuzzParseAccept: whatever a client says it accepts, the answer is of one of the two types, and an
// event stream only if it is named.
func FuzzParseAccept(f *testing.F) {
	for _, seed := range []string{
		"", "*/*", "application/json", "application/graphql-response+json, application/json;q=0.9", "text/event-stream",
		"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json", "application/*;q=nan", "a/b;q=1e400", "text/html;q=0", ";,;,",
	} {
		f.Add(seed, "")
	}
	f.Add("application/json;q=0", "text/event-stream;q=0.1")
	f.Fuzz(func(t *testing.T, first, second string) {
		accept := transport.ParseAccept(http.Header{"Accept": {first, second}})
		if media, _ := accept.JSON(); media != "application/json" && media != "application/graphql-response+json" {
			t.Errorf("%q, %q: answered as %q", first, second, media)
		}
		again := transport.ParseAccept(http.Header{"Accept": {first + "," + second}})
		_, multipart := accept.MultipartSubscription()
		if _, same := again.MultipartSubscription(); same != multipart || again.EventStream() != accept.EventStream() ||
			again.NamesJSON() != accept.NamesJSON() {
			t.Errorf("%q, %q: one header line says something else than two", first, second)
		}
	})
}

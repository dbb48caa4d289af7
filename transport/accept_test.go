package transport_test

import (
	"net/http"
	"testing"

	"parley/transport"
)

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
		if again := transport.ParseAccept(http.Header{"Accept": {first + "," + second}}); again.EventStream() != accept.EventStream() ||
			again.Multipart() != accept.Multipart() || again.NamesJSON() != accept.NamesJSON() {
			t.Errorf("%q, %q: one header line says something else than two", first, second)
		}
	})
}

package graphqlws_test

import (
	"net/http"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"parley/transport"
	"parley/transport/graphqlws"
	"parley/transport/transporttest"
)

func deflating(s *transport.Service) graphql.Transport {
	return graphqlws.Transport{Service: s, Compress: true}
}

func TestCompressionIsNegotiated(t *testing.T) {
	rig := transporttest.NewRig(t, transport.Options{}, deflating)
	const yes = "permessage-deflate;server_no_context_takeover;client_no_context_takeover"
	for name, test := range map[string]struct {
		offers []string
		answer string
	}{
		"nothing offered":                     {nil, ""},
		"offered":                             {[]string{"permessage-deflate"}, yes},
		"as browsers and Node's ws offer it":  {[]string{"permessage-deflate; client_max_window_bits"}, yes},
		"with the largest window":             {[]string{"permessage-deflate; client_max_window_bits=15"}, yes},
		"without contexts":                    {[]string{"permessage-deflate; client_no_context_takeover; server_no_context_takeover"}, yes},
		"with small windows of the client":    {[]string{"permessage-deflate; client_max_window_bits=8"}, yes},
		"a quoted value":                      {[]string{`permessage-deflate; client_max_window_bits="9"`}, yes},
		"the server's window as it is":        {[]string{"permessage-deflate; server_max_window_bits=15"}, yes + ";server_max_window_bits=15"},
		"a smaller one":                       {[]string{"permessage-deflate; server_max_window_bits=14"}, ""},
		"a smaller one, or else any":          {[]string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, yes},
		"in two headers":                      {[]string{"permessage-deflate; server_max_window_bits=10", "permessage-deflate"}, yes},
		"the first that suits, once":          {[]string{"permessage-deflate, permessage-deflate; server_max_window_bits=15"}, yes},
		"another extension":                   {[]string{"permessage-bzip2"}, ""},
		"another one before":                  {[]string{"x-webkit-deflate-frame, permessage-deflate"}, yes},
		"a name in capitals":                  {[]string{"Permessage-Deflate"}, ""},
		"a parameter that nobody defined":     {[]string{"permessage-deflate; level=9"}, ""},
		"a server's window without a value":   {[]string{"permessage-deflate; server_max_window_bits"}, ""},
		"a window too small":                  {[]string{"permessage-deflate; client_max_window_bits=7"}, ""},
		"a window too large":                  {[]string{"permessage-deflate; client_max_window_bits=16"}, ""},
		"a leading zero":                      {[]string{"permessage-deflate; client_max_window_bits=08"}, ""},
		"a window that isn't a number":        {[]string{"permessage-deflate; client_max_window_bits=large"}, ""},
		"a value where there is none":         {[]string{"permessage-deflate; server_no_context_takeover=true"}, ""},
		"a parameter twice":                   {[]string{"permessage-deflate; client_no_context_takeover; client_no_context_takeover"}, ""},
		"a window twice":                      {[]string{"permessage-deflate; client_max_window_bits; client_max_window_bits=10"}, ""},
		"more parameters than there are":      {[]string{"permessage-deflate; a; b; c; d; e; f; g; h; i; j"}, ""},
		"an offer that isn't proper, another": {[]string{"permessage-deflate; level=9, permessage-deflate"}, yes},
	} {
		t.Run(name, func(t *testing.T) {
			lines := ""
			for _, offer := range test.offers {
				lines += "Sec-WebSocket-Extensions: " + offer + "\r\n"
			}
			c, response := shakeHands(t, rig, lines, "")
			if got := response.Header.Get("Sec-WebSocket-Extensions"); response.StatusCode != http.StatusSwitchingProtocols || got != test.answer {
				t.Fatalf("got %d, %q", response.StatusCode, got)
			}
			c.init()
		})
	}
	t.Run("a header that isn't one fails the handshake, as RFC 6455 §9.1 asks for", func(t *testing.T) {
		_, response := shakeHands(t, rig, "Sec-WebSocket-Extensions: permessage-deflate; =\r\n", "")
		if response.StatusCode != http.StatusBadRequest {
			t.Fatalf("got %d", response.StatusCode)
		}
	})
	t.Run("not where it is switched off", func(t *testing.T) {
		c, response := shakeHands(t, newRig(t, transport.Options{}), "Sec-WebSocket-Extensions: permessage-deflate\r\n", "")
		if got := response.Header.Values("Sec-WebSocket-Extensions"); len(got) > 0 {
			t.Fatalf("got %q", got)
		}
		c.init()
	})
}

package auth_test

import (
	"net/http"
	"net/netip"
	"testing"

	"parley/auth"
)

func TestAddress(t *testing.T) {
	trusted := []string{"10.0.0.0/8", "192.0.2.1", "2001:db8:ffff::/48"}
	for name, c := range map[string]struct {
		header, peer string
		values       []string
		want         string
	}{
		"no proxy":                       {"X-Forwarded-For", "203.0.113.9:1", nil, "203.0.113.9"},
		"one who pretends to be a proxy": {"X-Forwarded-For", "203.0.113.9:1", []string{"198.51.100.7"}, "203.0.113.9"},
		"a proxy":                        {"X-Forwarded-For", "10.1.2.3:1", []string{"198.51.100.7"}, "198.51.100.7"},
		"a proxy that says nothing":      {"X-Forwarded-For", "10.1.2.3:1", nil, "10.1.2.3"},
		"a client that made up a part":   {"X-Forwarded-For", "10.1.2.3:1", []string{"1.1.1.1, 198.51.100.7"}, "198.51.100.7"},
		"a client that names a proxy":    {"X-Forwarded-For", "10.1.2.3:1", []string{"10.9.9.9, 198.51.100.7"}, "198.51.100.7"},
		"a chain":                        {"X-Forwarded-For", "10.1.2.3:1", []string{"1.1.1.1, 198.51.100.7 ,192.0.2.1, 10.5.5.5"}, "198.51.100.7"},
		"a chain in lines":               {"X-Forwarded-For", "10.1.2.3:1", []string{"1.1.1.1, 198.51.100.7", "192.0.2.1"}, "198.51.100.7"},
		"only proxies":                   {"X-Forwarded-For", "10.1.2.3:1", []string{"10.7.7.7, 10.5.5.5"}, "10.7.7.7"},
		"nonsense":                       {"X-Forwarded-For", "10.1.2.3:1", []string{"198.51.100.7, <script>"}, "10.1.2.3"},
		"nonsense behind a proxy":        {"X-Forwarded-For", "10.1.2.3:1", []string{"unknown, 192.0.2.1"}, "192.0.2.1"},
		"empty":                          {"X-Forwarded-For", "10.1.2.3:1", []string{""}, "10.1.2.3"},
		"a port":                         {"X-Forwarded-For", "10.1.2.3:1", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		"IPv6":                           {"X-Forwarded-For", "[2001:db8:ffff::1]:1", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 with a port":               {"X-Forwarded-For", "10.1.2.3:1", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"IPv6 in brackets":               {"X-Forwarded-For", "10.1.2.3:1", []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv4 in IPv6":                   {"X-Forwarded-For", "[::ffff:10.1.2.3]:1", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		"a zone":                         {"X-Forwarded-For", "[fe80::1%eth0]:1", nil, "fe80::1"},
		"no address":                     {"X-Forwarded-For", "@", []string{"198.51.100.7"}, "invalid IP"},
		"the header that isn't read":     {"Forwarded", "10.1.2.3:1", nil, "10.1.2.3"},
		"Forwarded":                      {"Forwarded", "10.1.2.3:1", []string{`for=198.51.100.7;proto=https;by=10.0.0.1`}, "198.51.100.7"},
		"Forwarded, IPv6":                {"Forwarded", "10.1.2.3:1", []string{`For="[2001:db8::7]:4711"`}, "2001:db8::7"},
		"Forwarded, a chain":             {"Forwarded", "10.1.2.3:1", []string{`for=1.1.1.1, for="198.51.100.7"`, `proto=http; for=192.0.2.1`}, "198.51.100.7"},
		"Forwarded, hidden":              {"Forwarded", "10.1.2.3:1", []string{`for=1.1.1.1, for=_hidden`}, "10.1.2.3"},
		"Forwarded, without for":         {"Forwarded", "10.1.2.3:1", []string{`for=1.1.1.1, proto=http`}, "10.1.2.3"},
	} {
		t.Run(name, func(t *testing.T) {
			proxies, err := auth.NewProxies(trusted, c.header)
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{c.header: c.values}}
			if c.values == nil {
				r.Header = http.Header{"X-Forwarded-For": {"10.0.0.1, nonsense"}}
				if c.header == "X-Forwarded-For" {
					r.Header = http.Header{"Forwarded": {"for=1.1.1.1"}}
				}
			}
			if got := proxies.Address(r); got.String() != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
}

func TestProxiesThatArent(t *testing.T) {
	for _, text := range []string{"", "proxy", "10.0.0.0/33", "10.0.0", "10.0.0.1:80", "*"} {
		if _, err := auth.NewProxies([]string{text}, auth.HeaderXForwardedFor); err == nil {
			t.Errorf("%q is trusted", text)
		}
	}
	if _, err := auth.NewProxies(nil, "X-Real-IP"); err == nil {
		t.Error("X-Real-IP is read")
	}
}

func TestNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"198.51.100.7": "198.51.100.7/32", "2001:db8::7": "2001:db8::/64", "2001:db8::ffff:0:0:1": "2001:db8::/64", "2001:db8:0:1::1": "2001:db8:0:1::/64",
	} {
		if got := auth.Network(netip.MustParseAddr(text)).String(); got != want {
			t.Errorf("%s is of %s, want %s", text, got, want)
		}
	}
	if auth.Network(netip.Addr{}) != (netip.Prefix{}) {
		t.Error("no address is somewhere")
	}
	ctx := auth.WithNetwork(t.Context(), auth.Network(netip.MustParseAddr("198.51.100.7")))
	if got := auth.NetworkFrom(ctx).String(); got != "198.51.100.7/32" || auth.NetworkFrom(t.Context()).IsValid() {
		t.Errorf("the context says %s", got)
	}
}

func FuzzAddress(f *testing.F) {
	f.Add(`for="[2001:db8::7]:4711", for=192.0.2.1`, "198.51.100.7, 10.0.0.1")
	f.Fuzz(func(t *testing.T, forwarded, forwardedFor string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"Forwarded": {forwarded}, "X-Forwarded-For": {forwardedFor}}}
		for _, header := range []string{auth.HeaderForwarded, auth.HeaderXForwardedFor} {
			proxies, err := auth.NewProxies([]string{"10.0.0.0/8"}, header)
			if err != nil {
				t.Fatal(err)
			}
			if addr := proxies.Address(r); !addr.IsValid() || addr.Zone() != "" || addr.Is4In6() {
				t.Errorf("%v", addr)
			}
		}
	})
}

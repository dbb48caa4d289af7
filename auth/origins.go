package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Origins decides which web pages may talk to the server: by [Origins.CORS] for
// requests that browsers guard (Fetch Standard §3.3), by [Origins.Allowed] for
// WebSocket upgrades, which they don't (RFC 6455 §10.2). Programs that send no
// Origin header are none of its business.
//
// Any origin may be allowed by "*", since nothing here relies on credentials that
// browsers add by themselves: Access-Control-Allow-Credentials is never sent.
type Origins struct {
	listed   map[origin]bool
	everyone bool
	dev      bool
}

// NewOrigins returns the rule for the allowed origins, each "scheme://host[:port]"
// or "*". The server's own origin is always allowed.
//
// In development (dev) every loopback origin is allowed too: localhost, 127.0.0.0/8
// and [::1] at any port. The server's own origin then counts only under a loopback
// name: since anyone may sign in there, a page that has its own host name resolve
// to this machine (DNS rebinding) must not pass for ours. A tunnel's origin has to
// be listed.
func NewOrigins(allowed []string, dev bool) (*Origins, error) {
	origins := &Origins{listed: make(map[origin]bool, len(allowed)), dev: dev}
	for _, entry := range allowed {
		entry = strings.TrimSpace(entry)
		if entry == "*" {
			origins.everyone = true
			continue
		}
		parsed, err := parseOrigin(entry)
		if err != nil {
			return nil, fmt.Errorf("allowed origin %q: %w", entry, err)
		}
		origins.listed[parsed] = true
	}
	return origins, nil
}

// Allowed tells whether the request may be served as far as its Origin header is
// concerned. A request without one is; the opaque origin "null" is not, except by "*".
func (o *Origins) Allowed(r *http.Request) bool {
	sent := r.Header.Values("Origin")
	if len(sent) == 0 || o.everyone {
		return true
	}
	if len(sent) > 1 {
		return false
	}
	from, err := parseOrigin(sent[0])
	if err != nil {
		return false
	}
	return o.listed[from] || o.dev && from.isLoopback() || o.isOwn(from, r)
}

// isOwn compares with the address the request was sent to. Behind a proxy that ends
// TLS the scheme is unknown; the host and port must do then.
func (o *Origins) isOwn(from origin, r *http.Request) bool {
	if r.TLS != nil && from.scheme != "https" {
		return false
	}
	own, err := parseOrigin(from.scheme + "://" + r.Host)
	return err == nil && from == own && (!o.dev || own.isLoopback())
}

// origin is the tuple of RFC 6454 §4, normalized so that equal origins are ==.
type origin struct {
	scheme string // lower case
	host   string // lower case; an IP address in canonical form, without brackets
	port   int    // the scheme's default made explicit; 0 where there is none
}

var defaultPorts = map[string]int{"http": 80, "https": 443}

func parseOrigin(text string) (origin, error) {
	if strings.Contains(text, "*") {
		return origin{}, errors.New(`patterns are not supported, only "*" alone`)
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme == "" || parsed.Hostname() == "" {
		return origin{}, errors.New("it must have the form scheme://host[:port]")
	}
	if prefix := parsed.Scheme + "://" + parsed.Host; !strings.EqualFold(text, prefix) {
		return origin{}, errors.New("nothing may follow the host and port, not even a slash")
	}
	host, err := canonicalHost(parsed.Hostname())
	if err != nil {
		return origin{}, err
	}
	port, err := explicitPort(parsed)
	if err != nil {
		return origin{}, err
	}
	return origin{scheme: parsed.Scheme, host: host, port: port}, nil
}

func explicitPort(parsed *url.URL) (int, error) {
	digits := parsed.Port()
	if digits == "" && !strings.HasSuffix(parsed.Host, ":") {
		return defaultPorts[parsed.Scheme], nil
	}
	port, err := strconv.Atoi(digits)
	if err != nil || port < 1 || port > 65535 {
		return 0, errors.New("its port must be between 1 and 65535")
	}
	return port, nil
}

// canonicalHost spells a host as browsers do in an Origin header.
func canonicalHost(host string) (string, error) {
	if address, err := netip.ParseAddr(host); err == nil && address.Zone() == "" {
		return address.String(), nil
	}
	for _, r := range host {
		isPlain := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !isPlain && !strings.ContainsRune("-._", r) {
			return "", errors.New("its host must be an IP address or a name in ASCII (write other scripts as xn--…)")
		}
	}
	return strings.ToLower(host), nil
}

func (o origin) isLoopback() bool {
	if o.scheme != "http" && o.scheme != "https" {
		return false
	}
	address, err := netip.ParseAddr(o.host)
	return o.host == "localhost" || err == nil && address.IsLoopback()
}

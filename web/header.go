package web

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// plainHost matches what can stand in a policy without meaning anything else there.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$|^\[[0-9A-Fa-f:]+\](:[0-9]+)?$`)

// secure sets what every answer of a page carries: scripts, fonts and connections
// of this host only, and no foreign frame around it. Inline styles are allowed
// because the editor sets its own.
//
// Some browsers don't count WebSockets of the same host among 'self', hence host;
// one that could add to the policy is left out.
func secure(header http.Header, host string) {
	connect := "connect-src 'self'"
	if plainHost.MatchString(host) {
		connect += " ws://" + host + " wss://" + host
	}
	header.Set("Content-Security-Policy", strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self' 'unsafe-inline'",
		"img-src 'self' data:",
		"font-src 'self'",
		"worker-src 'self'",
		connect,
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; "))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3): gzip by name, or by "*"
// where it isn't named.
func acceptsGzip(header http.Header) bool {
	wildcard := false
	for _, item := range strings.Split(strings.Join(header.Values("Accept-Encoding"), ","), ",") {
		coding, parameter, _ := strings.Cut(item, ";")
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return hasWeight(parameter)
		case "*":
			wildcard = hasWeight(parameter)
		}
	}
	return wildcard
}

// hasWeight says whether a quality value such as "q=0.5" is above zero; none is 1.
func hasWeight(parameter string) bool {
	text, found := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameter)), "q=")
	if !found {
		return true
	}
	weight, err := strconv.ParseFloat(text, 64)
	return err == nil && weight > 0
}

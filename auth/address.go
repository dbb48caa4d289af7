package auth

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are those whose word on where a request comes from is taken. Everybody else could write
// anything into a header.
type Proxies struct {
	trusted []netip.Prefix
	header  string
}

// The headers in which proxies say for whom they ask. Only one is read: a proxy that writes the one
// passes on whatever a client wrote into the other.
const (
	HeaderXForwardedFor = "X-Forwarded-For"
	HeaderForwarded     = "Forwarded" // RFC 7239
)

// NewProxies trusts the addresses and prefixes (CIDR) given, which write the header given.
func NewProxies(trusted []string, header string) (*Proxies, error) {
	if header != HeaderXForwardedFor && header != HeaderForwarded {
		return nil, fmt.Errorf("proxies write %s or %s, not %q", HeaderXForwardedFor, HeaderForwarded, header)
	}
	p := &Proxies{header: header}
	for _, text := range trusted {
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("a proxy is an address or a prefix like 10.0.0.0/8, not %q", text)
		}
		p.trusted = append(p.trusted, prefix.Masked())
	}
	return p, nil
}

// Trusts reports whether an address is a trusted proxy's.
func (p *Proxies) Trusts(addr netip.Addr) bool {
	for _, prefix := range p.trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// maxHops bounds how many addresses of a header are looked at, and maxHeader its bytes, from its end.
const maxHops, maxHeader = 32, 4 << 10

// Address returns where a request comes from: the peer, or, where that is a trusted proxy, the
// rightmost address of its header that isn't one. What can't be understood ends the search at the
// proxy that wrote it. It is the zero Addr for a peer without an address.
func (p *Proxies) Address(r *http.Request) netip.Addr {
	addr := PeerAddress(r.RemoteAddr)
	text := strings.Join(r.Header.Values(p.header), ",")
	hops := strings.Split(text[max(0, len(text)-maxHeader):], ",")
	for i := len(hops) - 1; i >= max(0, len(hops)-maxHops) && p.Trusts(addr); i-- {
		before, ok := p.hop(hops[i])
		if !ok {
			break
		}
		addr = before
	}
	return addr
}

// hop reads one element of the header.
func (p *Proxies) hop(text string) (netip.Addr, bool) {
	if p.header == HeaderForwarded {
		text = forwardedFor(text)
	}
	text = strings.TrimSpace(text)
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		withPort, portErr := netip.ParseAddrPort(text)
		addr, err = withPort.Addr(), portErr
	}
	return plain(addr), err == nil
}

// forwardedFor returns the for parameter of an element of Forwarded (RFC 7239 §4), "" for none. A
// comma inside quotes, which no address has, splits the element in two that aren't understood.
func forwardedFor(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(pair, "=")
		if strings.EqualFold(strings.TrimSpace(name), "for") {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// PeerAddress reads the address of net.Conn.RemoteAddr, or of http.Request.RemoteAddr.
func PeerAddress(hostPort string) netip.Addr {
	addrPort, err := netip.ParseAddrPort(hostPort)
	if err != nil {
		return netip.Addr{}
	}
	return plain(addrPort.Addr())
}

// plain is an address in the one form that prefixes contain.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// Network is what counts as one place: an IPv4 address, or the /64 of an IPv6 one, in which a host
// may take any number of addresses.
func Network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, err := addr.Prefix(bits)
	if err != nil { // no address: all of those are one
		return netip.Prefix{}
	}
	return prefix
}

type networkKey struct{}

// WithNetwork returns a context that says where a request comes from.
func WithNetwork(ctx context.Context, network netip.Prefix) context.Context {
	return context.WithValue(ctx, networkKey{}, network)
}

// NetworkFrom returns where a request comes from, the zero Prefix if that isn't known.
func NetworkFrom(ctx context.Context) netip.Prefix {
	network, _ := ctx.Value(networkKey{}).(netip.Prefix)
	return network
}

package graphqlws

import (
	"strconv"

	"github.com/gobwas/httphead"
)

// negotiation answers a client's offers of permessage-deflate (RFC 7692 §7.1): the first that suits is taken. One that
// doesn't is declined, never the handshake.
type negotiation struct{ agreed bool }

// Parameters of permessage-deflate.
const (
	serverNoTakeover = "server_no_context_takeover"
	clientNoTakeover = "client_no_context_takeover"
	serverWindow     = "server_max_window_bits"
	clientWindow     = "client_max_window_bits"
)

// fullWindow is that of compress/flate, which knows no other.
const fullWindow = 15

// answer returns what is agreed on, or no extension. Neither side keeps a context: this one shares what it compresses
// among connections, and holds nothing for one that is idle.
func (n *negotiation) answer(offer httphead.Option) (accepted httphead.Option, err error) {
	if n.agreed || string(offer.Name) != "permessage-deflate" {
		return accepted, nil
	}
	limited, suits := judge(offer)
	if !suits {
		return accepted, nil
	}
	n.agreed = true
	accepted.Name = []byte("permessage-deflate")
	accepted.Parameters.Set([]byte(serverNoTakeover), nil)
	accepted.Parameters.Set([]byte(clientNoTakeover), nil)
	if limited { // §7.1.2.1: a limit is accepted by being said again
		accepted.Parameters.Set([]byte(serverWindow), strconv.AppendInt(nil, fullWindow, 10))
	}
	return accepted, nil
}

// judge reports whether an offer is a proper one (§7.1) that can be kept, and whether it limits the server's window.
func judge(offer httphead.Option) (limited, suits bool) {
	seen := make(map[string]bool, 4)
	suits = true
	offer.Parameters.ForEach(func(key, value []byte) bool {
		name, bits := string(key), windowBits(string(value))
		switch {
		case seen[name]:
			suits = false
		case name == serverNoTakeover, name == clientNoTakeover:
			suits = len(value) == 0
		case name == clientWindow: // the client's own windows may be of any size
			suits = len(value) == 0 || bits > 0
		case name == serverWindow:
			limited = true
			suits = bits == fullWindow
		default:
			suits = false
		}
		seen[name] = true
		return suits
	})
	return limited, suits
}

// windowBits decodes a window's size: 8 to 15, without leading zeros (§7.1.2); 0 is none.
func windowBits(value string) int {
	bits, err := strconv.Atoi(value)
	if err != nil || bits < 8 || bits > fullWindow || strconv.Itoa(bits) != value {
		return 0
	}
	return bits
}

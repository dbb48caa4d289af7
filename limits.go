package main

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/prometheus/client_golang/prometheus"

	"parley/auth"
	"parley/chat"
	"parley/ratelimit"
	"parley/transport"
)

// rateSettings are the settings of how often.
type rateSettings struct {
	RateLimits       string          `env:"PARLEY_RATE_LIMITS" default:"on" enum:"on,off" help:"off switches rates and counts of connections off, for load tests. All other limits stay."`
	RateMessagesUser ratelimit.Limit `env:"PARLEY_RATE_MESSAGES_USER" default:"10/s burst 50" help:"How often one user sends messages, or changes anything else in rooms; 'off' for any."`
	RateMessagesRoom ratelimit.Limit `env:"PARLEY_RATE_MESSAGES_ROOM" default:"200/s burst 1000" help:"How often messages are sent and edited in one room."`
	RateRoomsUser    ratelimit.Limit `env:"PARLEY_RATE_ROOMS_USER" default:"30/m burst 30" help:"How often one user creates rooms."`
	RateTypingUser   ratelimit.Limit `env:"PARLEY_RATE_TYPING_USER" default:"5/s burst 20" help:"How often one user says that they type."`

	RateOperationsUser       ratelimit.Limit `env:"PARLEY_RATE_OPERATIONS_USER" default:"100/s burst 500" help:"Operations of one user, on this node."`
	RateOperationsAddress    ratelimit.Limit `env:"PARLEY_RATE_OPERATIONS_ADDRESS" default:"20/s burst 100" help:"Operations without a token from one address, on this node."`
	RateOperationsConnection ratelimit.Limit `env:"PARLEY_RATE_OPERATIONS_CONNECTION" default:"50/s burst 200" help:"Operations started on one connection."`
	RateFramesConnection     ratelimit.Limit `env:"PARLEY_RATE_FRAMES_CONNECTION" default:"200/s burst 1000" help:"Frames received on one connection."`

	MaxConnections        int `env:"PARLEY_MAX_CONNECTIONS" default:"50000" help:"Connections at a time of this node."`
	MaxConnectionsAddress int `env:"PARLEY_MAX_CONNECTIONS_ADDRESS" default:"1000" help:"Connections at a time from one address (of IPv6, one /64), on this node."`
	MaxConnectionsUser    int `env:"PARLEY_MAX_CONNECTIONS_USER" default:"100" help:"Connections at a time of one user, on this node."`
}

// effective returns the settings as they hold: none of them with PARLEY_RATE_LIMITS=off.
func (s rateSettings) effective() rateSettings {
	if s.RateLimits == "off" {
		return rateSettings{RateLimits: "off"}
	}
	return s
}

// limits judges who comes too often.
type limits struct {
	rateSettings
	refusals *ratelimit.Refusals
	typing   *ratelimit.Limiter

	users, addresses *ratelimit.Limiter
	guesses          *ratelimit.Limiter // of tickets
	connections      *connections
	proxies          *auth.Proxies
}

func newLimits(c *config, metrics prometheus.Registerer) (l *limits, err error) {
	l = &limits{rateSettings: c.Rates.effective(), refusals: ratelimit.NewRefusals(metrics)}
	l.typing = ratelimit.NewLimiter("typing_user", l.RateTypingUser, l.refusals)
	l.users = ratelimit.NewLimiter("operations_user", l.RateOperationsUser, l.refusals)
	l.addresses = ratelimit.NewLimiter("operations_address", l.RateOperationsAddress, l.refusals)
	l.guesses = ratelimit.NewLimiter("tickets_address", l.RateOperationsAddress, l.refusals)
	l.connections = newConnections(l.rateSettings, l.refusals)
	l.proxies, err = auth.NewProxies(c.TrustedProxies, c.ProxyHeader)
	return l, err
}

// rates are what the domain judges itself.
func (l *limits) rates() chat.Rates {
	return chat.Rates{User: l.RateMessagesUser, Room: l.RateMessagesRoom, Creation: l.RateRoomsUser, Refusals: l.refusals}
}

// locate says in the context of each request where it comes from, and bounds those that don't need a socket each.
func (l *limits) locate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		network := auth.Network(l.proxies.Address(r))
		if r.ProtoMajor >= 2 {
			defer l.connections.requests.Leave(network)
			if !l.connections.requests.Enter(network) {
				_ = l.refusals.Count(tooMany("requests_address"))
				(&transport.Refusal{Status: http.StatusTooManyRequests, Code: transport.CodeRateLimited,
					Message: "too many requests at a time", RetryAfter: ratelimit.WholeSeconds(whenFreed)}).Write(w)
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(auth.WithNetwork(r.Context(), network)))
	})
}

// located returns a new context that holds, of a request's, where that came from.
func located(request context.Context) context.Context {
	return auth.WithNetwork(context.Background(), auth.NetworkFrom(request))
}

// charge judges an operation by who asks: a user, or an address without a token.
func (l *limits) charge(ctx context.Context) error {
	if viewer := auth.ViewerFrom(ctx); viewer != nil {
		return l.users.Take(viewer.ID)
	}
	return l.addresses.Take(auth.NetworkFrom(ctx).String())
}

// redeem reads tickets, unless too many came from an address that are none: each asks the store.
func (l *limits) redeem(read redeemer) redeemer {
	return func(ctx context.Context, ticket string) (context.Context, *graphql.RawParams, error) {
		network := auth.NetworkFrom(ctx).String()
		if err := l.guesses.Check(network); err != nil {
			return nil, nil, err
		}
		base, params, err := read(ctx, ticket)
		if errors.Is(err, auth.ErrBadTicket) {
			_ = l.guesses.Take(network) // what it says is for the next one
		}
		return base, params, err
	}
}

// redeemer is [transport.Options.Redeem].
type redeemer = func(ctx context.Context, ticket string) (context.Context, *graphql.RawParams, error)

// socket bounds the sockets on which requests may come (http.Server.ConnState); streams, which are
// counted as connections, are no longer among them. Whoever holds too many is hung up on, however
// silent the sockets. A proxy holds those of many, so it is bounded by the node's number alone.
func (l *limits) socket(conn net.Conn, state http.ConnState) {
	addr := auth.PeerAddress(conn.RemoteAddr().String())
	network := auth.Network(addr)
	switch state {
	case http.StateNew:
		err := l.connections.enterSocket(network, l.proxies.Trusts(addr))
		if l.refusals.Count(err) != nil {
			_ = conn.Close() // nothing was said on it yet
		}
	case http.StateHijacked, http.StateClosed:
		l.connections.leaveSocket(network)
	}
}

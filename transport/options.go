package transport

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/prometheus/client_golang/prometheus"

	"parley/delivery"
	"parley/ratelimit"
	"parley/render"
)

// Options are the settings that all transports share. Hub and Open are required, everything else
// has a useful zero value.
type Options struct {
	// Hub serves the subscriptions.
	Hub *delivery.Hub
	// Open authorizes a parsed subscription and names what it follows; a response that isn't nil
	// holds the errors of one that can't be opened.
	Open func(context.Context, graphql.GraphExecutor, *graphql.OperationContext) (*render.Opened, *graphql.Response)

	// Heartbeat is how often the server gives a sign of life, and tells positions that moved
	// without an event. A WebSocket peer silent for two of them is cut. 0 means 12 s.
	Heartbeat time.Duration
	// InitTimeout bounds the wait for connection_init, the authentication that follows it, and
	// the reading of a request's body. 0 means 10 s.
	InitTimeout time.Duration
	// WriteTimeout is how long a peer may take nothing of what waits for it. 0 means 2 minutes.
	WriteTimeout time.Duration
	// CloseTimeout is how long a closing connection waits for its peer. 0 means 5 s.
	CloseTimeout time.Duration
	// OperationTimeout bounds one query or mutation. 0 means 30 s.
	OperationTimeout time.Duration

	// HighWater is how many bytes may wait for one connection. 0 means 1 MiB.
	HighWater int
	// MaxAnswers is how many bytes of answers to queries and mutations may wait beside them. 0 means 16 MiB.
	MaxAnswers int
	// MaxFrame bounds a WebSocket message, its fragments together, in bytes. 0 means 128 KiB.
	MaxFrame int
	// MaxBody bounds the body, or the query string, of a request in bytes. 0 means 128 KiB.
	MaxBody int
	// MaxOperations bounds the active operations of one connection. 0 means 100.
	MaxOperations int

	// Operations bounds how often one connection starts an operation, Frames how often its peer
	// sends a frame. The zero limits don't.
	Operations, Frames ratelimit.Limit
	// Charge is asked before each operation, whatever its transport, whether the client that ctx
	// names isn't asking too often: an error that is an *[ratelimit.Exceeded] is answered
	// RATE_LIMITED. nil lets all through.
	Charge func(ctx context.Context) error
	// Counts bounds the connections at a time; nil doesn't.
	Counts Counts
	// Refusals counts what Operations and Frames refuse; nil for nobody.
	Refusals *ratelimit.Refusals

	// Draft2026 has HTTP responses carry the statuses of GraphQL over HTTP's draft of August 2026,
	// such as 422 and 294, instead of those that graphql-http's audits ask for.
	Draft2026 bool

	// BaseContext returns a new context for a connection: it must hold nothing of the request
	// but what the connection keeps, such as the viewer. nil means context.Background.
	BaseContext func(*http.Request) context.Context
	// Authenticate judges the payload of connection_init (nil if there was none) and returns a
	// context derived from ctx. Its error closes the connection: 4403 and the error's text, or
	// 1013 if it wraps [ErrTryLater]. nil lets everybody in.
	Authenticate func(ctx context.Context, initPayload map[string]any) (context.Context, error)
	// Refresh judges the payload of a pong, with which a client may send a new token, and renews
	// the connection. Its error closes the connection: 4403 and the error's text; one that wraps
	// [ErrTryLater] leaves it as it is. nil takes no notice of such payloads.
	Refresh func(c *Conn, pongPayload map[string]any) error
	// Redeem returns, for a ticket, the subscription that it opens and a context as BaseContext makes
	// it. The stream may yet be refused: the ticket isn't used up before Connected is told. Its error is answered 401 with the error's text, or 503 if it wraps [ErrTryLater]. nil
	// means that there are no tickets.
	Redeem func(ctx context.Context, ticket string) (context.Context, *graphql.RawParams, error)
	// Expires tells when the right to the connection ends, if ever. nil means never.
	Expires func(ctx context.Context) (at time.Time, ok bool)
	// Connected is told of every connection once its viewer is known, and should return soon, for
	// the client waits. What it returns is called when the connection has ended, and may be nil.
	// nil means that nobody cares.
	Connected func(ctx context.Context) (release func())
	// OriginAllowed decides whether a WebSocket may be opened from the page named by the Origin
	// header. nil allows the server's own origin, and requests without that header.
	OriginAllowed func(*http.Request) bool

	// Log takes what operators should know; nil means slog.Default().
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

// Counts bounds how many connections there are at a time: of one place, of one user, altogether.
// Whose they are is in the contexts. Errors are an *[ratelimit.Exceeded], or wrap [ErrTryLater]
// where the node is full.
type Counts interface {
	// Full returns an error where one more would be refused, so that it can be refused in time.
	Full(ctx context.Context) error
	// Enter counts a connection, refused or not, and EnterUser one whose user has become known, unless it fails.
	Enter(ctx context.Context) error
	EnterUser(ctx context.Context) error
	// Leave and LeaveUser take that back, once, when the connection has ended, in a context of the same address and
	// the same user.
	Leave(ctx context.Context)
	LeaveUser(ctx context.Context)
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		setting *time.Duration
		value   time.Duration
	}{
		{&o.Heartbeat, 12 * time.Second},
		{&o.InitTimeout, 10 * time.Second},
		{&o.WriteTimeout, 2 * time.Minute},
		{&o.CloseTimeout, 5 * time.Second},
		{&o.OperationTimeout, 30 * time.Second},
	} {
		if *d.setting == 0 {
			*d.setting = d.value
		}
	}
	for _, d := range []struct {
		setting *int
		value   int
	}{
		{&o.HighWater, 1 << 20},
		{&o.MaxAnswers, 16 << 20},
		{&o.MaxFrame, 128 << 10},
		{&o.MaxBody, 128 << 10},
		{&o.MaxOperations, 100},
	} {
		if *d.setting == 0 {
			*d.setting = d.value
		}
	}
	if o.BaseContext == nil {
		o.BaseContext = func(*http.Request) context.Context { return context.Background() }
	}
	if o.OriginAllowed == nil {
		o.OriginAllowed = sameOrigin
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	parsed, err := url.Parse(origin)
	return err == nil && strings.EqualFold(parsed.Host, r.Host)
}

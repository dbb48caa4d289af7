package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"parley/auth"
	"parley/chat"
	"parley/document"
	"parley/store/redis"
)

// config is every setting: an environment variable, and a flag of the same name.
type config struct {
	Addr      string `env:"PARLEY_ADDR" default:"127.0.0.1:8080" help:"Where to listen for clients."`
	AdminAddr string `env:"PARLEY_ADMIN_ADDR" default:"127.0.0.1:9464" help:"Where to listen for /metrics and /debug/pprof; 'off' for nowhere."`
	TLSCert   string `name:"tls-cert" env:"PARLEY_TLS_CERT" help:"File of the certificate to serve clients with over TLS, and its chain, PEM; empty for no TLS. Read again when it changes."`
	TLSKey    string `name:"tls-key" env:"PARLEY_TLS_KEY" help:"File of the certificate's key, PEM."`
	Data      string `env:"PARLEY_DATA" default:"./data" help:"Folder of the SQLite database and of the development secret."`
	RedisURL  string `name:"redis-url" env:"PARLEY_REDIS_URL" help:"Redis to share with other nodes (redis://, redis+sentinel://, redis+cluster://, unix://; rediss for TLS); empty keeps everything in SQLite."`

	Redis redisConfig `embed:"" prefix:"redis-"`

	AuthSecret      string        `env:"PARLEY_AUTH_SECRET" help:"HS256 secret of the tokens, at least 32 bytes; with neither it nor PARLEY_AUTH_JWKS_URL, development mode signs tokens for anybody."`
	AuthJWKSURL     string        `name:"auth-jwks-url" env:"PARLEY_AUTH_JWKS_URL" help:"Where the issuer of tokens publishes its keys (a JSON Web Key Set), by https; instead of PARLEY_AUTH_SECRET."`
	AuthJWKSRefresh time.Duration `name:"auth-jwks-refresh" env:"PARLEY_AUTH_JWKS_REFRESH" default:"15m" help:"How often the issuer's keys are fetched. From 1s."`
	AuthIssuer      string        `env:"PARLEY_AUTH_ISSUER" help:"What the iss claim of tokens must be; empty: not checked."`
	AuthAudience    string        `env:"PARLEY_AUTH_AUDIENCE" help:"What the aud claim of tokens must contain; empty: not checked."`
	AuthMaxLifetime time.Duration `env:"PARLEY_AUTH_MAX_LIFETIME" default:"0s" help:"How long a token may live at most; revocations are kept as long. 0: any token is good, and revocations are kept for ever."`
	ExpirySpread    time.Duration `env:"PARLEY_EXPIRY_SPREAD" default:"5s" help:"Over how long before the end of its token a connection may be closed, so that many don't close at once."`

	Origins []string `env:"PARLEY_ORIGINS" sep:"," help:"Origins of web pages that may connect, beside the server's own. In development any loopback origin may."`

	Heartbeat     time.Duration `env:"PARLEY_HEARTBEAT" default:"12s" help:"How often each connection is pinged; a peer silent for two is cut. From 1s."`
	InitTimeout   time.Duration `env:"PARLEY_INIT_TIMEOUT" default:"10s" help:"How long a WebSocket may take to send connection_init."`
	PresenceTTL   time.Duration `env:"PARLEY_PRESENCE_TTL" default:"60s" help:"How long after a node's death its users count as connected. From 3s."`
	PresenceGrace time.Duration `env:"PARLEY_PRESENCE_GRACE" default:"10s" help:"How long after their last connection users stay ONLINE."`
	Cutoff        time.Duration `env:"PARLEY_CUTOFF" default:"10s" help:"How long this node believes what it is told while it can't read the store; then live delivery waits until it can. From 3s."`
	StallTimeout  time.Duration `env:"PARLEY_STALL_TIMEOUT" default:"2m" help:"How long a peer may take nothing of what waits for it; then its connection is closed. From 1s."`
	DrainWindow   time.Duration `env:"PARLEY_DRAIN_WINDOW" default:"5s" help:"Over how long connections are closed when the server stops."`

	TicketTTL      time.Duration `env:"PARLEY_TICKET_TTL" default:"1m" help:"How long a ticket may wait to be opened first."`
	MaxTickets     int           `env:"PARLEY_MAX_TICKETS" default:"100" help:"Tickets of one user; beyond, the one that was used longest ago goes."`
	ReservationTTL time.Duration `env:"PARLEY_RESERVATION_TTL" default:"1m" help:"How long a reserved event stream may wait to be opened, or opened again."`
	MaxRevocations int           `env:"PARLEY_MAX_REVOCATIONS" default:"100000" help:"Revocations that are kept."`

	MaxContent          int `env:"PARLEY_MAX_CONTENT" default:"8192" help:"Bytes of one message's content."`
	MaxName             int `env:"PARLEY_MAX_NAME" default:"120" help:"Characters of a room's name."`
	MaxMetadata         int `env:"PARLEY_MAX_METADATA" default:"4096" help:"Bytes of a room's metadata."`
	MaxRooms            int `name:"max-rooms-per-user" env:"PARLEY_MAX_ROOMS_PER_USER" default:"10000" help:"Rooms one user may be a member of."`
	MaxMembers          int `name:"max-members-per-room" env:"PARLEY_MAX_MEMBERS_PER_ROOM" default:"100000" help:"Members of one room."`
	MaxPresence         int `env:"PARLEY_MAX_PRESENCE" default:"1000" help:"Members up to which a room's presence can be followed."`
	MaxAudiences        int `env:"PARLEY_MAX_AUDIENCES" default:"2000" help:"Audiences of one room, or of one presence or typing topic, for whom its events are rendered apart."`
	MaxOperations       int `env:"PARLEY_MAX_OPERATIONS" default:"100" help:"Operations at a time on one connection."`
	MaxFrame            int `env:"PARLEY_MAX_FRAME" default:"131072" help:"Bytes of one WebSocket message."`
	MaxBody             int `env:"PARLEY_MAX_BODY" default:"131072" help:"Bytes of one HTTP body."`
	MaxOutbox           int `env:"PARLEY_MAX_OUTBOX" default:"1048576" help:"Bytes that may wait for one connection; a subscription for which there is no room is served from the log, as its reader reads."`
	MaxAnswers          int `env:"PARLEY_MAX_ANSWERS" default:"16777216" help:"Bytes of answers that may wait for one connection beside those."`
	MaxReservations     int `env:"PARLEY_MAX_RESERVATIONS" default:"50" help:"Reserved event streams of one user; beyond, the one that would end first goes."`
	MaxReservationBytes int `env:"PARLEY_MAX_RESERVATION_BYTES" default:"4194304" help:"Bytes of requests, and of answers, that are kept for one reserved event stream."`
	StoreQueue          int `env:"PARLEY_STORE_QUEUE" default:"1024" help:"Calls that may wait for the store at a time; more are answered UNAVAILABLE at once."`
	LogMaxEntries       int `name:"log-max-entries" env:"PARLEY_LOG_MAX_ENTRIES" default:"10000" help:"Entries of one room's log that can be resumed from. Messages are kept regardless."`

	Rates          rateSettings `embed:""`
	TrustedProxies []string     `env:"PARLEY_TRUSTED_PROXIES" sep:"," help:"Addresses or prefixes (CIDR) of proxies that say where requests come from."`
	ProxyHeader    string       `env:"PARLEY_PROXY_HEADER" default:"X-Forwarded-For" enum:"X-Forwarded-For,Forwarded" help:"The header in which they say it; the other one is never read."`

	Documents       document.Limits `embed:""`
	Trusted         string          `name:"trusted-documents" env:"PARLEY_TRUSTED_DOCUMENTS" help:"JSON file of the only documents to serve, by their ids; empty serves any."`
	QueryCache      int             `name:"query-cache" env:"PARLEY_QUERY_CACHE" default:"1000" help:"Documents kept parsed and validated."`
	QueryCacheBytes int             `name:"query-cache-bytes" env:"PARLEY_QUERY_CACHE_BYTES" default:"67108864" help:"Bytes that the documents kept may take, by an estimate."`
	Introspection   string          `name:"introspection" env:"PARLEY_INTROSPECTION" default:"auto" enum:"auto,on,off" help:"Whether clients may read the schema by introspection, and are suggested names of it: auto is in development only."`
	LegacyWS        bool            `name:"legacy-ws" env:"PARLEY_LEGACY_WS" help:"Speak the WebSocket subprotocol graphql-ws too, of subscriptions-transport-ws, to clients that ask for it by name."`
	Compression     string          `env:"PARLEY_COMPRESSION" default:"on" enum:"on,off" help:"Whether messages are compressed on WebSockets whose clients offer it (permessage-deflate), as browsers do."`
	Draft2026       bool            `name:"draft2026" env:"PARLEY_DRAFT2026" help:"Answer with the HTTP statuses of GraphQL over HTTP's draft of August 2026 (422, 294) instead of those of graphql-http's audits."`
	LogMaxAge       time.Duration   `env:"PARLEY_LOG_MAX_AGE" default:"168h" help:"Age up to which entries of a log are kept."`
	SQLiteSync      string          `name:"sqlite-sync" env:"PARLEY_SQLITE_SYNC" default:"NORMAL" enum:"NORMAL,FULL" help:"NORMAL survives the process's death, FULL a power cut too (slower)."`
	LogLevel        slog.Level      `env:"PARLEY_LOG_LEVEL" default:"INFO" help:"DEBUG, INFO, WARN or ERROR."`
	LogFormat       string          `env:"PARLEY_LOG_FORMAT" default:"text" enum:"text,json" help:"How log lines are written."`
}

// redisConfig is what there is to say of Redis beside the URL.
type redisConfig struct {
	Wait        int           `env:"PARLEY_REDIS_WAIT" default:"0" help:"Replicas that must have what is acknowledged."`
	WaitTimeout time.Duration `env:"PARLEY_REDIS_WAIT_TIMEOUT" default:"1s" help:"How long they may take; after that the answer is UNAVAILABLE. Up to 2s."`
	TLSCA       string        `name:"tls-ca" env:"PARLEY_REDIS_TLS_CA" help:"File of certificates to trust for rediss, PEM; empty trusts the system's."`
	TLSCert     string        `name:"tls-cert" env:"PARLEY_REDIS_TLS_CERT" help:"File of a client certificate, PEM."`
	TLSKey      string        `name:"tls-key" env:"PARLEY_REDIS_TLS_KEY" help:"File of the client certificate's key, PEM."`
	TLSName     string        `name:"tls-name" env:"PARLEY_REDIS_TLS_NAME" help:"Name in the servers' certificates, where it isn't the one in the URL."`
}

// development reports whether the server signs tokens for anybody who asks.
func (c *config) development() bool { return c.AuthSecret == "" && c.AuthJWKSURL == "" }

// introspection reports whether clients may read the schema.
func (c *config) introspection() bool {
	return c.Introspection == "on" || c.Introspection == "auto" && c.development()
}

// parseConfig reads flags and environment. kong prints help and errors and exits.
func parseConfig(args []string) (*config, error) {
	var c config
	parser, err := kong.New(&c,
		kong.Name("parley"),
		kong.Description("A GraphQL subscriptions server for chat. Every flag can be set by the environment variable named beside it."),
		kong.UsageOnError(),
	)
	if err != nil {
		return nil, err
	}
	_, err = parser.Parse(args)
	parser.FatalIfErrorf(err)
	return &c, c.validate()
}

// validate checks settings and the relations between them.
func (c *config) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Heartbeat >= time.Second, "PARLEY_HEARTBEAT must be at least 1s")
	check(c.AuthSecret == "" || c.AuthJWKSURL == "", "set PARLEY_AUTH_SECRET or PARLEY_AUTH_JWKS_URL, not both: tokens have one kind of key")
	check(!c.development() || c.AuthIssuer == "" && c.AuthAudience == "",
		"PARLEY_AUTH_ISSUER and PARLEY_AUTH_AUDIENCE need PARLEY_AUTH_SECRET or PARLEY_AUTH_JWKS_URL: development tokens name neither")
	check(c.AuthJWKSRefresh >= time.Second, "PARLEY_AUTH_JWKS_REFRESH must be at least 1s")
	check(c.AuthMaxLifetime >= 0, "PARLEY_AUTH_MAX_LIFETIME must not be negative")
	check(!c.development() || c.AuthMaxLifetime == 0 || c.AuthMaxLifetime >= auth.DevTokenLifetime,
		"PARLEY_AUTH_MAX_LIFETIME must be at least %v in development, which signs tokens for that long", auth.DevTokenLifetime)
	check(c.TicketTTL >= time.Second, "PARLEY_TICKET_TTL must be at least 1s")
	check(c.ReservationTTL >= time.Second, "PARLEY_RESERVATION_TTL must be at least 1s")
	check(c.MaxReservationBytes >= c.MaxBody, "PARLEY_MAX_RESERVATION_BYTES must be at least PARLEY_MAX_BODY")
	check(c.ExpirySpread >= 0, "PARLEY_EXPIRY_SPREAD must not be negative")
	check(c.InitTimeout > 0, "PARLEY_INIT_TIMEOUT must be positive")
	check(c.PresenceTTL >= 3*time.Second, "PARLEY_PRESENCE_TTL must be at least 3s")
	check(c.PresenceGrace >= 0, "PARLEY_PRESENCE_GRACE must not be negative")
	check(c.Cutoff >= 3*time.Second, "PARLEY_CUTOFF must be at least 3s: the store is looked at each second, and one look may take longer")
	check(c.StallTimeout >= time.Second, "PARLEY_STALL_TIMEOUT must be at least 1s")
	check(c.DrainWindow >= 0, "PARLEY_DRAIN_WINDOW must not be negative")
	check(c.MaxFrame >= 2*c.MaxContent, "PARLEY_MAX_FRAME must be at least twice PARLEY_MAX_CONTENT, for the escapes in JSON")
	check(c.MaxBody >= 2*c.MaxContent, "PARLEY_MAX_BODY must be at least twice PARLEY_MAX_CONTENT, for the escapes in JSON")
	check(c.MaxOutbox >= 2*c.MaxFrame, "PARLEY_MAX_OUTBOX must be at least twice PARLEY_MAX_FRAME")
	check(c.MaxAnswers >= c.Documents.ResponseBytes, "PARLEY_MAX_ANSWERS must be at least PARLEY_MAX_RESPONSE")
	errs = append(errs, positive(c), positive(&c.Rates), positive(&c.Documents))
	check(c.Documents.ResponseBytes >= chat.MaxPage*c.MaxContent,
		"PARLEY_MAX_RESPONSE must hold a page: at least %d times PARLEY_MAX_CONTENT", chat.MaxPage)
	check(c.Redis.Wait >= 0, "PARLEY_REDIS_WAIT must not be negative")
	check(c.Redis.WaitTimeout >= time.Millisecond && c.Redis.WaitTimeout <= 2*time.Second,
		"PARLEY_REDIS_WAIT_TIMEOUT must be between 1ms and 2s, which is less than Redis is given for an answer")
	check(c.Redis.Wait == 0 || c.RedisURL != "", "PARLEY_REDIS_WAIT needs PARLEY_REDIS_URL")
	check((c.Redis.TLSCert == "") == (c.Redis.TLSKey == ""), "PARLEY_REDIS_TLS_CERT and PARLEY_REDIS_TLS_KEY go together")
	check((c.TLSCert == "") == (c.TLSKey == ""), "PARLEY_TLS_CERT and PARLEY_TLS_KEY go together")
	check(c.LogMaxAge >= 10*time.Minute, "PARLEY_LOG_MAX_AGE must be at least 10m")
	check(!c.development() || isLoopback(c.Addr),
		"development mode signs tokens for anybody, so it listens on loopback only: set PARLEY_AUTH_SECRET or PARLEY_AUTH_JWKS_URL to listen on %s", c.Addr)
	return errors.Join(errs...)
}

// positive refuses the whole numbers of a group of settings that aren't positive: each of them is a bound.
func positive(group any) error {
	var errs []error
	for field, value := range reflect.ValueOf(group).Elem().Fields() {
		if n, whole := value.Interface().(int); whole && n <= 0 {
			errs = append(errs, fmt.Errorf("%s must be positive", field.Tag.Get("env")))
		}
	}
	return errors.Join(errs...)
}

// isLoopback reports whether an address to listen on can be reached from this machine only.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// LogValue is the settings as they may be printed: without secrets.
func (c *config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("addr", c.Addr), slog.String("admin", c.AdminAddr), slog.Bool("tls", c.TLSCert != ""), slog.String("store", c.storeName()), slog.Int("redis-wait", c.Redis.Wait),
		slog.String("tokens", c.tokenKeys()), slog.String("origins", strings.Join(c.Origins, " ")),
		slog.Duration("heartbeat", c.Heartbeat), slog.Duration("init-timeout", c.InitTimeout),
		slog.Duration("presence-ttl", c.PresenceTTL), slog.Duration("presence-grace", c.PresenceGrace),
		slog.String("rate-limits", c.Rates.RateLimits),
		slog.Duration("cutoff", c.Cutoff),
		slog.Int("log-max-entries", c.LogMaxEntries), slog.Duration("log-max-age", c.LogMaxAge),
	)
}

// tokenKeys names what tokens are verified with.
func (c *config) tokenKeys() string {
	switch {
	case c.AuthSecret != "":
		return "a secret"
	case c.AuthJWKSURL != "":
		return "an issuer's keys"
	}
	return "development mode"
}

func (c *config) storeName() string {
	if c.RedisURL == "" {
		return "sqlite in " + c.Data
	}
	return "redis at " + redis.Describe(c.RedisURL)
}
